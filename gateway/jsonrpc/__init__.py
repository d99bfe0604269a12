"""Strict parsing of one JSON-RPC message, and the bytes that stand for what was judged.

    text      JSON texts and values: read strictly or leniently, written exactly
    messages  what a line of the client, or an event of the upstream, is
    canonical one text for all ways to write one value, to compare

The rule behind this room: **what is judged is what is relayed**. Two parsers may read one text in two ways (a key that
stands twice, `NaN`, a number beyond a double, half a surrogate pair, a BOM), so a client's line is read as I-JSON (RFC
7493) or refused, and what is judged is written out again by `serialise`.

The upstream is read more leniently, because refusing its answer would break a client for no gain: half a surrogate pair
passes as it was escaped; a key that stands twice is read as every JavaScript client reads it (the last one wins) and
the message is written out anew, so that nobody reads another.
"""

from gateway.jsonrpc.canonical import canonical
from gateway.jsonrpc.messages import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Id,
    Kind,
    Message,
    Refusal,
    fold,
    is_id,
    parse,
    parse_upstream,
)
from gateway.jsonrpc.text import DEEPEST, INVALID_REQUEST, MAX_DEPTH, PARSE_ERROR, Json, Number, loads, serialise

__all__ = [
    "DEEPEST",
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "MAX_DEPTH",
    "METHOD_NOT_FOUND",
    "PARSE_ERROR",
    "Id",
    "Json",
    "Kind",
    "Message",
    "Number",
    "Refusal",
    "canonical",
    "fold",
    "is_id",
    "loads",
    "parse",
    "parse_upstream",
    "serialise",
]
