"""A client's file is read to the last character, or not at all; whatever is wrong is said with its place."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clients.jsonc import Dialect, Unreadable, parse, shape

STRICT = Dialect()
LENIENT = Dialect(comments=True, trailing_commas=True)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None)
@given(VALUES, st.sampled_from([None, 0, 1, 3, "\t"]), st.booleans())
def test_what_json_says_is_read_as_it_is(value: object, indent: int | str | None, plain: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=plain)
    root = parse(text, STRICT).root
    assert root is not None
    assert root.value == value
    assert text[root.start : root.end] == text


@settings(deadline=None)
@given(st.text(alphabet='{}[],:"\\/*ntu0-1.e \r\n\x00é', max_size=12))
def test_what_is_read_is_what_json_reads(text: str) -> None:
    """Neither more nor less: the module of the standard library is the other opinion."""
    if not text.strip(" \t\r\n"):
        assert parse(text, STRICT).root is None
        return
    try:
        value = json.loads(text)
    except ValueError:
        with pytest.raises(Unreadable):
            parse(text, STRICT)
    else:
        root = parse(text, STRICT).root
        assert root is not None
        assert root.value == value


def test_comments_and_commas_where_the_client_allows_them() -> None:
    text = '// one\n{\n  "a": [1, 2,], /* two\n */ "b": {"c": "// no comment",},\n} // three'
    document = parse(text, LENIENT)
    assert document.root is not None
    assert document.root.value == {"a": [1, 2], "b": {"c": "// no comment"}}
    assert [text[start:end] for start, end in document.comments] == ["// one", "/* two\n */", "// three"]


@pytest.mark.parametrize(
    ("text", "dialect", "said"),
    [
        ('{"a": 1', STRICT, "line 1, column 8: `,` or `}` is expected, not the end of the file"),
        ('{"a": 1,}', STRICT, "line 1, column 8: a comma before `}` is not allowed in this file"),
        ("[1,\r\n]", STRICT, "line 1, column 3: a comma before `]` is not allowed in this file"),
        ('{\n  // c\n  "a": 1}', STRICT, "line 2, column 3: a comment is not allowed in this file"),
        ('{\n\n  "a" 1}', STRICT, "line 3, column 7: `:` is expected, not `1`"),
        ("{a: 1}", LENIENT, "line 1, column 2: `a` does not belong there"),
        ("{1: 1}", LENIENT, "line 1, column 2: a name in quotes is expected, not `1`"),
        ('{"a": 1} {', LENIENT, "line 1, column 10: the end of the file is expected, not `{`"),
        ('{"a": "b\n"}', LENIENT, "line 1, column 7: a text that does not end, or has a character or an escape that"),
        ("{/* c", LENIENT, "line 1, column 2: a comment that does not end, or a lone `/`"),
        ('{"a": \u00a01}', LENIENT, "line 1, column 7: U+00A0 does not belong there"),
        ('{"a": NaN}', LENIENT, "line 1, column 7: `N` does not belong there"),
        ("[" * 200, LENIENT, "line 1, column 102: it is nested more than 100 deep"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text: str, dialect: Dialect, said: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(text, dialect)
    assert str(caught.value).startswith(said)


def test_nothing_is_not_an_error_of_the_text() -> None:
    assert parse(" \n", STRICT).root is None
    assert parse("// only this\n", LENIENT).root is None


def test_a_shape_tells_apart_what_a_value_does_not() -> None:
    assert shape(parse('{"a": 1, "a": 1.0}', STRICT).root) == [
        "object",
        [["a", ["number", "1"]], ["a", ["number", "1.0"]]],
    ]
    assert shape(None) is None
