"""One entry is put in or taken out, and every other character of the text stays where it was."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clients.editing import NotEditable, Text, drop, found, put
from gateway.clients.jsonc import Dialect, parse

JSON = Dialect()
LENIENT = Dialect(comments=True, trailing_commas=True)
PATH = ("mcpServers", "keyid")
ENTRY = {"command": "/bin/keyid-gateway", "args": ["run"]}


def putting(text: str, dialect: Dialect = LENIENT, entry: object = ENTRY) -> str:
    return put(parse(text, dialect), dialect, PATH, entry)  # type: ignore[arg-type] # any value a test thinks of


def dropping(text: str, dialect: Dialect = LENIENT) -> str:
    return drop(parse(text, dialect), dialect, PATH)


FRESH = """{
  "mcpServers": {
    "keyid": {
      "command": "/bin/keyid-gateway",
      "args": ["run"]
    }
  }
}"""


@pytest.mark.parametrize("text", ["", "\n", "  \r\n\t"])
def test_an_empty_file_becomes_one_with_the_entry(text: str) -> None:
    assert putting(text, JSON).replace("\r\n", "\n") == f"{FRESH}\n"


def test_the_smallest_files() -> None:
    assert putting("{}", JSON) == FRESH
    assert putting("{ }\n", JSON) == f"{FRESH}\n"
    assert putting('{"mcpServers":{}}', JSON) == (
        '{"mcpServers":{"keyid": {"command": "/bin/keyid-gateway", "args": ["run"]}}}'
    )
    assert putting('{"mcpServers": {\n}}', JSON) == (
        '{"mcpServers": {\n  "keyid": {\n    "command": "/bin/keyid-gateway",\n    "args": ["run"]\n  }\n}}'
    )


def test_it_looks_like_its_neighbours() -> None:
    text = '{\r\n\t"mcpServers": {\r\n\t\t"other": {"command": "x"} // mine\r\n\t\t// and the last word\r\n\t}\r\n}\r\n'
    assert putting(text) == (
        '{\r\n\t"mcpServers": {\r\n\t\t"other": {"command": "x"}, // mine\r\n\t\t// and the last word\r\n'
        '\t\t"keyid": {\r\n\t\t\t"command": "/bin/keyid-gateway",\r\n\t\t\t"args": ["run"]\r\n\t\t}\r\n\t}\r\n}\r\n'
    )
    one_line = '{"mcpServers": {"other": {"command": "x"}}, "z": 1}'
    assert putting(one_line) == (
        '{"mcpServers": {"other": {"command": "x"}, '
        '"keyid": {"command": "/bin/keyid-gateway", "args": ["run"]}}, "z": 1}'
    )


def test_a_comma_before_the_bracket_stays_the_habit_of_the_file() -> None:
    text = '{\n  "mcpServers": {\n    "other": {},\n  },\n}\n'
    new = putting(text, LENIENT, {"a": 1})
    assert new == '{\n  "mcpServers": {\n    "other": {},\n    "keyid": {\n      "a": 1\n    },\n  },\n}\n'
    assert dropping(new) == text


def test_an_entry_is_replaced_where_it_stands() -> None:
    text = '{\n  "mcpServers": {\n    "keyid": {"url": "x"}, // mine\n    "other": {}\n  }\n}\n'
    assert putting(text, LENIENT, {"a": 1}) == (
        '{\n  "mcpServers": {\n    "keyid": {\n      "a": 1\n    }, // mine\n    "other": {}\n  }\n}\n'
    )
    raw = '{ "url" : "x" /* as it was */ }'
    assert putting(text, LENIENT, Text(raw)) == text.replace('{"url": "x"}', raw)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"mcpServers": {"keyid": {}}}', '{"mcpServers": {}}'),
        ('{"mcpServers": {"keyid": {}, "b": 1}}', '{"mcpServers": {"b": 1}}'),
        ('{"mcpServers": {"a": 1, "keyid": {}}}', '{"mcpServers": {"a": 1}}'),
        ('{"mcpServers": {"a": 1, "keyid": {}, "b": 1}}', '{"mcpServers": {"a": 1, "b": 1}}'),
        ('{"mcpServers": {\n  "a": 1, // a\n  "keyid": {}\n}}', '{"mcpServers": {\n  "a": 1 // a\n}}'),
        ('{"mcpServers": {\n  "a": 1 // a\n  , "keyid": {}\n}}', '{"mcpServers": {\n  "a": 1 // a\n  \n}}'),
        (
            '{"mcpServers": {\n  // of ours\n  "keyid": {}, "b": 1\n}}',
            '{"mcpServers": {\n  // of ours\n "b": 1\n}}',
        ),
        ('{"mcpServers": {\n  // of ours\n  "keyid": {}}}', '{"mcpServers": {\n  // of ours\n}}'),
        ('{"mcpServers": {"other": 1}}', '{"mcpServers": {"other": 1}}'),
        ("{}", "{}"),
        ("", ""),
    ],
)
def test_an_entry_is_taken_out(text: str, left: str) -> None:
    new = dropping(text)
    assert parse(new, LENIENT).comments == () or "//" in left
    assert new.replace(" ", "") == left.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "it is not an object"),
        ('{"mcpServers": []}', "`mcpServers` is not an object"),
        ('{"mcpServers": null}', "`mcpServers` is not an object"),
        ('{"mcpServers": {}, "mcpServers": {}}', "`mcpServers` stands there 2 times: which one counts"),
        ('{"mcpServers": {"keyid": 1, "keyid": 2}}', "`keyid` stands there 2 times: which one counts"),
    ],
)
def test_what_cannot_be_edited_is_left_alone(text: str, why: str) -> None:
    for edit in (putting, dropping):
        with pytest.raises(NotEditable) as caught:
            edit(text)
        assert str(caught.value).startswith(why)


def test_a_comment_inside_of_a_member_is_never_lost() -> None:
    with pytest.raises(NotEditable, match="more than one entry"):
        dropping('{"mcpServers": {"keyid": /* why */ {}, "b": 1}}')


# --- any file at all --------------------------------------------------------------------------------------------------

BLANK = st.sampled_from(["", " ", "\n", "\n  ", "\r\n\t", " // c\n", "/* c */", "\n  // d\n  "])
NAMES = st.sampled_from(["a", "b", "mcp", "é", 'q"', "keyid2", ""])


@st.composite
def objects(draw: Callable[..., object], inner: st.SearchStrategy[str], names: st.SearchStrategy[str]) -> str:
    keys = draw(st.lists(names, max_size=3, unique=True))
    members = [
        f"{draw(BLANK)}{json.dumps(key)}:{draw(st.sampled_from(['', ' ']))}{draw(inner)}{draw(BLANK)}"
        for key in keys  # type: ignore[attr-defined] # what is drawn is a list
    ]
    trailing = draw(st.sampled_from(["", ","])) if members else ""
    return "{" + ",".join(members) + f"{trailing}{draw(BLANK)}" + "}"


SCALARS = st.sampled_from(["1", "1.50", '"x"', "null", "[1, 2 ]", '{"command": "y"}'])
SERVERS = objects(SCALARS | objects(SCALARS, NAMES), NAMES)


@st.composite
def files(draw: Callable[..., object]) -> str:
    before = draw(objects(SCALARS, NAMES))
    servers = draw(SERVERS)
    assert isinstance(before, str)
    if draw(st.booleans()):
        return before
    head = before[: before.rindex("}")]
    bare = parse(before, LENIENT)
    assert bare.root is not None
    comma = "," if bare.root.members and bare.root.members[-1].comma is None else ""
    line = "\n" if "//" in head else ""
    return (
        f'{head}{line}{comma}"mcpServers":{draw(BLANK)}{servers}{draw(BLANK)}}}{draw(st.sampled_from(["", chr(10)]))}'
    )


@settings(deadline=None)
@given(files())
def test_whatever_the_file_only_the_entry_changes(text: str) -> None:
    old = parse(text, LENIENT)
    new = putting(text)
    entry = found(parse(new, LENIENT), PATH)
    assert entry is not None
    assert entry.value == ENTRY
    assert is_within(text, new)
    back = dropping(new)
    assert found(parse(back, LENIENT), PATH) is None
    assert is_within(back, new)
    if old.root is not None and old.root.named("mcpServers") and old.root.named("mcpServers")[0].value.members:
        assert "".join(back.split()) == "".join(text.split())
    assert putting(new) == new


@settings(deadline=None)
@given(
    st.dictionaries(NAMES, st.integers() | st.dictionaries(NAMES, st.text(max_size=3), max_size=2), max_size=3),
    st.dictionaries(NAMES, st.text(max_size=3) | st.lists(st.text(max_size=3)), min_size=1, max_size=3),
    st.sampled_from([None, 1, 2, 4, "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n"]),
)
def test_in_and_out_again_leaves_no_trace(
    others: dict[str, object], servers: dict[str, object], indent: int | str | None, newline: str, end: str
) -> None:
    text = json.dumps({**others, "mcpServers": servers}, indent=indent).replace("\n", newline) + end
    assert dropping(putting(text, JSON), JSON) == text


def is_within(shorter: str, longer: str) -> bool:
    """Whether the one is the other with characters added: nothing else was changed or moved, but for blanks."""
    rest = iter(longer)
    return all(char in rest for char in shorter if not char.isspace())
