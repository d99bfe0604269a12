"""What `scripts/compare` takes for the same, and what it says of the rest."""

from typing import Any

import pytest

from scripts.compare_lib import command

SESSION = "0b5c1a90-2f6e-4c3a-9d7e-1f2a3b4c5d6e"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"text": f"in {SESSION}"}, {"text": f"in {SESSION.replace('0', '7')}"}),
        ({"at": "2026-01-02T03:04:05.678Z"}, {"at": "2027-11-12T13:14:15Z"}),
        ({"text": "created at 1:02:03 PM"}, {"text": "created at 11:12:13 AM"}),
        ({"uri": "demo://blob/1", "blob": "QUE="}, {"uri": "demo://blob/1", "blob": "QkI="}),
    ],
    ids=["order", "id", "moment", "time", "bytes that hold a time"],
)
def test_what_differs_between_any_two_runs_is_the_same(one: Any, other: Any) -> None:
    assert command.same(one) == command.same(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 1.5}),
        ({"a": 1}, {"a": "1"}),
        ({"a": None}, {}),
        ({"list": [1, 2]}, {"list": [2, 1]}),
        ({"error": {"code": -32602}}, {"error": {"code": -32603}}),
        ({"blob": "QUE="}, {"blob": "QkI="}),
    ],
    ids=["number", "type", "absent", "order of a list", "code", "bytes"],
)
def test_nothing_else_is(one: Any, other: Any) -> None:
    assert command.same(one) != command.same(other)


def taken(**changed: Any) -> Any:
    outcome = {"result": {"content": [], "isError": False}}
    return {"found": [outcome, changed.get("second", outcome)], "heard": changed.get("heard", {"heard x": 1})}


UNKNOWN = {"result": {"isError": True, "_meta": {"keyid-gateway/decision": {"rule": "(unknown tool)"}}}}


@pytest.mark.parametrize(
    ("through", "differing", "words"),
    [
        (taken(), 0, ""),
        (taken(second={"error": {"code": 1}}), 1, "DIFFERS: second"),
        (taken(second=UNKNOWN), 0, "by design: second"),
        (taken(heard={}), 1, "DIFFERS: (what was heard)"),
        (taken(heard={"heard x": 1, "progress 3 of 3": 1}), 0, ""),
        (taken(heard={"heard x": 1, "progress 2 of 3": 1}), 1, "progress 2 of 3"),
    ],
    ids=["same", "another outcome", "refused by design", "unheard", "the last progress", "another progress"],
)
def test_what_differs_is_counted_and_shown(
    capsys: pytest.CaptureFixture[str], through: Any, differing: int, words: str
) -> None:
    assert command._report("title", ["first", "second"], taken(), through) == differing
    assert words in capsys.readouterr().out
