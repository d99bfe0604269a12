"""Which tasks are reachable: those that a judged call began."""

import json
from typing import Any

import pytest

from gateway.jsonrpc import Message, parse_upstream
from gateway.tasks import _MAX_TASKS, Tasks
from gateway.upstream import Answer


def answer(result: Any) -> Answer:
    message = parse_upstream(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode())
    assert isinstance(message, Message)
    return Answer("answered", message)


@pytest.mark.parametrize("result", [{"task": {"taskId": "t", "status": "working"}}, {"taskId": "t"}])
def test_the_task_that_an_answer_names_is_known(result: Any) -> None:
    tasks = Tasks()
    assert "t" not in tasks
    tasks.note(answer(result))
    assert "t" in tasks
    assert "T" not in tasks


@pytest.mark.parametrize("result", [{}, {"task": 5}, {"task": {"taskId": 5}}, {"taskId": ["t"]}, [], None])
def test_an_answer_that_names_none_adds_none(result: Any) -> None:
    tasks = Tasks()
    tasks.note(answer(result))
    tasks.note(Answer("unknown"))
    assert tasks._known == {}


@pytest.mark.parametrize("odd", [None, 5, ["t"], {"t": 1}])
def test_what_is_no_id_is_no_task(odd: Any) -> None:
    assert odd not in Tasks()


def test_the_oldest_is_forgotten_where_there_are_too_many() -> None:
    tasks = Tasks()
    for number in range(_MAX_TASKS + 1):
        tasks.note(answer({"taskId": str(number)}))
    assert ("0" in tasks, "1" in tasks, str(_MAX_TASKS) in tasks) == (False, True, True)
