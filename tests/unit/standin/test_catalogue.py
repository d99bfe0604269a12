"""What is announced."""

from collections import Counter

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # the package ships no types

from gateway.keyid import known_tools
from gateway.standin.catalogue import Catalogue, load
from gateway.standin.tools import TOOLS


def test_sixty_four_tools_are_announced_with_what_is_known_of_them() -> None:
    announced = {tool.name: tool for tool in Catalogue().tools()}
    assert len(announced) == 64
    for name, known in known_tools().items():
        tool = announced.pop(name)
        assert tool.input_schema == known.input_schema
        assert tool.annotations is not None
        assert tool.annotations.model_dump(by_alias=True, exclude_none=True) == known.annotations
    assert Counter(name.rpartition("_")[0] for name in announced) == {
        "standin_read": 4,
        "standin_write": 4,
        "standin_destructive": 2,
    }


def test_every_tool_that_can_be_announced_does_something() -> None:
    assert load().keys() == TOOLS.keys()


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_schemas_are_json_schema_and_words_are_given(name: str) -> None:
    tool = load()[name]
    assert tool.title
    assert tool.description
    assert tool.output_schema is not None
    Draft202012Validator.check_schema(tool.input_schema)
    Draft202012Validator.check_schema(tool.output_schema)


def test_the_extra_tool_comes_and_goes() -> None:
    catalogue = Catalogue()
    catalogue.show_extra(present=True)
    assert "standin_extra" in catalogue
    assert len(catalogue.tools()) == 65
    for _ in range(2):
        catalogue.show_extra(present=False)
    assert "standin_extra" not in catalogue
    assert catalogue.input_schema("standin_extra") is None


def test_the_rug_is_pulled_from_under_get_metrics_alone() -> None:
    catalogue, before = Catalogue(), load()
    assert catalogue.mistake("get_metrics", {"note": "x"}) is not None
    catalogue.pull_rug()
    changed = {tool.name: tool for tool in catalogue.tools() if tool != before[tool.name]}
    assert list(changed) == ["get_metrics"]
    assert "note" in changed["get_metrics"].input_schema["properties"]
    assert catalogue.mistake("get_metrics", {"note": "x"}) is None


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        ({"key": "k"}, None),
        ({}, "$: 'key' is a required property"),
        ({"key": 1}, "$.key: 1 is not of type 'string'"),
        ({"key": "k", "x": 1}, "$: Additional properties are not allowed ('x' was unexpected)"),
    ],
)
def test_arguments_are_checked_by_the_input_schema(arguments: dict[str, object], mistake: str | None) -> None:
    assert Catalogue().mistake("get_secret", arguments) == mistake
