"""What the upstream announced: whole lists replace, pages add, and an old list never passes for a new one."""

import json

import pytest

from gateway.catalogue import Catalogue, digest
from gateway.jsonrpc import Json
from gateway.policy import Facts


def page(*names: str, following: str | None = None) -> dict[str, Json]:
    tools: list[Json] = [{"name": name} for name in names]
    return {"tools": tools, **({} if following is None else {"nextCursor": following})}


def test_nothing_is_known_at_first() -> None:
    catalogue = Catalogue()
    assert ("one" in catalogue, len(catalogue), catalogue.names()) == (False, 0, ())
    assert (catalogue.complete, catalogue.stale) == (False, False)
    assert (catalogue.definition("one"), catalogue.input_schema("one"), catalogue.required_arguments("one")) == (
        None,
        None,
        (),
    )


def test_a_whole_list_replaces_the_one_before() -> None:
    catalogue = Catalogue()
    catalogue.page(None, page("one", "two"))
    catalogue.page(None, page("two", "three"))
    assert (catalogue.names(), catalogue.complete) == (("two", "three"), True)


def test_a_walk_through_all_pages_is_a_whole_list() -> None:
    catalogue = Catalogue()
    catalogue.page(None, page("gone"))
    catalogue.page(None, page("one", following="a"))
    catalogue.page("a", page("two", following=""))
    assert catalogue.names() == ("gone", "one", "two")
    catalogue.page("", page("three"))
    assert (catalogue.names(), catalogue.complete) == (("one", "two", "three"), True)


def test_a_walk_that_was_not_seen_from_its_start_only_adds() -> None:
    catalogue = Catalogue()
    catalogue.page("somewhere", page("late"))
    assert (catalogue.names(), catalogue.complete) == (("late",), False)
    catalogue.page(None, page("one"))
    catalogue.page("somewhere", page("late"))
    assert catalogue.names() == ("one", "late")


def test_two_walks_at_once_do_not_mix() -> None:
    catalogue = Catalogue()
    catalogue.page(None, page("a1", following="a"))
    catalogue.page(None, page("b1", following="b"))
    catalogue.page("b", page("b2"))
    assert catalogue.names() == ("b1", "b2")
    catalogue.page("a", page("a2"))
    assert catalogue.names() == ("a1", "a2")


def test_walks_that_are_never_finished_are_forgotten() -> None:
    catalogue = Catalogue()
    for number in range(1000):
        catalogue.page(None, page("one", following=f"cursor {number}"))
    assert len(catalogue._walks) <= 16
    catalogue.page("cursor 999", page("two"))
    assert catalogue.complete


# --- changes ----------------------------------------------------------------------------------------------------------


def test_a_list_that_was_asked_for_after_the_change_ends_being_stale() -> None:
    catalogue = Catalogue()
    catalogue.page(None, page("one"))
    catalogue.changed()
    assert catalogue.stale
    catalogue.page(None, page("two"), as_of=catalogue.changes)
    assert (catalogue.stale, catalogue.names()) == (False, ("two",))


def test_a_list_that_was_asked_for_before_the_change_does_not() -> None:
    catalogue = Catalogue()
    asked = catalogue.changes
    catalogue.changed()
    catalogue.page(None, page("old"), as_of=asked)
    assert (catalogue.stale, catalogue.names()) == (True, ("old",))


def test_a_change_in_the_middle_of_a_walk_leaves_it_stale() -> None:
    catalogue = Catalogue()
    catalogue.page(None, page("one", following="a"), as_of=catalogue.changes)
    catalogue.changed()
    catalogue.page("a", page("two"), as_of=catalogue.changes)
    assert catalogue.stale


def test_an_older_list_that_comes_late_does_not_replace_a_newer_one() -> None:
    catalogue = Catalogue()
    before = catalogue.changes
    catalogue.changed()
    catalogue.page(None, page("new"), as_of=catalogue.changes)
    catalogue.page(None, page("old"), as_of=before)
    assert (catalogue.stale, "new" in catalogue) == (False, True)


def test_the_end_of_a_list_of_which_more_follows_does_not_end_being_stale() -> None:
    catalogue = Catalogue()
    catalogue.page(None, page("one"))
    catalogue.changed()
    catalogue.page(None, page("two", following="a"))
    assert catalogue.stale


# --- definitions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tools", [None, "tools", {}, [None, 7, "x", {}, {"name": 7}, {"name": None}, {"title": "t"}]], ids=repr
)
def test_what_is_no_list_of_tools_names_none(tools: Json) -> None:
    catalogue = Catalogue()
    catalogue.page(None, {"tools": tools})
    assert (catalogue.names(), catalogue.complete) == ((), True)


def test_of_two_tools_with_one_name_the_last_counts() -> None:
    catalogue = Catalogue()
    catalogue.page(None, {"tools": [{"name": "one", "title": "first"}, {"name": "one", "title": "second"}]})
    assert catalogue.definition("one") == {"name": "one", "title": "second"}


@pytest.mark.parametrize(
    ("schema", "required"),
    [
        ({"required": ["a", "b"]}, ("a", "b")),
        ({"required": ["a", 7, None]}, ("a",)),
        ({"required": "a"}, ()),
        ({}, ()),
        (True, ()),
        (None, ()),
    ],
)
def test_the_arguments_that_a_schema_requires_are_read(schema: Json, required: tuple[str, ...]) -> None:
    catalogue = Catalogue()
    catalogue.page(None, {"tools": [{"name": "one", "inputSchema": schema}]})
    assert catalogue.required_arguments("one") == required
    assert catalogue.input_schema("one") == (schema if isinstance(schema, dict) else None)


def test_facts_are_made_once_for_each_definition() -> None:
    catalogue = Catalogue()
    definition: Json = {"name": "a", "inputSchema": {"required": ["x"]}, "annotations": {"readOnlyHint": True}}
    catalogue.page(None, {"tools": [definition]})
    facts = catalogue.facts("a")
    assert (facts.mirrored, facts.required_arguments, facts.annotations) == (True, ("x",), {"readOnlyHint": True})
    catalogue.page(None, {"tools": [json.loads(json.dumps(definition))]})
    assert catalogue.facts("a") is facts, "an equal definition is the same"
    catalogue.page(None, {"tools": [{"name": "a"}]})
    assert catalogue.facts("a").schema is not facts.schema
    catalogue.page(None, {"tools": []})
    assert catalogue.facts("a") == Facts(mirrored=False)


def test_a_definition_that_says_1_where_it_said_true_is_another() -> None:
    catalogue = Catalogue()
    for value in (True, 1):
        tool: dict[str, Json] = {"name": "t", "annotations": {"readOnlyHint": value}}
        catalogue.page(None, {"tools": [tool]})
        annotations = catalogue.facts("t").annotations
        assert annotations is not None
        assert annotations["readOnlyHint"] is value


def test_a_digest_stands_for_every_member_and_for_no_order_of_keys() -> None:
    one: dict[str, Json] = {"name": "a", "inputSchema": {"type": "object", "required": ["x"]}, "_meta": {"n": 1}}
    same: dict[str, Json] = {"_meta": {"n": 1}, "inputSchema": {"required": ["x"], "type": "object"}, "name": "a"}
    assert digest(one) == digest(same)
    others: list[dict[str, Json]] = [
        {**one, "title": "A"},
        {**one, "_meta": {"n": True}},
        {**one, "_meta": {"n": "1"}},
        {**one, "inputSchema": {"type": "object"}},
    ]
    assert len({digest(one), *map(digest, others)}) == 5
    assert digest("Be kind.") != digest("Be kind")
    assert digest("half \ud800 a pair") != digest("half \ud801 a pair")


def test_the_digest_of_a_tool_is_that_of_its_newest_definition() -> None:
    catalogue = Catalogue()
    catalogue.page(None, {"tools": [{"name": "a", "title": "A"}]})
    first = catalogue.digest("a")
    assert first == catalogue.digest("a") == digest({"name": "a", "title": "A"})
    catalogue.page(None, {"tools": [{"name": "a", "title": "B"}]})
    assert catalogue.digest("a") == digest({"title": "B", "name": "a"})
    catalogue.page(None, {"tools": []})
    assert catalogue.digest("a") is None
