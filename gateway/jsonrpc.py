"""Strict parsing of one JSON-RPC message, and the bytes that stand for what was judged.

The rule behind this module: **what is judged is what is relayed**. Two parsers may read one text in two ways (a key
that stands twice, `NaN`, a number beyond a double, half a surrogate pair, a BOM), so a client's line is read as I-JSON
(RFC 7493) or refused, and what is judged is written out again by `serialise`. Numbers keep their text: an integer is an
`int` of any size; whatever has a fraction, an exponent or the sign of a negative zero is a `Number`, a `Decimal` that
remembers how it was written.

The upstream is read more leniently, because refusing its answer would break a client for no gain: half a surrogate
pair passes as it was escaped; a key that stands twice is read as every JavaScript client reads it (the last one wins)
and the message is written out anew, so that nobody reads another.

Refusals are values (`Refusal`), with the error codes of JSON-RPC 2.0, section 5.1.
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Literal, NoReturn, Self, TypeAlias, TypeGuard, cast

Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"
Id: TypeAlias = str | int
Kind: TypeAlias = Literal["request", "notification", "response"]

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

MAX_DEPTH = 128
"""How deep objects and arrays may nest, by default."""

_ENVELOPE = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_CALL_PARAMS = frozenset({"name", "arguments", "_meta", "task", "inputResponses", "requestState"})
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
"""What nests and what only looks like it. A string never backtracks, so that one without an end costs linear time."""
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_DOUBLE_DIGITS = 300
_LONGEST_FOLDED = 64
"""Characters; every known name is shorter, and normalising makes no name shorter."""


class Number(Decimal):
    """A number that is not a plain integer: its exact value, and the text it was written as."""

    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self) -> str:
        return f"Number({self.text})"


@dataclass(frozen=True, slots=True)
class Message:
    """One JSON-RPC message: the parsed `body`, and `raw`, the line it came as (no line break)."""

    kind: Kind
    id: Id | None
    method: str
    body: dict[str, Json]
    raw: bytes

    @property
    def params(self) -> Mapping[str, Json]:
        """The params, or an empty mapping."""
        params = self.body.get("params")
        return params if isinstance(params, dict) else {}

    @property
    def meta(self) -> Mapping[str, Json]:
        """`params._meta`, or an empty mapping."""
        meta = self.params.get("_meta")
        return meta if isinstance(meta, dict) else {}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a line is not a message. `id` is that of the request where it could be read."""

    code: int
    message: str
    id: Id | None = None


class _Malformed(ValueError):
    """Internal: carries the refusal out of the scanner's hooks."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


# --- text to values ---------------------------------------------------------------------------------------------------


def loads(text: str, *, max_depth: int = MAX_DEPTH) -> Json:
    """The value of a JSON text, read strictly. Raises `ValueError` with a sentence that says what is wrong."""
    _check_depth(text, max_depth)
    try:
        value = cast(Json, _STRICT.decode(text))
    except json.JSONDecodeError as error:
        raise _Malformed(PARSE_ERROR, f"not valid JSON: {_lower(error.msg)} at character {error.pos + 1}") from None
    if _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value)
    return value


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
                raise _Malformed(INVALID_REQUEST, f"nested deeper than {limit} levels")
        elif mark in "]}":
            depth -= 1


def _check_surrogates(value: Json) -> None:
    try:
        serialise(value, ascii_only=False)
    except UnicodeEncodeError:
        raise _Malformed(PARSE_ERROR, "half a surrogate pair: the text is not valid Unicode") from None


def _strict_object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Malformed(INVALID_REQUEST, "an object has the same key twice")
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
        raise _Malformed(PARSE_ERROR, "the exponent of a number is beyond what can be told from zero") from None


def _check_magnitude(text: str) -> None:
    if len(text) > 2 * _DOUBLE_DIGITS:
        raise _Malformed(PARSE_ERROR, f"a number has more than {2 * _DOUBLE_DIGITS} characters")
    if math.isinf(float(text)):
        raise _Malformed(PARSE_ERROR, "a number is beyond the range of a double")


def _constant(name: str) -> NoReturn:
    raise _Malformed(PARSE_ERROR, f"not valid JSON: `{name}` is not a number")


_STRICT = json.JSONDecoder(
    object_pairs_hook=_strict_object, parse_float=_fraction, parse_int=_integer, parse_constant=_constant
)


# --- values to bytes --------------------------------------------------------------------------------------------------


def serialise(value: object, *, ascii_only: bool | None = None) -> bytes:
    """The JSON text of a value, UTF-8, on one line, number texts kept.

    `ascii_only=None` writes characters as they are and falls back to escapes for half a surrogate pair, which UTF-8
    cannot carry; `False` raises `UnicodeEncodeError` for it.
    """
    if ascii_only is None:
        try:
            return serialise(value, ascii_only=False)
        except UnicodeEncodeError:
            return serialise(value, ascii_only=True)
    encoder = _ASCII if ascii_only else _UNICODE
    try:
        return encoder.encode(value).encode()
    except _HasNumber:
        quote = encode_basestring_ascii if ascii_only else encode_basestring
        out: list[str] = []
        _write(value, quote, out)
        return "".join(out).encode()


class _HasNumber(Exception):
    """Internal: the C encoder met a `Number`, whose text only `_write` can write."""


def _unknown(value: object) -> NoReturn:
    if isinstance(value, Decimal):
        raise _HasNumber
    raise TypeError(f"not a JSON value: {type(value).__name__}")


_UNICODE = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), default=_unknown, check_circular=False, allow_nan=False
)
_ASCII = json.JSONEncoder(
    ensure_ascii=True, separators=(",", ":"), default=_unknown, check_circular=False, allow_nan=False
)
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


# --- the client's side ------------------------------------------------------------------------------------------------


def parse(line: bytes, *, max_depth: int = MAX_DEPTH) -> Message | Refusal:
    """The message on one line from the client, or why it is refused (and must not be relayed)."""
    try:
        body = loads(line.decode("utf-8"), max_depth=max_depth)
    except UnicodeDecodeError as error:
        return Refusal(PARSE_ERROR, f"not valid UTF-8 at byte {error.start + 1}")
    except _Malformed as error:
        return Refusal(error.code, str(error))
    except (ValueError, RecursionError) as error:
        return Refusal(PARSE_ERROR, f"not valid JSON: {_lower(str(error))}")
    if isinstance(body, list):
        return Refusal(INVALID_REQUEST, "batches are not supported: send one message a line")
    if not isinstance(body, dict):
        return Refusal(INVALID_REQUEST, "a message is a JSON object")
    return _classify(body, line)


def _classify(body: dict[str, Json], raw: bytes) -> Message | Refusal:
    identifier = body.get("id")
    known = identifier if is_id(identifier) else None
    fault = _envelope_fault(body)
    if fault is not None:
        return Refusal(INVALID_REQUEST, fault, known)
    method = body.get("method")
    if not isinstance(method, str):  # the envelope was checked: there is none
        return Message("response", known, "", body, raw)
    kind: Kind = "request" if "id" in body else "notification"
    message = Message(kind, known, method, body, raw)
    return _call_fault(message) or message if method == "tools/call" else message


def is_id(value: object) -> TypeGuard[Id]:
    """Whether a value may be a request id: a string or an integer (MCP; JSON-RPC's null and fractions are not)."""
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def _envelope_fault(body: Mapping[str, Json]) -> str | None:
    fault = _folded_fault(body, _ENVELOPE)
    if fault is not None:
        return fault
    if body.get("jsonrpc") != "2.0":
        return '`jsonrpc` must be "2.0"'
    if "id" in body and not is_id(body["id"]):
        return "`id` must be a string or an integer"
    if "method" in body:
        return _method_fault(body)
    if "id" not in body:
        return "a message has a `method`, or an `id` and a `result`"
    if ("result" in body) == ("error" in body):
        return "a response has either a `result` or an `error`"
    return None


def _method_fault(body: Mapping[str, Json]) -> str | None:
    if not isinstance(body["method"], str):
        return "`method` must be a string"
    if "result" in body or "error" in body:
        return "a message with a `method` has no `result` and no `error`"
    if "params" in body and not isinstance(body["params"], dict) and body["method"] != "tools/call":
        return "`params` must be an object"
    return None


def _call_fault(message: Message) -> Refusal | None:
    """What is wrong with a `tools/call`, whose shape decides what the upstream runs."""
    if message.id is None:
        return Refusal(INVALID_REQUEST, "`tools/call` needs an `id`: a call that cannot be answered is not relayed")
    params = message.body.get("params")
    if not isinstance(params, dict):
        return Refusal(INVALID_PARAMS, "`params` of `tools/call` must be an object", message.id)
    fault = _folded_fault(params, _CALL_PARAMS)
    if fault is not None:
        return Refusal(INVALID_REQUEST, fault, message.id)
    if not isinstance(params.get("name"), str):
        return Refusal(INVALID_PARAMS, "`name` of `tools/call` must be a string", message.id)
    if "arguments" in params and not isinstance(params["arguments"], dict):
        return Refusal(INVALID_PARAMS, "`arguments` of `tools/call` must be an object", message.id)
    return None


def _folded_fault(body: Mapping[str, Json], known: frozenset[str]) -> str | None:
    """A key that a careless reader would take for another one: by case, by compatibility forms, by invisible marks."""
    if known.issuperset(body):
        return None
    folded = [fold(key) for key in body]
    if len(set(folded)) != len(folded):
        return "two keys differ only by case or by Unicode folding"
    for key, reading in zip(body, folded, strict=True):
        if key not in known and reading in _FOLDED[known]:
            return f"a key that reads like `{_FOLDED[known][reading]}` but is written differently"
    return None


def fold(name: str) -> str:
    """What a careless reader might take a name for. Only what is short is normalised: it takes quadratic time."""
    if not name.isascii():
        name = "".join(char for char in name if unicodedata.category(char) != "Cf")
        if len(name) <= _LONGEST_FOLDED:
            name = unicodedata.normalize("NFKC", name)
    return name.casefold()


_FOLDED = {names: {fold(name): name for name in names} for names in (_ENVELOPE, _CALL_PARAMS)}


# --- the upstream's side ----------------------------------------------------------------------------------------------


def parse_upstream(data: bytes) -> Message | Refusal:
    """A message of the upstream. Its `raw` is one line that every client reads as it was read here."""
    doubled: list[bool] = []

    def lenient(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        value = dict(pairs)
        if len(value) != len(pairs):
            doubled.append(True)
        return value

    decoder = json.JSONDecoder(
        object_pairs_hook=lenient, parse_float=_fraction, parse_int=_integer, parse_constant=_constant
    )
    try:
        text = data.decode("utf-8-sig")
        _check_depth(text, 4 * MAX_DEPTH)
        body = cast(Json, decoder.decode(text))
    except (ValueError, RecursionError) as error:
        return Refusal(PARSE_ERROR, _lower(str(error)))
    if not isinstance(body, dict) or _upstream_fault(body):
        return Refusal(INVALID_REQUEST, "not a JSON-RPC message")
    verbatim = not doubled and b"\n" not in data and b"\r" not in data and not data.startswith(b"\xef\xbb\xbf")
    raw = data if verbatim else serialise(body)
    identifier = body.get("id")
    known = identifier if is_id(identifier) else None
    method = body.get("method")
    if isinstance(method, str):
        return Message("request" if "id" in body else "notification", known, method, body, raw)
    return Message("response", known, "", body, raw)


def _upstream_fault(body: Mapping[str, Json]) -> bool:
    if body.get("jsonrpc") != "2.0":
        return True
    if "method" in body:
        wrong_id = "id" in body and not is_id(body["id"])
        return not isinstance(body["method"], str) or wrong_id or "result" in body or "error" in body
    return ("result" in body) == ("error" in body)
