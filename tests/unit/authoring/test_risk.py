"""The risk of an announced tool: name and schema decide, the server's own text only makes it graver."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.authoring.risk import CATEGORIES, Risk, assess, words
from gateway.authoring.verbs import VERBS
from gateway.keyid import known_tools


def risk(name: str, **more: Any) -> Risk:
    return assess({"name": name, **more})


def takes(*names: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {} for name in names}}


@pytest.mark.parametrize(
    ("name", "category", "why"),
    [
        ("get_weather", "Read", "its name says `get`"),
        ("getWeather", "Read", "its name says `get`"),
        ("notes.search", "Read", "its name says `search`"),
        ("get_reply", "Read", "its name says `get`"),
        ("get_and_post", "Write", "its name says `post`"),
        ("create-issue", "Write", "its name says `create`"),
        ("create_or_delete", "Destructive", "its name says `delete`"),
        ("run_report", "Execute", "its name says `run`"),
        ("get_or_run", "Execute", "its name says `run`"),
        ("list_deleted", "Read", "its name says `list`"),
        ("get_delete_log", "Destructive", "its name says `delete`"),
        ("purgeCache", "Destructive", "its name says `purge`"),
        ("frobnicate", "Execute", "its name does not say what it does"),
        ("", "Execute", "its name does not say what it does"),
        ("删除", "Execute", "its name does not say what it does"),
    ],
)
def test_the_words_of_a_name(name: str, category: str, why: str) -> None:
    found = risk(name)
    assert (found.category, found.why, found.known) == (category, why, False)


@pytest.mark.parametrize(
    ("schema", "category", "why"),
    [
        (takes("query"), "Read", "its name says `get`"),
        (takes("to"), "Write", "it takes `to`: somebody receives something"),
        (takes("valid_to"), "Read", "its name says `get`"),
        (takes("body"), "Write", "it takes `body`"),
        (takes("shellCommand"), "Execute", "it takes `shellCommand`"),
        (takes("webhook_url"), "Execute", "it takes `webhook_url`"),
        (takes("purge"), "Destructive", "it takes `purge`"),
        (
            {"type": "object", "properties": {"method": {"enum": ["GET", "DELETE"]}}},
            "Destructive",
            "`method` may be `DELETE`",
        ),
        (takes(*(f"a{number}" for number in range(201))), "Execute", "it takes more than 200 arguments"),
        (None, "Read", "its name says `get`"),
        ({"properties": []}, "Read", "its name says `get`"),
    ],
)
def test_the_arguments(schema: object, category: str, why: str) -> None:
    found = risk("get_thing", inputSchema=schema)
    assert (found.category, found.why) == (category, why)


@pytest.mark.parametrize(
    ("annotations", "category"),
    [
        ({"readOnlyHint": True}, "Execute"),
        ({"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False}, "Execute"),
        ({"readOnlyHint": False}, "Execute"),
        ({"destructiveHint": True}, "Destructive"),
        ({"destructiveHint": "true"}, "Execute"),
        ([], "Execute"),
        (None, "Execute"),
    ],
)
def test_annotations_speak_only_against_the_tool(annotations: object, category: str) -> None:
    assert risk("run_report", annotations=annotations).category == category


def test_a_tool_that_is_not_read_only_writes() -> None:
    found = risk("get_thing", annotations={"readOnlyHint": False})
    assert (found.category, found.why) == ("Write", "it says itself that it is not read-only")


@pytest.mark.parametrize(
    ("description", "category", "why"),
    [
        ("Shows a thing", "Read", "its name says `get`"),
        ("Deletes the thing after showing it", "Destructive", "a sentence of its description begins with `delete`"),
        ("Shows a thing. Sends it to Kim.", "Write", "a sentence of its description begins with `send`"),
        ("Shows a thing.\n- executing it", "Execute", "a sentence of its description begins with `execute`"),
        ("What is shown cannot be undone", "Destructive", "its description says `cannot be undone`"),
        ("Lists what was deleted", "Read", "its name says `get`"),
        (7, "Read", "its name says `get`"),
    ],
)
def test_a_description_speaks_only_against_the_tool(description: object, category: str, why: str) -> None:
    found = risk("get_thing", description=description)
    assert (found.category, found.why) == (category, why)
    assert risk("delete_thing", description="Only reads. Harmless.").category == "Destructive"


@pytest.mark.parametrize(
    ("name", "sensitive"),
    [
        ("get_secret", True),
        ("list_api_keys", True),
        ("getAccessToken", True),
        ("get_verification_codes", True),
        ("get_zip_code", False),
        ("get_monkey", False),
    ],
)
def test_what_opens_doors_is_marked(name: str, sensitive: bool) -> None:
    assert risk(name).sensitive is sensitive


def test_a_known_tool_has_its_published_category_and_may_be_graver_than_it() -> None:
    for tool in known_tools().values():
        found = risk(tool.name, description="Deletes everything, permanently.", inputSchema=takes("purge"))
        assert (found.category, found.known) == (tool.category, True)
    assert risk("get_file", annotations={"destructiveHint": True}).category == "Destructive"


def test_no_verb_stands_twice() -> None:
    every = [verb for verbs in VERBS.values() for verb in verbs]
    assert len(every) == len(set(every))


TEXTS = st.text(max_size=40) | st.sampled_from([f"{verb} things" for verbs in VERBS.values() for verb in sorted(verbs)])
NAMES = st.text(max_size=12) | st.sampled_from(
    [f"{verb}_it" for verbs in VERBS.values() for verb in sorted(verbs)] + list(known_tools())
)
HINTS = st.dictionaries(
    st.sampled_from(["readOnlyHint", "destructiveHint", "openWorldHint", "idempotentHint", "title"]),
    st.booleans() | st.none() | st.text(max_size=3),
)


@settings(deadline=None)
@given(NAMES, TEXTS, HINTS, st.lists(TEXTS, max_size=4))
def test_text_of_the_server_never_loosens(name: str, text: str, hints: dict[str, Any], arguments: list[str]) -> None:
    bare = risk(name)
    for more in ({"description": text}, {"annotations": hints}, {"inputSchema": takes(*arguments)}):
        assert CATEGORIES.index(risk(name, **more).category) >= CATEGORIES.index(bare.category), json.dumps(more)
    everything = risk(name, description=text, annotations=hints, inputSchema=takes(*arguments), title=text)
    assert CATEGORIES.index(everything.category) >= CATEGORIES.index(bare.category)
    assert everything.sensitive == bare.sensitive


def test_words() -> None:
    assert words("getHTTPStatus-of.2things") == ("get", "http", "status", "of", "2", "things")
