"""What crosses the gateway, looked at as text: exact JSON, the line a client gets, the request a server got."""

import json
from typing import Any

from gateway.standin import Standin
from gateway.standin.journal import Entry
from tests.e2e.process import PATIENCE, Gateway
from tests.e2e.scripted import Asked, Line, Reply, events, http

Json = Any
META = "io.modelcontextprotocol/"
VERSION = "2026-07-28"


def exact(text: str | bytes) -> Json:
    """A JSON value with its numbers as they are written, so that `1.0`, `1` and `1.00` differ."""
    return json.loads(text, parse_int=lambda digits: ("number", digits), parse_float=lambda digits: ("number", digits))


def line(gateway: Gateway) -> bytes:
    """The next line that the gateway writes, as it is."""
    raw = gateway._arrived.get(timeout=PATIENCE)
    assert raw is not None, f"the gateway ended: {gateway.errors}"
    return raw.removesuffix(b"\n")


def answer_line(gateway: Gateway, identifier: Json) -> bytes:
    """The line that answers a request; other messages before it are dropped."""
    while True:
        raw = line(gateway)
        message = json.loads(raw)
        if "method" not in message and message.get("id") == identifier and type(message["id"]) is type(identifier):
            return raw


def response(identifier: Json, rest: str) -> str:
    """The text of a response; `rest` is that of its `"result":…` or `"error":…` and what else it says."""
    return f'{{"jsonrpc":"2.0","id":{json.dumps(identifier)},{rest}}}'


def says(rest: str, *before: str, status: int = 200) -> Reply:
    """A scripted upstream answers with this text, after these events on the same stream if there are any."""

    def reply(asked: Asked, line: Line) -> None:
        text = response(asked.message["id"], rest).encode()
        streamed = events(*(event.encode() for event in before), text, status=status)
        (streamed if before else http(status, text))(asked, line)

    return reply


def arrived(standin: Standin, identifier: Json) -> Entry:
    """The HTTP request with this JSON-RPC id, as it reached the stand-in."""

    def is_it(entry: Entry) -> bool:
        body = json.loads(str(entry["body"])) if entry.get("http") == "POST" else {}
        found = body.get("id")
        return "method" in body and found == identifier and type(found) is type(identifier)

    entry = standin.wait_for(is_it, PATIENCE)
    assert entry is not None, "it never arrived"
    return entry


def modern(params: dict[str, Json] | None = None, **meta: Json) -> dict[str, Json]:
    """Params of the stateless revision."""
    capabilities: Json = {"elicitation": {}, "sampling": {}, "roots": {}}
    own = {
        f"{META}protocolVersion": VERSION,
        f"{META}clientCapabilities": capabilities,
        f"{META}clientInfo": {"name": "by-hand", "version": "9"},
    }
    return {**(params or {}), "_meta": {**own, **meta}}
