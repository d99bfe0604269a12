"""Lines that are almost messages: built from the right parts in wrong numbers and spellings, then damaged a little."""

import json
from collections.abc import Sequence

from hypothesis import strategies as st

TOOLS: Sequence[str] = (
    "standin_read_1",
    "delete_file",
    "send_email",
    "get_secret",
    "Delete_File",
    "delete_file\u200b",
    "",
    "nobody",
)
METHODS: Sequence[str] = (
    "tools/call",
    "Tools/Call",
    "tools/call ",
    "ping",
    "resources/read",
    "x/y",
    "notifications/x",
    "tools/list",
    "prompts/get",
    "tasks/get",
    "completion/complete",
    "",
)
MODERN = '{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}'
SCALARS: Sequence[str] = (
    "null",
    "true",
    "0",
    "-0",
    "1.0",
    "1e2",
    "9007199254740993",
    "1e400",
    "NaN",
    "0.1",
    "1e-99999999999999999999",
    '"a"',
    '"root"',
    '"\\u0072oot"',
    '"a@example.com"',
    '"\\ud800"',
    '"\u2028"',
    '""',
    '"5"',
    "5",
    "-1",
    "[]",
    "{}",
)

FINE = ('"a"', '"root"', '"a@example.com"', "0", "1", "1.0", "2", "9007199254740993", "null", "true", '"\u2028"')
_values = st.recursive(
    st.sampled_from(FINE) | st.sampled_from(FINE) | st.sampled_from(FINE) | st.sampled_from(SCALARS),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ",".join(items) + "]")
        | st.lists(st.tuples(st.sampled_from(("a", "key", "to", "\u00e9")), inner), max_size=3).map(
            lambda pairs: _object([f"{_key(name)}:{value}" for name, value in pairs])
        )
    ),
    max_leaves=6,
)


def _key(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _object(members: Sequence[str]) -> str:
    return "{" + ",".join(members) + "}"


def _member(names: Sequence[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(names), values).map(lambda pair: f"{_key(pair[0])}:{pair[1]}")


def _text(choices: Sequence[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(choices).map(_key)


@st.composite
def objects(draw: st.DrawFn, right: Sequence[st.SearchStrategy[str]], odd: st.SearchStrategy[str]) -> str:
    """The right members in some order, now and then one of them missing, doubled, or an odd one beside them."""
    members = [draw(one) for one in right]
    for _ in range(draw(st.sampled_from((0,) * 8 + (1, 2)))):
        change = draw(st.sampled_from(("drop", "double", "odd")))
        place = draw(st.integers(0, len(members)))
        if change == "drop":
            del members[place : place + 1]
        else:
            members.insert(place, draw(odd if change == "odd" else st.sampled_from(members or ['"x":1'])))
    return _object(draw(st.permutations(members)))


_likely = [_member([name], _values) for name in ("key", "to", "amount")]
ARGUMENTS = st.tuples(*_likely).map(_object) | objects(_likely, _member(("cc", "key", "Key", "a"), _values)) | _values
META = st.sampled_from(("{}", "{}", MODERN, MODERN, MODERN, "5"))
PARAMS = objects(
    [
        _member(["name"], _text((*TOOLS, *TOOLS[:4], *TOOLS[:4]))),
        _member(["arguments"], ARGUMENTS),
        _member(["_meta"], META),
    ],
    _member(("name", "Name", "nam\u0435", "arguments", "argument\u017f", "task", "x"), _text(TOOLS) | ARGUMENTS),
)
IDS = (
    st.integers(0, 10**6).map(str)
    | st.integers(0, 10**6).map(str)
    | st.sampled_from(('"a"', "null", "1.0", "true", "[1]", '""', "9007199254740993"))
)
ENVELOPES = objects(
    [
        _member(["jsonrpc"], st.just('"2.0"')),
        _member(["id"], IDS),
        _member(["method"], _text((*METHODS, *["tools/call"] * 30))),
        _member(["params"], PARAMS),
    ],
    _member(("method", "Method", "METHOD", "id", "Id", "param\u017f", "result", "x"), _text(METHODS) | PARAMS),
)
PIECES = (
    "\n",
    "\r",
    "\u2028",
    "\x00",
    '"',
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\ufeff",
    " ",
    "\\u0000",
    "\udc00",
    "e",
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """One line, or what a few wrong characters have made of one. It may hold a line feed."""
    text = draw(ENVELOPES)
    for _ in range(draw(st.sampled_from((0,) * 8 + (1, 2)))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.sampled_from((0, 0, 1, 2)))
        text = text[:start] + draw(st.sampled_from(PIECES)) + text[end:]
    return text.encode("utf-8", "surrogatepass")
