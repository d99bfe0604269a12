"""What a person reads: nothing raw that deceives, and nothing hidden that is not counted."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.approvals import Covering, Question
from gateway.approvals.wording import full, message, notice, whole

Json = Any
HOSTILE = st.sampled_from(
    ["\x1b[2J", "\u202e", "\u2066", "\u200b", "\U000e0061", "\ufe0f", "\r", "\n", "\x07", "\u2028", "\x85", "\\n", '"']
)
TEXT = st.text(max_size=60) | st.lists(HOSTILE | st.text(max_size=5), max_size=20).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
ARGUMENTS = st.dictionaries(TEXT, VALUES, max_size=6)
FORMS = (whole, full, message, notice)
LONG = "".join(chr(ord("a") + place % 26) for place in range(100_000))


def asked(arguments: Mapping[str, Json] | None = None, **parts: Json) -> Question:
    said: dict[str, Json] = {
        "id": "k7f2",
        "tool": "send_email",
        "rule": "/tools/send_email/approve_if/0",
        "reason": "Sends HTML.",
        "grant": "ada",
        "server": "https://mail.example/mcp",
        "client_name": "some-client",
        "client_version": "1.0",
        **parts,
    }
    return Question(arguments=arguments or {}, session="s", asked_at=0.0, expires_at=600.0, **said)


def raw(text: str) -> set[str]:
    """The characters of a text that would act or hide."""
    return {
        char
        for char in text.replace("\n", "")
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} or char in "\ufe0f\xa0"
    }


@given(ARGUMENTS, TEXT, TEXT)
def test_nothing_of_outside_comes_out_raw(arguments: Mapping[str, Json], tool: str, other: str) -> None:
    question = asked(
        arguments, tool=tool, client_name=other, client_version=other, reason=other, rule=other, grant=other
    )
    for form in FORMS:
        assert raw(form(question)) == set()


@given(TEXT | st.text(min_size=200, max_size=3000))
def test_what_is_left_out_is_counted(text: str) -> None:
    """Every character is shown, or is one of those that the text says are left out."""
    for form in (full, message):
        said = form(asked({"body": text}))
        size, left = re.search(r"body  \((\d+) characters?", said), re.findall(r"… (\d+) characters? left", said)
        if size is None:
            assert left == []
            assert '  body  "' in said
        else:
            assert int(size[1]) == len(text)
            rows = re.findall(r"^ +[|:] (.*)$", said.partition("  body  (")[2], re.MULTILINE)
            shown = sum(
                len(re.findall(r"\\U[0-9a-f]{8}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\.|\[:\]|.", row)) for row in rows
            )
            breaks = len(re.findall(r"^ +\| ", said.partition("  body  (")[2], re.MULTILINE)) - 1
            assert shown + breaks + sum(map(int, left)) in {len(text), len(text) + 1}  # a break may be at the cut


@given(ARGUMENTS)
def test_the_whole_has_every_value(arguments: Mapping[str, Json]) -> None:
    assume("left out" not in str(arguments))
    assert "left out" not in whole(asked(arguments))


def test_the_forms() -> None:
    question = asked({"to": "ada@example.com", "body": "Hi,\nthere ", "n": [1, {"a.b": None}]})
    expected = [
        "tool    send_email",
        "server  https://mail.example/mcp",
        "client  some-client 1.0",
        "grant   ada",
        "reason  Sends HTML.",
        "rule    /tools/send_email/approve_if/0",
        "",
        "arguments: 4 values",
        '  to  "ada@example.com"',
        "  body  (10 characters in 2 lines)",
        "    | Hi,",
        r"    | there\x20",
        "  n[0]  1",
        '  n[1]["a.b"]  null',
    ]
    last = "the whole call: keyid-gateway approvals show k7f2"
    assert whole(question).split("\n") == expected
    assert full(question).split("\n") == [*expected, "", last]
    inside = [line and f"    {line}" for line in [*expected, "", last]]
    inside[1] = inside[1].replace("https://", "https[:]//")
    assert message(question).split("\n") == [
        "keyid-gateway (on this machine, not the server) asks: may this call be made?",
        "",
        *inside,
    ]
    said = "send_email: to (15 characters), body (10 characters), n (2 items)\nkeyid-gateway approvals approve k7f2"
    assert notice(question) == said
    assert notice(question, "/opt/it").endswith("\n/opt/it approvals approve k7f2")
    assert message(question, "/opt/it").endswith("the whole call: /opt/it approvals show k7f2")


def test_the_end_of_a_long_value_is_shown_and_the_rest_counted() -> None:
    said = full(asked({"body": LONG + "THE END"}))
    assert "body  (100007 characters)" in said
    assert "THE END" in said
    assert re.search(r"… 9\d{4} characters left out here …", said)
    assert LONG + "THE END" in re.sub(r"\n +[:|] ", "", whole(asked({"body": LONG + "THE END"})))


def test_lines_that_push_the_end_away_are_counted() -> None:
    said = full(asked({"body": "Hi" + "\n" * 5000 + "and delete everything"}))
    assert "body  (5023 characters in 5001 lines)" in said
    assert "and delete everything" in said


def test_many_values_are_counted() -> None:
    said = full(asked({"list": [str(number) for number in range(1000)]}))
    assert "arguments: 1000 values" in said
    assert "… 960 more values left out here, of arguments of 5900 bytes …" in said


def test_very_many_values_are_not_counted_to_the_end() -> None:
    said = full(asked({"list": [[0, 0]] * 50_000}))
    assert "arguments: at least 10000 values" in said
    assert "… at least 9960 more values left out here, of arguments of 300010 bytes …" in said


@pytest.mark.parametrize(
    "value",
    ['x"\n  bcc  "eve@evil.example', "x\n\narguments: none", "x\r\n  bcc  y", "x" * 90 + "\n  bcc  y", "\u2028  bcc"],
)
def test_no_value_goes_on_as_if_it_were_a_line_of_ours(value: str) -> None:
    lines = full(asked({"to": value})).split("\n")
    begun = [line for line in lines if line.startswith(("  bcc", "arguments:"))]
    assert begun == ["arguments: 1 value"]


def test_no_name_goes_on_as_if_it_were_a_line_of_ours() -> None:
    lines = full(asked({'to\n  bcc  "eve"': "x"}, tool="a\nserver  b")).split("\n")
    assert [line for line in lines if line.startswith(("  bcc", "server  b"))] == []


@given(st.lists(st.sampled_from(["http://e", "s:///", ":", "//", "a", "\n", " "]), max_size=8).map("".join))
def test_nothing_makes_a_link_of_what_others_chose_where_the_text_is_plain(text: str) -> None:
    """The names of arguments are no less theirs than the values."""
    question = asked({text: text, "in": {text: [text]}}, tool=text, client_name=text, reason=text, grant=text)
    for form in (message, notice):
        assert "://" not in form(question).replace(question.server, "")


def test_in_a_client_nothing_is_a_link_or_a_picture() -> None:
    said = message(asked({"a": "![x](https://evil.example/p.png) <img src=http://e>", "b": "\n# x\n```\nhttp://e"}))
    first, *rest = said.split("\n")
    assert "://" not in said
    assert first.startswith("keyid-gateway")
    assert all(line == "" or line.startswith("    ") for line in rest)


def test_letters_that_reverse_a_line_stand_alone() -> None:
    lines = full(asked({"a": "שלום", "b": "x"})).split("\n")
    assert lines[lines.index("  a  (4 characters)") + 1] == "    | שלום"


def test_what_an_approval_covers_is_said() -> None:
    said = full(asked(remember=(Covering(("args.to",), 3600), Covering((), 1))))
    assert "covers  later calls with the same args.to too, for 3600 seconds" in said
    assert "covers  later calls whatever its arguments too, for 1 second" in said


def test_a_notification_has_no_value() -> None:
    said = notice(asked({"secret": "hunter2", **{f"n{number}": True for number in range(20)}}))
    assert "hunter2" not in said
    assert "secret (7 characters)" in said
    assert "13 more arguments" in said
    assert notice(asked()).startswith("send_email: no arguments\n")
    assert len(notice(asked(tool="x" * 10_000))) < 300


@pytest.mark.parametrize("width", [1, 40, 200])
def test_it_fits_where_it_can(width: int) -> None:
    lines = full(asked({"body": "word " * 200, "wide": "漢" * 500}), width).split("\n")
    body = [line for line in lines if re.match(r" +[|:] ", line)]
    columns = [sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line) for line in body]
    assert max(columns) <= max(width, 26)
