"""The schema says what the loader says, as far as a schema can: held against it with documents that were broken."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it has no types of its own

from gateway.authoring.reference import KEYS, MODELS
from gateway.authoring.schema import schema
from gateway.keyid import known_tools, recommended
from gateway.policy import PolicyError, load
from gateway.policy import document as shapes
from tests import samples

VALIDATOR = Draft202012Validator(schema())
NARROWED = Draft202012Validator(schema({name: tool.input_schema for name, tool in known_tools().items()}))  # type: ignore[misc] # JSON

EVERYTHING: dict[str, Any] = {
    "$schema": "x",
    "version": "1",
    "description": "",
    "default": "deny",
    "mode": "observe",
    "hide": ["a*"],
    "timezone": "Europe/Berlin",
    "methods": {"default": "deny", "allow": ["x/*"], "deny": []},
    "resources": {"default": "deny", "allow": ["keyid://inbox/*"]},
    "prompts": {"default": "allow"},
    "all_tools": {
        "limits": [{"counter": "c", "window": "minute", "max": 1, "scope": "server"}],
        "repeat": {"max": 30, "window": 60},
    },
    "tools": {
        "get_*": {},
        "send_email": {
            "action": "allow",
            "reason": "r",
            "mode": "enforce",
            "validate": {"required_args": True, "schema": True},
            "rate_limit": "30/hour",
            "require": [
                {
                    "conditions": [
                        {"path": "args.to", "op": "regex", "value": "x"},
                        {"path": 'args.list[*]["odd.name"].y[0]', "op": "in", "value": [1]},
                        {"path": "session.calls.get_secret", "op": "lt", "value": 1},
                        {"path": "tool.annotations.readOnlyHint", "op": "eq", "value": True},
                    ],
                    "on_deny": "d",
                }
            ],
            "deny_if": [{"conditions": [{"path": "time.hour", "op": "gte", "value": 18}]}, {"conditions": []}],
            "limits": [
                {
                    "counter": "c",
                    "window": 60,
                    "max": 1.5,
                    "scope": "grant",
                    "strategy": "sliding",
                    "increment_from": "args.a.b[0]",
                    "per": "args.to",
                    "on_deny": "d",
                },
                {"counter": "d", "window": "session", "max": 1, "scope": "session"},
            ],
            "rules": [
                {
                    "name": "n",
                    "action": "deny",
                    "reason": "r",
                    "rate_limit": {"max": 1, "window": 60},
                    "validate": {},
                    "conditions": [{"path": "grant", "op": "exists", "value": True}],
                    "on_deny": "d",
                }
            ],
        },
    },
}


def loads(document: object) -> bool:
    try:
        load(json.dumps(document).encode(), name="p")
    except PolicyError:
        return False
    return True


def places(value: Any, steps: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield steps
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*steps, key))


def changed(steps: tuple[Any, ...], value: object) -> Any:
    """Everything, with something else at one place."""
    document = copy.deepcopy(EVERYTHING)
    if not steps:
        return value
    inner = document
    for step in steps[:-1]:
        inner = inner[step]
    inner[steps[-1]] = value
    return document


OTHERS: tuple[Any, ...] = (None, True, 0, -1, 1.5, "", "x", "*", [], [None], {}, {"x": 1})


def test_the_schema_is_one_and_what_uses_everything_satisfies_it() -> None:
    few = ("create_or_update_persona", "follow_verification_link", "get_identity", "send_email")
    # of each tool the same is made
    narrowed = schema({name: known_tools()[name].input_schema for name in few})  # type: ignore[misc] # JSON
    for made in (VALIDATOR.schema, narrowed):
        Draft202012Validator.check_schema(made)
    assert loads(EVERYTHING)
    assert list(VALIDATOR.iter_errors(EVERYTHING)) == []


@pytest.mark.parametrize("steps", list(places(EVERYTHING)), ids=lambda steps: "/".join(map(str, steps)) or "whole")
def test_whatever_stands_elsewhere_is_refused_by_both_or_by_neither(steps: tuple[Any, ...]) -> None:
    for other in OTHERS:
        document = changed(steps, other)
        accepted = loads(document)
        if not accepted and (steps == ("timezone",) or (steps[-1:] == ("value",) and other == "*")):
            continue  # a time zone that is none, a pattern that does not compile: only the loader knows
        assert VALIDATOR.is_valid(document) is accepted, (steps, other)


@pytest.mark.parametrize("steps", [steps for steps in places(EVERYTHING) if steps], ids=str)
def test_whatever_is_left_out_is_missed_by_both_or_by_neither(steps: tuple[Any, ...]) -> None:
    document = copy.deepcopy(EVERYTHING)
    inner = document
    for step in steps[:-1]:
        inner = inner[step]
    del inner[steps[-1]]
    assert VALIDATOR.is_valid(document) is loads(document)


def objects() -> list[tuple[Any, ...]]:
    return [steps for steps in places(EVERYTHING) if isinstance(_at(steps), dict) and steps != ("tools",)]


def _at(steps: tuple[Any, ...]) -> Any:
    value: Any = EVERYTHING
    for step in steps:
        value = value[step]
    return value


@pytest.mark.parametrize("steps", objects(), ids=str)
def test_an_unknown_key_is_refused_by_both(steps: tuple[Any, ...]) -> None:
    document = changed(steps, {**_at(steps), "surprise": 1})
    assert not loads(document)
    assert not VALIDATOR.is_valid(document)


@given(st.text(st.sampled_from('args.b[]0*"\\ x_-gtimhour')))
def test_a_path_is_one_for_both_or_for_neither(path: str) -> None:
    condition = {"path": path, "op": "exists", "value": True}
    document = {"version": "1", "default": "deny", "tools": {"t": {"deny_if": [{"conditions": [condition]}]}}}
    if loads(document):
        assert VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    "path",
    ["args", "args.", "arg.x", "args[0]", "args.x[", "args.x[01]", "time.minute", "session.calls", "tool", "x y"],
)
def test_what_is_no_path_is_marked(path: str) -> None:
    document = changed(("tools", "send_email", "deny_if", 0, "conditions", 0, "path"), path)
    assert not loads(document)
    assert not VALIDATOR.is_valid(document)


def test_every_key_has_its_sentence_and_no_sentence_is_left_over() -> None:
    models = {name: model for name, model in vars(shapes).items() if isinstance(model, type)}
    known = {
        name: set(shapes.keys(model))
        for name, model in models.items()
        if issubclass(model, shapes.Strict) and model is not shapes.Strict
    }
    assert {name: set(keys) for name, keys in KEYS.items()} == known
    assert set(MODELS) == set(known)


# --- narrowed ---------------------------------------------------------------------------------------------------------


def of_mail(path: str) -> dict[str, Any]:
    predicate = {"conditions": [{"path": path, "op": "exists", "value": True}]}
    return {"version": "1", "default": "deny", "tools": {"send_email": {"deny_if": [predicate]}}}


@pytest.mark.parametrize("path", ["args.to", "args.cc", "args.cc[*]", "args.cc[5]", "time.hour", "client.name"])
def test_a_narrowed_schema_knows_the_paths_of_a_tool(path: str) -> None:
    assert NARROWED.is_valid(of_mail(path))


@pytest.mark.parametrize("path", ["args.too", "args.to.x", "args.cc[x]", "args.key"])
def test_a_narrowed_schema_marks_a_path_that_the_tool_does_not_have(path: str) -> None:
    assert not NARROWED.is_valid(of_mail(path))


def test_a_narrowed_schema_leaves_open_what_the_tool_leaves_open() -> None:
    predicate = {"conditions": [{"path": "args.metadata.any.thing[0]", "op": "exists", "value": True}]}
    document = {"version": "1", "default": "deny", "tools": {"save_registration": {"deny_if": [predicate]}}}
    assert NARROWED.is_valid(document)


def test_a_narrowed_schema_marks_names_of_tools_that_there_are_not() -> None:
    assert not NARROWED.is_valid({"version": "1", "default": "deny", "tools": {"send_mail": {}}})
    assert not NARROWED.is_valid({"version": "1", "default": "deny", "hide": ["send_mail"]})
    assert NARROWED.is_valid(
        {"version": "1", "default": "deny", "tools": {"send_*": {}}, "hide": ["delete_*", "get_file"]}
    )


@pytest.mark.parametrize("name", ["published", "recommended"])
def test_the_samples_for_keyid_satisfy_the_narrowed_schema(name: str) -> None:
    document = json.loads((samples.FOLDER / name / "policy.json").read_text("utf-8"))
    assert list(NARROWED.iter_errors(document)) == []


def test_the_built_in_pack_satisfies_the_schema() -> None:
    assert list(NARROWED.iter_errors(recommended.document())) == []
