import pytest

from gateway.policy.positions import Places, pointer, spots

TEXT = """{
  "a": [1, {"b/c": "x, {\\"y\\": 1}"}],
  "d~": { },
  "e": null
}
"""


@pytest.mark.parametrize(
    ("where", "value", "key"),
    [
        ("", (1, 1), (1, 1)),
        ("/a", (2, 8), (2, 3)),
        ("/a/0", (2, 9), (2, 9)),
        ("/a/1", (2, 12), (2, 12)),
        ("/a/1/b~1c", (2, 20), (2, 13)),
        ("/d~0", (3, 9), (3, 3)),
        ("/e", (4, 8), (4, 3)),
        ("/e/gone", (4, 8), (4, 3)),
        ("/a/7", (2, 8), (2, 3)),
        ("/gone", (1, 1), (1, 1)),
    ],
)
def test_a_pointer_has_a_line_and_a_column(where: str, value: tuple[int, int], key: tuple[int, int]) -> None:
    places = Places(TEXT)
    assert places.value(where) == value
    assert places.key(where) == key


def test_doubled_keys_are_marked_at_the_second_place() -> None:
    doubled = [
        (spot.pointer, spot.key) for spot in spots('{"a": {"x": 1}, "b": {"x": 1}, "\\u0061": 2}') if spot.doubled
    ]
    assert doubled == [("/a", 31)]


def test_columns_count_characters() -> None:
    assert Places('{"é😀": 1}').value("/é😀") == (1, 8)


def test_carriage_returns_belong_to_their_line() -> None:
    assert Places('{\r\n"a": 1}').value("/a") == (2, 6)


def test_nesting_does_not_exhaust_the_stack() -> None:
    deep = "[" * 50_000 + "]" * 50_000
    assert sum(1 for _ in spots("[" * 2_000 + "]" * 2_000)) == 2_000
    assert next(spots(deep)).pointer == ""


def test_a_pointer_escapes_its_steps() -> None:
    assert pointer("tools", "a/b~c", 0) == "/tools/a~1b~0c/0"
