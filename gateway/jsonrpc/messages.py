"""JSON-RPC messages (JSON-RPC 2.0; MCP, Base Protocol): what a line or an event is, or why it is none.

Refusals are values (`Refusal`), with the error codes of JSON-RPC 2.0, section 5.1.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeGuard

from gateway.jsonrpc.text import (
    INVALID_REQUEST,
    MAX_DEPTH,
    PARSE_ERROR,
    Json,
    Malformed,
    loads,
    loads_leniently,
    serialise,
    written,
)

Id: TypeAlias = str | int
Kind: TypeAlias = Literal["request", "notification", "response"]

METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

_ENVELOPE = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_CALL_PARAMS = frozenset({"name", "arguments", "_meta", "task", "inputResponses", "requestState"})
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LONGEST_FOLDED = 64
"""Characters; every known name is shorter, and normalising makes no name shorter."""


@dataclass(frozen=True, slots=True)
class Message:
    """One JSON-RPC message: the parsed `body`, and `raw`, the line it came as (no line break)."""

    kind: Kind
    id: Id | None
    method: str
    body: dict[str, Json]
    raw: bytes
    params: Mapping[str, Json] = field(init=False, compare=False, repr=False)
    """The params, or an empty mapping."""
    meta: Mapping[str, Json] = field(init=False, compare=False, repr=False)
    """`params._meta`, or an empty mapping."""

    def __post_init__(self) -> None:
        params = self.body.get("params")
        params = params if isinstance(params, dict) else {}
        meta = params.get("_meta")
        object.__setattr__(self, "params", params)
        object.__setattr__(self, "meta", meta if isinstance(meta, dict) else {})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a line is not a message. `id` is that of the request where it could be read."""

    code: int
    message: str
    id: Id | None = None


# --- the client's side ------------------------------------------------------------------------------------------------


def parse(line: bytes, *, max_depth: int = MAX_DEPTH) -> Message | Refusal:
    """The message on one line from the client, or why it is refused (and must not be relayed)."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return Refusal(PARSE_ERROR, f"not valid UTF-8 at byte {error.start + 1}")
    try:
        body = loads(text, max_depth=max_depth)
    except Malformed as error:
        return Refusal(error.code, str(error), _asked_as(written(text)) if error.code == INVALID_REQUEST else None)
    except (ValueError, RecursionError) as error:
        return Refusal(PARSE_ERROR, f"not valid JSON: {_words(error)}")
    if isinstance(body, list):
        return Refusal(INVALID_REQUEST, "batches are not supported: send one message a line")
    if not isinstance(body, dict):
        return Refusal(INVALID_REQUEST, "a message is a JSON object")
    return _classify(body, line)


def _words(error: Exception) -> str:
    said = str(error)
    return said[:1].lower() + said[1:]


def _classify(body: dict[str, Json], raw: bytes) -> Message | Refusal:
    identifier = body.get("id")
    known = identifier if is_id(identifier) else None
    fault = _envelope_fault(body)
    if fault is not None:
        return Refusal(INVALID_REQUEST, fault, known if "id" in body else _asked_as(body.items()))
    method = body.get("method")
    if not isinstance(method, str):  # the envelope was checked: there is none
        return Message("response", known, "", body, raw)
    kind: Kind = "request" if "id" in body else "notification"
    message = Message(kind, known, method, body, raw)
    return _call_fault(message) or message if method == "tools/call" else message


def _asked_as(pairs: Iterable[tuple[str, Json]]) -> Id | None:
    """The id by which the sender of a refused request waits, where only one can be meant (JSON-RPC 2.0, section 5).

    Only of what asks: to a response nobody answers, and its id may be that of another request.
    """
    keys = [(fold(key), value) for key, value in pairs]
    read = [value for key, value in keys if key == "id"]
    asks = any(key == "method" for key, _ in keys)
    return read[0] if asks and len(read) == 1 and is_id(read[0]) else None


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
    marked = data.startswith(_BYTE_ORDER_MARK)
    try:
        text = str(data[len(_BYTE_ORDER_MARK) :] if marked else data, "utf-8")
        body, doubled = loads_leniently(text, max_depth=4 * MAX_DEPTH)
    except (ValueError, RecursionError) as error:
        return Refusal(PARSE_ERROR, _words(error))
    if not isinstance(body, dict) or _upstream_fault(body):
        return Refusal(INVALID_REQUEST, "not a JSON-RPC message")
    verbatim = not (doubled or marked or b"\n" in data or b"\r" in data)
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
