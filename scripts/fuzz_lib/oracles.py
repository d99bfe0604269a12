"""What must hold for any bytes at all, each said a second time by means of another reader. Pure; raises where it fails.

client_line    one line of a client, read strictly: one reading, or a refusal that has a reason
upstream_text  one message of an upstream: what goes to the client has one reading, the one that was judged
event_stream   the events of a stream, whatever the pieces that its bytes come in
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeAlias

from gateway.errors import UpstreamError
from gateway.jsonrpc import PARSE_ERROR, Message, Refusal, parse, parse_upstream, serialise
from gateway.upstream.sse import Event, EventStream

Json: TypeAlias = Any
Pairs: TypeAlias = list[tuple[str, Json]]

REFUSALS = frozenset({-32700, -32600, -32602})
_BOM = b"\xef\xbb\xbf"
_MAX_EVENT = 2**20
_LONGEST_NUMBER = 300
"""Characters. What is longer may be refused for that alone."""
_HUGE_EXPONENT = re.compile(r"[eE][+-]?0*\d{6}")


class Broken(AssertionError):
    """Something that must hold does not."""


def claim(holds: object, what: str) -> None:
    """Raise `Broken` unless it holds; an `assert` could be switched off."""
    if not holds:
        raise Broken(what)


# --- another reader ---------------------------------------------------------------------------------------------------


def reading(data: bytes | str, choose: Callable[[Pairs], Json] = list) -> Json:
    """How the interpreter's own reader reads a text, numbers as they are written; by default every pair, in order."""
    return json.loads(
        data, object_pairs_hook=choose, parse_int=lambda digits: [digits], parse_float=lambda digits: [digits, 0]
    )


def first(pairs: Pairs) -> dict[str, Json]:
    """The members of an object where the first of doubled keys wins."""
    return dict(reversed(pairs))


def single(pairs: Pairs) -> dict[str, Json]:
    """The members of an object in which no key stands twice. Raises `Broken`."""
    claim(len(dict(pairs)) == len(pairs), "a key stands twice")
    return dict(pairs)


def fault_of(line: bytes, number: Callable[[str], Json]) -> str | None:
    """Why a line is no I-JSON text (RFC 7493) that UTF-8 can carry, `number` reading its numbers; None if it is one."""
    try:
        value = json.loads(
            line.decode(), object_pairs_hook=list, parse_int=number, parse_float=number, parse_constant=_constant
        )
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        return "too deep"
    except ValueError as error:  # half a surrogate pair and wrong UTF-8 among them
        return str(error)
    return None


def double(text: str) -> str:
    """A number that every reader can hold. Raises `ValueError`."""
    if math.isinf(float(text)):
        raise ValueError("a number beyond a double")
    return text


def plain(text: str) -> str:
    """A number that nobody has a reason to refuse. Raises `ValueError`."""
    if len(text) > _LONGEST_NUMBER or _HUGE_EXPONENT.search(text):
        raise ValueError("a number that need not be taken")
    return double(text)


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


# --- messages ---------------------------------------------------------------------------------------------------------


def client_line(line: bytes) -> None:
    """Read one line of a client."""
    message = parse(line)
    if isinstance(message, Refusal):
        claim(message.code in REFUSALS and message.message, "a refusal has a code and a reason")
        claim(message.code != PARSE_ERROR or fault_of(line, plain), "what others can read is refused as unreadable")
        return
    claim(message.kind in ("request", "notification", "response") and message.raw == line, "a message is its line")
    claim(fault_of(line, double) is None, "what is no I-JSON is taken")
    seen = reading(line.decode(), single)
    claim(seen == reading(line.decode(), first) == reading(line.decode(), dict), "two readers read two things")
    written = serialise(message.body)
    claim(reading(written) == reading(line.decode()), "what is written is not what was read")
    claim(not {10, 13} & set(written), "a message is one line")
    again = parse(written)
    claim(isinstance(again, Message), "what is written cannot be read")
    if isinstance(again, Message):
        claim(serialise(again.body) == written, "writing is not a fixed point")
        one, other = (message.kind, message.id, message.method), (again.kind, again.id, again.method)
        claim(one == other, "a message changes its kind")
    _recognised(message, seen)


def _recognised(message: Message, seen: Mapping[str, Json]) -> None:
    """A call is one for every reader, or for none."""
    claim(message.method == seen.get("method", ""), "a method that others do not read")
    if message.method != "tools/call":
        return
    params = seen.get("params")
    claim(message.kind == "request" and type(message.id) in (int, str), "a call has an id")
    claim(isinstance(params, dict) and isinstance(params.get("name"), str), "a call names its tool")
    claim(isinstance(params, dict) and isinstance(params.get("arguments", {}), dict), "arguments are an object")


def upstream_text(data: bytes) -> None:
    """Read one message of an upstream."""
    message = parse_upstream(data)
    if isinstance(message, Refusal):
        claim(message.code in REFUSALS and message.message, "a refusal has a code and a reason")
        return
    raw = message.raw
    claim(not {10, 13} & set(raw) and not raw.startswith(_BOM), "a message is one line")
    claim(reading(raw, dict) == reading(raw, first), "two readers of what goes to the client read two things")
    claim(reading(raw, dict) == reading(data.removeprefix(_BOM), dict), "what goes on is not what came")
    claim(serialise(message.body) == serialise(_body(parse_upstream(raw))), "what goes on is read anew otherwise")


def _body(message: Message | Refusal) -> Mapping[str, Json]:
    return {} if isinstance(message, Refusal) else message.body


# --- streams of events ------------------------------------------------------------------------------------------------


def event_stream(data: bytes, places: list[int]) -> None:
    """Read a stream whose bytes come cut at these places."""
    whole, cut = EventStream(_MAX_EVENT), EventStream(_MAX_EVENT)
    try:
        at_once = whole.feed(data)
        in_pieces = [event for piece in pieces(data, places) for event in cut.feed(piece)]
    except UpstreamError:
        claim(len(data) > _MAX_EVENT, "an event within the bound is refused")
        return
    claim(at_once == in_pieces, "the events depend on how their bytes are cut")
    claim((whole.last_id, whole.retry_seconds) == (cut.last_id, cut.retry_seconds), "what is kept depends on the cuts")
    claim(at_once == events_of(data), "the events are not those of the standard")


def pieces(data: bytes, places: list[int]) -> list[bytes]:
    """The bytes in pieces, cut at these places."""
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


def events_of(data: bytes) -> list[Event]:
    """The events of a whole stream, as the standard says it (WHATWG HTML, section 9.2.6)."""
    *lines, _ = re.split(rb"\r\n|\n|\r", data.removeprefix(_BOM))
    events: list[Event] = []
    values: list[bytes] = []
    name = b""
    for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if any(values):
                events.append(Event(name.decode("utf-8", "replace") or "message", b"\n".join(values)))
            values, name = [], b""
        elif field == b"data":
            values.append(value)
        elif field == b"event":
            name = value
    return events
