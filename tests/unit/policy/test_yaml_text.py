"""YAML is another way to write the same value; every surprise of it is refused in words."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jsonrpc import serialise
from gateway.policy import PolicyError, load
from gateway.policy.problem import Problem
from gateway.policy.source import Source, is_yaml, places, read
from gateway.policy.yaml_text import parse

POLICY = """\
# who may do what
version: "1"
default: deny
hide: ["delete_*x"]   # a star in quotes
tools:
  get_identity: {}
  send_email:
    require:
      - conditions:
          - {path: args.to, op: regex, value: '^\\S+@example\\.com$'}
        on_deny: Only colleagues.
    limits:
      - &hourly {counter: mail, window: hour, max: 5, scope: grant}
"""


def value(text: str) -> Any:
    source = read(text.encode(), "p.yaml")
    assert isinstance(source, Source), source
    assert source.problems == ()
    return source.value


def complaints(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        load(text.encode("utf-8", "surrogatepass"), name="p.yaml")
    return str(caught.value)


def test_a_document_means_what_the_same_document_in_json_means() -> None:
    text = POLICY.replace("delete_*x", "delete_x")
    written = load(text.encode(), name="p.yaml")
    same = load(json.dumps(value(text)).encode(), name="p.json")
    assert written.revision == same.revision
    assert (list(written.entries), written.hide, written.text) == (list(same.entries), same.hide, text)


@pytest.mark.parametrize(("name", "yes"), [("p.yaml", True), ("P.YML", True), ("p.json", False), ("yaml", False)])
def test_the_name_says_how_a_document_is_written(name: str, yes: bool) -> None:
    assert is_yaml(name) is yes


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("y", "y"),
        ("2026-01-05", "2026-01-05"),
        ("12:30:00", "12:30:00"),
        ("1_000", "1_000"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("12", 12),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("0.10", Decimal("0.10")),
        ("1e3", Decimal(1000)),
        ("'12'", "12"),
        ('"true"', "true"),
    ],
)
def test_a_word_is_what_the_core_schema_says(written: str, meant: object) -> None:
    found = value(f"a: {written}\n")
    assert found == {"a": meant}
    assert type(found["a"]) is type(meant) or isinstance(meant, Decimal)


def test_a_number_keeps_its_text() -> None:
    assert serialise(value("a: 0.10")) == b'{"a":0.10}'


def test_an_alias_is_a_copy() -> None:
    assert value("a: &x [1, {b: 2}]\nc: *x\nd: &t text\ne: *t\n") == {
        "a": [1, {"b": 2}],
        "c": [1, {"b": 2}],
        "d": "text",
        "e": "text",
    }


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "report"),
    [
        (bomb(12), "p.yaml:5:{column}: aliases stand for more than 10000 values\n    hint: write out"),
        ("a: &a [*a]", "p.yaml:1:8: `*a` stands inside what it stands for\n    hint: write out what is meant"),
        (
            "a: *b",
            (
                "p.yaml:1:4: nothing is marked `&b` before `*b`\n    "
                "hint: a word that begins with `*` is an alias in YAML: put it in quotes"
            ),
        ),
        (
            "hide: [*]",
            (
                "p.yaml:1:8: not valid YAML: an alias or anchor without a name\n    "
                "hint: a word that begins with `*` is an alias in YAML: put it in quotes"
            ),
        ),
        (
            "a: &a 1\nb: &a 2",
            "p.yaml:2:4: the anchor `&a` stands twice\n    hint: give every anchor its own name",
        ),
        (
            "a: 1\n---\nb: 2\n",
            (
                "p.yaml:2:1: a second document begins here\n    "
                "hint: a policy is one document: take out what follows `---`"
            ),
        ),
        ("%YAML 1.1\n---\na: 1", "p.yaml:1:1: the document is not YAML 1.2\n    hint: take the `%YAML` line out"),
        (
            "%TAG ! tag:example.com,2000:\n---\na: 1",
            "p.yaml:1:1: YAML tags are not known here\n    hint: take the `%TAG` line out",
        ),
        (
            "tools:\n\tx: {}",
            "p.yaml:2:1: not valid YAML: a tab where the indentation is\n    hint: indent with spaces",
        ),
        (
            "a: b: c",
            (
                "p.yaml:1:5: not valid YAML: a second `:` in one line\n    "
                "hint: check the indentation; a text with `: ` in it stands in quotes"
            ),
        ),
        (
            "a: 'x\nb: 2",
            "p.yaml:1:4: not valid YAML: what begins here has no end\n    hint: close the quotes or the bracket",
        ),
        (
            "a: {path: args.cc[0], op: exists}",
            (
                "p.yaml:1:18: not valid YAML: `[` in the middle of a text\n    "
                'hint: inside brackets a text with `[` in it stands in quotes: `"args.list[0]"`'
            ),
        ),
        ("a: @x", "p.yaml:1:4: not valid YAML: no word begins with `@`\n    hint: put the text in quotes"),
        ("a: \x07", "p.yaml:1:4: not valid YAML: U+0007 cannot stand in a text\n    hint: take it out"),
        (
            "? [a]\n: b",
            "p.yaml:1:3: a list or an object cannot be a key\n    hint: keys are words; put `{`, `[` and `?` in quotes",
        ),
        (
            "a: &x 1\n*x : 2",
            (
                "p.yaml:2:1: an alias cannot be a key\n    "
                "hint: write the name out; a word that begins with `*` is an alias in YAML: put it in quotes"
            ),
        ),
        ("[" * 200, "p.yaml:1:129: nested deeper than 128 levels\n    hint: no policy needs that"),
        (
            "- a\nb: 2",
            (
                "p.yaml:2:1: not valid YAML: expected block end, but found `?`\n    "
                "hint: check the indentation, brackets and quotes before it"
            ),
        ),
    ],
)
def test_a_text_that_cannot_be_read_is_one_problem(text: str, report: str) -> None:
    found = complaints(text)
    if "{column}" in report:
        before, after = report.split("{column}")
        assert found.startswith(before)
        assert after in found
    else:
        assert found == report


def test_aliases_do_not_reach_deeper_than_a_text_may() -> None:
    nested = "[" * 60 + "]" * 60
    text = f"a: &a {nested}\nb: &b {'[' * 60}*a{']' * 60}\nc: {'[' * 20}*b{']' * 20}"
    assert "p.yaml:3:24: nested deeper than 128 levels" in complaints(text)


def test_every_mistake_of_a_text_is_reported_with_those_of_its_shape() -> None:
    text = 'version: "1"\ndefault: deny\ndefault: allow\ntools:\n  <<: {}\n  true: {}\n  x: !!map {}\n'
    text += "  y: {rate_limit: {max: 0x10, window: 1e999}}\n  z: {require: {}}\n"
    assert complaints(text).splitlines() == [
        "p.yaml:3:1: /default: the key `default` stands twice",
        "    hint: write it once: which of the two is meant, nobody can tell",
        "p.yaml:5:3: /tools/<<: `<<` merges nothing here",
        "    hint: write out what is meant",
        "p.yaml:6:3: /tools/true: the key `true` is not a text",
        "    hint: put it in quotes",
        "p.yaml:7:6: /tools/x: the tag `!!map` is not known here",
        "    hint: take it out: a value is what it looks like; a text stands in quotes",
        "p.yaml:8:25: /tools/y/rate_limit/max: `0x10` is not written as JSON writes a number",
        "    hint: write plain digits, or put quotes round it if it is a text",
        "p.yaml:8:39: /tools/y/rate_limit/window: the number is beyond the range of a double",
        "    hint: an upstream could not read it",
        "p.yaml:9:16: /tools/z/require: must be a list, not an object",
        "    hint: write `[ … ]`",
    ]


def test_half_a_character_is_reported_in_place() -> None:
    assert complaints('version: "1"\ndefault: deny\ndescription: "\\ud800"') == (
        "p.yaml:3:14: /description: half a surrogate pair: the text is not valid Unicode\n"
        "    hint: write the character itself"
    )


def test_a_pointer_has_a_line_and_a_column() -> None:
    where = places(POLICY, "p.yaml")
    assert where.value("/tools/send_email/require/0/conditions/0/op") == (10, 33)
    assert where.key("/tools/send_email/require/0/on_deny") == (11, 9)
    assert where.value("/tools/send_email/limits/0") == (13, 9)


def test_a_large_document_is_written_as_json() -> None:
    found = parse(f"description: {'x' * 1024 * 1024}")
    assert found == Problem("", 1, 1, "the YAML document is larger than 1 MiB", "write a large policy as JSON")


@pytest.mark.parametrize(
    "text", ["[" * 900_000, "{a: " * 200_000, "'" + "a" * 900_000, "&a " * 300_000, "- " * 400_000, "? " * 400_000]
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    assert isinstance(parse(text), Problem)
    assert time.process_time() - began < 20  # a minute and more where the cost is a square


_KEYS = st.text(max_size=80)
"""A key of YAML has up to 1024 characters as it is written (YAML 1.2, 7.4.2), an escaped pair of surrogates twelve."""
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner),
    max_leaves=20,
)


@given(_JSON)
def test_any_json_text_is_yaml_for_the_same_value(found: object) -> None:
    text = json.dumps({"a": found})
    source = read(text.encode(), "p.yaml")
    assert isinstance(source, Source)
    assert (source.value, source.problems) == ({"a": found}, ())


@given(st.text(st.sampled_from("ab:-?[]{}&*!|>'\"#%@`, \n\t\\<.0")))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert isinstance(read(text.encode(), "p.yaml"), Source | Problem)


@pytest.mark.parametrize("char", ["\u0085", "\u2028", "\u2029"])
def test_what_may_or_may_not_begin_a_line_is_escaped_or_refused(char: str) -> None:
    document = json.dumps({"a": f"x{char}y"})
    assert value(document) == json.loads(document)
    problem = read(json.dumps({"a": f"x{char}y"}, ensure_ascii=False).encode(), "p.yaml")
    assert problem == Problem(
        "",
        1,
        9,
        f"U+{ord(char):04X} may or may not begin a new line",
        f"write it in double quotes as `\\u{ord(char):04X}`",
    )
