"""As little of the arguments is kept as the owner asked for, and never a secret."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jsonrpc import Json, Number
from gateway.state.arguments import Keep, Keeping, Kept, keep, redact

ARGUMENTS: dict[str, Json] = {"to": "kim@example.com", "body": "Dear Kim", "count": 3}


def digest(data: bytes) -> str:
    return f"digest of {len(data)} bytes"


def kept(arguments: dict[str, Json], *settings: str, redacted: tuple[str, ...] = (), tool: str = "send_email") -> Kept:
    return Keeping(tuple(map(keep, settings)), tuple(map(redact, redacted))).of(tool, arguments, digest)


def values(arguments: dict[str, Json], *redacted: str) -> object:
    text = kept(arguments, "values", redacted=redacted).values
    assert text is not None
    assert len(text) <= 4096
    return json.loads(text)


NAMES = ("body", "count", "to")
WHOLE = digest(b'{"to":"kim@example.com","body":"Dear Kim","count":3}')


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ((), Kept(NAMES, WHOLE, None)),
        (("none",), Kept(("… (+3 names)",), "", None)),
        (("keys",), Kept(NAMES, "", None)),
        (("digest",), Kept(NAMES, WHOLE, None)),
        (
            ("values",),
            Kept(NAMES, WHOLE, '{"to":"kim@example.com","body":{"$redacted":"content"},"count":3}'),
        ),
        (("values", "send_email=keys"), Kept(NAMES, "", None)),
        (("send_email=keys", "none"), Kept(("… (+3 names)",), "", None)),
        (("none", "send_*=keys"), Kept(NAMES, "", None)),
        (("keys", "get_*=none", "send=none"), Kept(NAMES, "", None)),
    ],
)
def test_what_is_kept(settings: tuple[str, ...], found: Kept) -> None:
    assert kept(ARGUMENTS, *settings) == found


def test_a_call_without_arguments_has_no_names() -> None:
    assert kept({}, "none") == Kept((), "", None)
    assert kept({}, "values") == Kept((), digest(b"{}"), "{}")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"password": "sesame"}, {"password": {"$redacted": "secret name"}}),
        ({"password": None}, {"password": None}),
        ({"user": {"pin": 1234, "name": "Kim"}}, {"user": {"pin": {"$redacted": "secret name"}, "name": "Kim"}}),
        ({"tokens": ["a", "b"]}, {"tokens": {"$redacted": "secret name"}}),
        ({"notes": ["x", "Bearer abcdefgh"]}, {"notes": ["x", {"$redacted": "looks like a secret"}]}),
        ({"notes": {"ghp_abcdefghijklmnop": 1}}, {"notes": {"…": 1}}),
        ({"subject": "x " * 300}, {"subject": "x " * 256 + "… (+88 bytes)"}),
        ({"amount": Number("1.50"), "on": True, "off": None}, {"amount": 1.5, "on": True, "off": None}),
        ({"ids": list(range(70))}, {"ids": [*range(64), {"$redacted": "6 more"}]}),
        ({"by": {str(n): n for n in range(65)}}, {"by": {str(n): n for n in range(64)} | {"$redacted": "1 more"}}),
        ({"subject": "\ud800"}, {"subject": "\\ud800"}),
    ],
)
def test_confidential_values_are_left_out(arguments: dict[str, Json], found: object) -> None:
    assert values(arguments) == found


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("args.a", {"a": {"$redacted": "by setting"}, "l": [{"x": 1}, {"x": 2}]}),
        ("send_email=args.a.b", {"a": {"b": {"$redacted": "by setting"}, "c": 2}, "l": [{"x": 1}, {"x": 2}]}),
        ("send_*=args.l[*].x", {"a": {"b": 1, "c": 2}, "l": [{"x": {"$redacted": "by setting"}}] * 2}),
        ("args.l[1]", {"a": {"b": 1, "c": 2}, "l": [{"x": 1}, {"$redacted": "by setting"}]}),
        ('args["a"]["b"]', {"a": {"b": {"$redacted": "by setting"}, "c": 2}, "l": [{"x": 1}, {"x": 2}]}),
        ("get_email=args.a", {"a": {"b": 1, "c": 2}, "l": [{"x": 1}, {"x": 2}]}),
        ("args.a[0]", {"a": {"b": 1, "c": 2}, "l": [{"x": 1}, {"x": 2}]}),
    ],
)
def test_what_the_owner_named_is_left_out(path: str, found: object) -> None:
    assert values({"a": {"b": 1, "c": 2}, "l": [{"x": 1}, {"x": 2}]}, path) == found


def test_values_are_bounded_and_still_json() -> None:
    long: dict[str, Json] = {f"n{number:02}": ["y " * 50] * number for number in range(64)}
    found = values(long)
    assert isinstance(found, dict)
    assert list(found) == list(long)
    assert (found["n00"], found["n01"], found["n63"]) == ([], ["y " * 50], {"$redacted": "too long"})
    assert values({"y" * 300 + str(number): 1 for number in range(100)}) == {"$redacted": "too long"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=[]), max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=30,
)


@given(st.dictionaries(st.text(max_size=9), JSON, max_size=9))
def test_any_arguments_can_be_kept(arguments: dict[str, Json]) -> None:
    assert isinstance(values(arguments), dict)


@pytest.mark.parametrize("text", ["", "all", "=keys", "send_email=", "send_email=all", "VALUES"])
def test_what_is_no_setting_of_how(text: str) -> None:
    assert complaint(keep, text) == "`none`, `keys`, `digest` or `values` is needed, or `TOOL=` and one of them"


@pytest.mark.parametrize("text", ["", "body", "args", "args.", "grant", "send_email=body", "send_email=time.hour"])
def test_what_is_no_setting_of_a_place(text: str) -> None:
    assert complaint(redact, text).startswith("a path like `args.body` is needed, or `TOOL=` and one: paths look like")


def test_a_setting_may_hold_an_equals_sign() -> None:
    assert keep("a=b=keys") == Keep("a=b", "keys")
    assert redact('args["a=b"]').tools == "*"


def complaint(read: Callable[[str], object], text: str) -> str:
    with pytest.raises(ValueError, match="is needed") as raised:
        read(text)
    return str(raised.value)


def test_numbers_are_kept_exactly() -> None:
    assert kept({"n": Number("1.50"), "m": 10**30, "d": Decimal("0.1")}, "values").values == (
        '{"n":1.50,"m":1000000000000000000000000000000,"d":0.1}'
    )
