from decimal import Decimal
from itertools import combinations

import pytest

from gateway.jsonrpc import Json, canonical, loads

ALIKE = [
    ["1", "1.0", "1e0", "10e-1", "0.1e1"],
    ["0", "-0", "0.0", "-0.0e7", "0e-300"],
    ["100", "1e2", "100.00"],
    ["1.5", "15e-1", "1.50", "0.15E+1"],
    ["-1.5", "-15e-1"],
    ["9007199254740993", "9007199254740993.0"],
    ["9007199254740992"],
    ["1e-400", "0.1e-399"],
    ["true"],
    ["false"],
    ["null"],
    ['"1"'],
    ['"15e-1"'],
    ['""'],
    ["[]"],
    ["[1]", "[1.0]"],
    ["[1, 2]"],
    ["[2, 1]"],
    ["{}"],
    ['{"a": 1, "b": [0.50]}', '{"b":[5e-1],"a":1.0}'],
    ['{"a": null}'],
    ['"\\u00e9"', '"é"'],
]


@pytest.mark.parametrize("texts", ALIKE)
def test_one_value_has_one_text_however_it_is_written(texts: list[str]) -> None:
    assert len({canonical(loads(text)) for text in texts}) == 1


def test_two_values_have_two_texts() -> None:
    found = [canonical(loads(texts[0])) for texts in ALIKE]
    assert not [pair for pair in combinations(found, 2) if pair[0] == pair[1]]


def test_the_bytes_are_known() -> None:
    value: Json = {"b": [1, True, None, "x\n"], "a": loads("2.0")}
    assert canonical(value) == b'{"a":2,"b":[1,true,null,"x\\n"]}'


@pytest.mark.parametrize("value", [object(), Decimal("NaN"), Decimal("Infinity"), {"a": b"x"}])
def test_what_is_no_json_value_has_none(value: Json) -> None:
    with pytest.raises(TypeError, match=r"^not a JSON value: "):
        canonical(value)
