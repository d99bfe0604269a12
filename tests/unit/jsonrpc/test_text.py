"""JSON texts: read strictly, written exactly."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jsonrpc import Number, loads, serialise


@pytest.mark.parametrize(
    "text",
    [
        "0", "-1", "12345678901234567890123456789", "1.0", "1.50", "-0", "-0.0", "1e2", "1E+2", "1e-5",
        "1.7976931348623157e308", "5e-324", "0.1", "true", "null", '""', '"é\\u2028"', "[]", "{}", '[1,1.0,"1"]',
        '{"a":{"b":[null]}}',
    ],
)  # fmt: skip
def test_a_text_is_written_as_it_was_read(text: str) -> None:
    assert serialise(loads(text)) == text.replace("\\u2028", "\u2028").encode()


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "Infinity", "-Infinity", "nan", "1e400", "-1e400", "1" * 400, "9" * 700, "01", "+1", "1.", ".5", "0x1",
        "1_0", "", " ", "{", "[1,]", '{"a":1,}', "{'a':1}", '"\t"', '"\x00"', '"\\x41"', '"\\ud800"',
        '"\\udc00\\ud800"', "true false", "\ufeff{}", "/**/1", "1e99999999999999999999", "1e-99999999999999999999",
        '{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', '{"a":1,"\\u0061":2}',
    ],
)  # fmt: skip
def test_what_a_strict_reader_would_not_take_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        loads(text)


@pytest.mark.parametrize("text", ['{"a":1,"b":[2]}\n', ' \t{"a":1,\r\n"b":[2]}', '\n{"a":1,"b":[2]}\r\n'])
def test_a_text_with_white_space_around_it_is_read_once(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Many servers end each of their answers with a line feed."""
    read: list[str] = []
    monkeypatch.setattr("gateway.jsonrpc.text._STRICT", json.JSONDecoder(parse_int=read.append))
    loads(text)
    assert read == ["1", "2"]


@pytest.mark.parametrize("space", ["\x0b", "\x0c", "\x1f", "\x85", "\xa0", "\u2028", "\u3000", "\ufeff"])
def test_white_space_is_only_what_json_calls_so(space: str) -> None:
    for text in (f"{space}1", f"1{space}", f" {space} 1", f"[1,{space}2]"):
        with pytest.raises(ValueError, match="not valid JSON"):
            loads(text)


def test_half_a_pair_is_only_refused_where_it_is_half() -> None:
    assert loads('"\\ud83d\\udd11"') == "🔑"
    assert loads('"\\\\ud800"') == "\\ud800"


def test_depth_counts_nesting_and_not_brackets_in_texts() -> None:
    assert loads("[" * 8 + "]" * 8, max_depth=8) is not None
    assert loads('["' + "[" * 50 + '\\"[[[", ' + '"{"]', max_depth=8) is not None
    assert loads("[" + "[]," * 50 + "[]]", max_depth=2) is not None
    with pytest.raises(ValueError, match="nested deeper than 8 levels"):
        loads("[" * 9 + "]" * 9, max_depth=8)


def test_depth_is_checked_before_anything_recurses() -> None:
    with pytest.raises(ValueError, match="nested deeper than 128 levels"):
        loads("[" * 1_000_000)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda value: Number(json.dumps(value))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_whatever_is_written_reads_the_same(value: object) -> None:
    text = serialise(value)
    assert b"\n" not in text
    assert loads(text.decode()) == value
    assert serialise(loads(text.decode())) == text


@given(VALUES)
def test_another_parser_reads_what_was_judged(value: object) -> None:
    def plain(item: object) -> object:
        match item:
            case Number():
                return float(item)
            case list():
                return [plain(one) for one in item]
            case dict():
                return {key: plain(one) for key, one in item.items()}
            case _:
                return item

    assert json.loads(serialise(value)) == plain(value)


def test_what_is_no_json_cannot_be_written() -> None:
    for value in ({1, 2}, b"x", object()):
        with pytest.raises(TypeError, match="not a JSON value"):
            serialise(value)
    for number in (math.nan, math.inf):
        with pytest.raises(ValueError, match="Out of range"):
            serialise(number)
