"""JSON texts and the values they stand for: read strictly or leniently, written exactly.

Numbers keep their text: an integer is an `int` of any size; whatever has a fraction, an exponent or the sign of a
negative zero is a `Number`, a `Decimal` that remembers how it was written. A number beyond a double is refused: an
upstream would read infinity.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import NoReturn, Self, TypeAlias, cast

Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"

PARSE_ERROR = -32700
INVALID_REQUEST = -32600

MAX_DEPTH = 128
"""How deep objects and arrays may nest, by default."""
DEEPEST = 600
"""Deeper than any message that a setting lets in: for reading again what came in once."""

_SPACE = " \t\n\r"
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
"""What nests and what only looks like it. A string never backtracks, so that one without an end costs linear time."""
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_DOUBLE_DIGITS = 300


class Number(Decimal):
    """A number that is not a plain integer: its exact value, and the text it was written as."""

    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self) -> str:
        return f"Number({self.text})"


class Malformed(ValueError):
    """Why a text cannot be read, with the code of the error that says so."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


# --- text to values ---------------------------------------------------------------------------------------------------


def loads(text: str, *, max_depth: int = MAX_DEPTH) -> Json:
    """The value of a JSON text, read strictly. Raises `ValueError` with a sentence that says what is wrong."""
    _check_depth(text, max_depth)
    try:
        value = _decoded(_STRICT, text)
    except json.JSONDecodeError as error:
        raise Malformed(PARSE_ERROR, f"not valid JSON: {_lower(error.msg)} at character {error.pos + 1}") from None
    if _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value)
    return value


def _decoded(decoder: json.JSONDecoder, text: str) -> Json:
    """As `decode`, which looks for white space around the value first: nearly always there is none."""
    bare = text.strip(_SPACE)  # the same text, where there is none
    try:
        value, end = decoder.raw_decode(bare)
    except json.JSONDecodeError:
        return cast(Json, decoder.decode(text))  # which says where
    return cast(Json, value if end == len(bare) else decoder.decode(text))


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


def _check_depth(text: str, limit: int) -> None:
    if text.count("{") + text.count("[") <= limit:
        return
    depth = 0
    for token in _STRUCTURE.finditer(text):
        mark = token.group()
        if mark in "[{":
            depth += 1
            if depth > limit:
                raise Malformed(INVALID_REQUEST, f"nested deeper than {limit} levels")
        elif mark in "]}":
            depth -= 1


def _check_surrogates(value: Json) -> None:
    try:
        serialise(value, ascii_only=False)
    except UnicodeEncodeError:
        raise Malformed(PARSE_ERROR, "half a surrogate pair: the text is not valid Unicode") from None


def _strict_object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed(INVALID_REQUEST, "an object has the same key twice")
    return value


def _integer(text: str) -> int | Number:
    if len(text) > _DOUBLE_DIGITS:
        _check_magnitude(text)
    return Number(text) if text == "-0" else int(text)


def _fraction(text: str) -> Number:
    _check_magnitude(text)
    try:
        return Number(text)
    except InvalidOperation:
        raise Malformed(PARSE_ERROR, "the exponent of a number is beyond what can be told from zero") from None


def _check_magnitude(text: str) -> None:
    if len(text) > 2 * _DOUBLE_DIGITS:
        raise Malformed(PARSE_ERROR, f"a number has more than {2 * _DOUBLE_DIGITS} characters")
    if math.isinf(float(text)):
        raise Malformed(PARSE_ERROR, "a number is beyond the range of a double")


def _constant(name: str) -> NoReturn:
    raise Malformed(PARSE_ERROR, f"not valid JSON: `{name}` is not a number")


_STRICT = json.JSONDecoder(
    object_pairs_hook=_strict_object, parse_float=_fraction, parse_int=_integer, parse_constant=_constant
)


class _Doubled(Exception):
    """Internal: an object has the same key twice."""


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Doubled
    return value


_LENIENT = json.JSONDecoder(
    object_pairs_hook=_once, parse_float=_fraction, parse_int=_integer, parse_constant=_constant
)
_LAST_WINS = json.JSONDecoder(parse_float=_fraction, parse_int=_integer, parse_constant=_constant)


def loads_leniently(text: str, *, max_depth: int = MAX_DEPTH) -> tuple[Json, bool]:
    """The value of a text as JavaScript would read it, and whether a key stood twice (the last one wins).

    Half a surrogate pair passes. Raises `ValueError`, `RecursionError`.
    """
    _check_depth(text, max_depth)
    try:
        return _decoded(_LENIENT, text), False
    except _Doubled:
        return _decoded(_LAST_WINS, text), True


class _Pairs(list[tuple[str, Json]]):
    """An object with every key that it was written with."""


_WRITTEN = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_float=_fraction, parse_int=_integer, parse_constant=_constant
)


def written(text: str) -> Sequence[tuple[str, Json]]:
    """The pairs of the object that a text is, in their order, a key that stands twice with both; nothing of another.

    For a text that was refused, to see what was meant. Nothing that is read here is ever relayed.
    """
    try:
        _check_depth(text, 4 * MAX_DEPTH)
        value: object = _WRITTEN.decode(text)
    except (ValueError, RecursionError):
        return ()
    return value if isinstance(value, _Pairs) else ()


# --- values to bytes --------------------------------------------------------------------------------------------------


def serialise(value: object, *, ascii_only: bool | None = None) -> bytes:
    """The JSON text of a value, UTF-8, on one line, number texts kept.

    `ascii_only=None` writes characters as they are and falls back to escapes for half a surrogate pair, which UTF-8
    cannot carry; `False` raises `UnicodeEncodeError` for it.
    """
    try:
        try:
            return (_ascii if ascii_only else _unicode)(value).encode()
        except _HasNumber:
            out: list[str] = []
            _write(value, encode_basestring_ascii if ascii_only else encode_basestring, out)
            return "".join(out).encode()
    except UnicodeEncodeError:
        if ascii_only is not None:
            raise
        return serialise(value, ascii_only=True)


class _HasNumber(Exception):
    """Internal: the C encoder met a `Number`, whose text only `_write` can write."""


def _unknown(value: object) -> NoReturn:
    if isinstance(value, Decimal):
        raise _HasNumber
    raise TypeError(f"not a JSON value: {type(value).__name__}")


def encoder(
    *, ascii_only: bool, default: Callable[[object], object], sort_keys: bool = False
) -> Callable[[object], str]:
    """What writes values on one line; `default` stands in for what JSON has no form for, as in `json.JSONEncoder`.

    The standard library's encoder, made once: its `encode` makes its inner one anew for every value.
    """
    made = json.JSONEncoder(
        ensure_ascii=ascii_only,
        sort_keys=sort_keys,
        separators=(",", ":"),
        default=default,
        check_circular=False,
        allow_nan=False,
    )
    make: Callable[..., Callable[[object, int], Iterable[str]]] | None = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # an interpreter without it
        return made.encode
    quote = encode_basestring_ascii if ascii_only else encode_basestring
    inner = make(None, default, quote, None, ":", ",", sort_keys, False, False)  # noqa: FBT003 - it takes no names
    return lambda value: "".join(inner(value, 0))


_unicode = encoder(ascii_only=False, default=_unknown)
_ascii = encoder(ascii_only=True, default=_unknown)
_WORDS: Mapping[bool | None, str] = {True: "true", False: "false", None: "null"}


def _write(value: object, quote: Callable[[str], str], out: list[str]) -> None:
    """Append the text of a value to `out`; one frame a level, so that whatever was parsed can be written."""
    match value:
        case str():
            out.append(quote(value))
        case None | bool():
            out.append(_WORDS[value])
        case Number():
            out.append(value.text)
        case Decimal():
            out.append(str(value))
        case int() | float():
            out.append(json.dumps(value, allow_nan=False))
        case Mapping():
            out.append("{")
            for number, (key, item) in enumerate(value.items()):
                out += ("," if number else "", quote(key), ":")
                _write(item, quote, out)
            out.append("}")
        case list() | tuple():
            out.append("[")
            for number, item in enumerate(value):
                out.append("," if number else "")
                _write(item, quote, out)
            out.append("]")
        case _:
            _unknown(value)
