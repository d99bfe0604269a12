"""What the upstream may not ask: never declared, and answered for the person where it asks all the same."""

import json
from itertools import combinations
from typing import Any

import pytest

from gateway.jsonrpc import Message, parse, parse_upstream
from gateway.questions import CAPABILITIES, KINDS, Questions
from gateway.upstream import Answer

Json = Any
PROTOCOL = "io.modelcontextprotocol/protocolVersion"
DECLARED = {"sampling": {"tools": {}}, "elicitation": {"url": {}}, "roots": {"listChanged": True}, "x": 1.5}
EVERY = [frozenset(off) for count in range(4) for off in combinations(KINDS, count)]


def message(method: str, params: Json, identifier: Json = 1) -> Message:
    body = {"jsonrpc": "2.0", "method": method, "params": params, **({} if identifier is None else {"id": identifier})}
    found = parse(json.dumps(body).encode())
    assert isinstance(found, Message)
    return found


def asked(method: str) -> Message:
    found = parse_upstream(json.dumps({"jsonrpc": "2.0", "id": "s", "method": method}).encode())
    assert isinstance(found, Message)
    return found


@pytest.mark.parametrize("off", EVERY, ids=lambda off: ", ".join(sorted(off)))
def test_what_is_off_is_declared_in_neither_era_and_the_rest_is(off: frozenset[str]) -> None:
    left = {name: value for name, value in DECLARED.items() if name not in off}
    opening = message("initialize", {"capabilities": DECLARED, "n": 1.0})
    params = json.loads(Questions(off).declared(opening).raw)["params"]
    assert params == {"capabilities": left, "n": 1.0}
    call = message("tools/call", {"name": "t", "_meta": {PROTOCOL: "2026-07-28", CAPABILITIES: DECLARED, "k": [1]}})
    stripped = Questions(off).declared(call)
    assert json.loads(stripped.raw)["params"]["_meta"] == {PROTOCOL: "2026-07-28", CAPABILITIES: left, "k": [1]}
    assert stripped.meta[CAPABILITIES] == left


def test_what_a_request_of_a_handshake_era_declares_for_the_other_is_not_declared_either() -> None:
    call = message("tools/call", {"name": "t", "_meta": {CAPABILITIES: DECLARED, "k": [1]}})
    assert NO_SAMPLING.declared(call).meta == {
        CAPABILITIES: {name: value for name, value in DECLARED.items() if name != "sampling"},
        "k": [1],
    }


def test_tasks_of_2025_that_ask_the_same_are_not_declared_either() -> None:
    tasks: Json = {"list": {}, "requests": {"sampling": {"createMessage": {}}, "elicitation": {"create": {}}}}
    opening = message("initialize", {"capabilities": {"tasks": tasks}})
    found = Questions(frozenset({"sampling"})).declared(opening).params["capabilities"]
    assert found == {"tasks": {"list": {}, "requests": {"elicitation": {"create": {}}}}}


@pytest.mark.parametrize(
    ("method", "params", "identifier"),
    [
        ("tools/call", {"name": "t"}, 1),
        ("ping", {}, 1),
        ("notifications/x", {"capabilities": DECLARED}, None),
        ("initialize", {"protocolVersion": "2025-06-18"}, 1),
        ("tools/list", {"_meta": {PROTOCOL: "2026-07-28"}}, 1),
    ],
)
def test_what_declares_nothing_is_not_touched(method: str, params: Json, identifier: Json) -> None:
    given = message(method, params, identifier)
    assert Questions(frozenset(KINDS)).declared(given) is given


@pytest.mark.parametrize("capabilities", [None, [], "sampling", {"tasks": 5}, {"tasks": {"requests": []}}])
def test_odd_capabilities_stay_odd(capabilities: Json) -> None:
    opening = message("initialize", {"capabilities": capabilities})
    assert Questions(frozenset(KINDS)).declared(opening).params["capabilities"] == capabilities


@pytest.mark.parametrize("off", EVERY, ids=lambda off: ", ".join(sorted(off)))
def test_a_question_is_answered_for_the_person_where_it_is_off(off: frozenset[str]) -> None:
    said: Json = {
        "sampling": {"error": {"code": -1, "message": "sampling is switched off"}},
        "elicitation": {"result": {"action": "decline"}},
        "roots": {"error": {"code": -32601, "message": "roots are switched off"}},
    }
    for kind, method in KINDS.items():
        answer = Questions(off).answer(asked(method))
        expected = {"jsonrpc": "2.0", "id": "s", **said[kind]} if kind in off else None
        assert (answer and json.loads(answer.raw)) == expected
    assert Questions(off).answer(asked("ping")) is None
    assert Questions(off).silences(message("notifications/roots/list_changed", {}, None)) == ("roots" in off)
    assert not Questions(off).silences(message("notifications/initialized", {}, None))


def required(*methods: Json) -> Answer:
    requests = {str(number): {"method": method} for number, method in enumerate(methods)}
    body = {"jsonrpc": "2.0", "id": 1, "result": {"resultType": "input_required", "inputRequests": requests}}
    found = parse_upstream(json.dumps(body).encode())
    assert isinstance(found, Message)
    return Answer("answered", found, 200)


CALL = message("tools/call", {"name": "t", "_meta": {PROTOCOL: "2026-07-28"}})
NO_SAMPLING = Questions(frozenset({"sampling"}))


def test_a_round_that_asks_what_is_off_fails_the_call() -> None:
    checked = NO_SAMPLING.checked(CALL, required("roots/list", "sampling/createMessage"))
    text = "the server asked for `sampling/createMessage`, which is switched off (--switch-off)"
    content = [{"type": "text", "text": text}]
    assert checked.result == {"resultType": "complete", "content": content, "isError": True}
    assert (checked.fate, checked.status) == ("answered", 200)
    prompt = NO_SAMPLING.checked(message("prompts/get", {"name": "p"}), required("sampling/createMessage"))
    assert prompt.response is not None
    assert prompt.response.body["error"] == {"code": -32603, "message": text}


def task(*methods: str) -> dict[str, Json]:
    """What is known of a task that wants input (the tasks extension)."""
    wanted = {method: {"method": method} for method in methods}
    return {"taskId": "t", "status": "input_required", "inputRequests": wanted}


def test_a_task_that_asks_what_is_off_is_not_shown() -> None:
    request = message("tasks/get", {"taskId": "t", "_meta": {PROTOCOL: "2026-07-28"}})
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {"resultType": "complete", **task("roots/list", "sampling/createMessage")},
    }
    found = parse_upstream(json.dumps(body).encode())
    assert isinstance(found, Message)
    checked = NO_SAMPLING.checked(request, Answer("answered", found, 200)).response
    assert checked is not None
    text = "the server asked for `sampling/createMessage`, which is switched off (--switch-off)"
    assert checked.body["error"] == {"code": -32603, "message": text}
    answer = Answer("answered", found, 200)
    assert Questions(frozenset({"elicitation"})).checked(request, answer) is answer


def test_no_news_of_such_a_task_pass() -> None:
    for methods, dropped in ((["sampling/createMessage"], True), (["roots/list"], False), ([], False)):
        news = message("notifications/tasks", task(*methods), None)
        assert NO_SAMPLING.in_news(news) is dropped
        assert not Questions().in_news(news)
    assert not NO_SAMPLING.in_news(message("notifications/x", task("sampling/createMessage"), None))


@pytest.mark.parametrize("answer", [required("roots/list"), required(), required([], None, {}), Answer("unknown")])
def test_any_other_answer_is_as_it_was(answer: Answer) -> None:
    assert NO_SAMPLING.checked(CALL, answer) is answer
    assert Questions().checked(CALL, required("sampling/createMessage")).result is not None
