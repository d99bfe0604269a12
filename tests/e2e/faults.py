"""The faults: what the upstream does with a call, and what becomes of it.

Each is one row: the reply (or the replies, one for each time that the call is expected to arrive), the text and the
data of the client's error, what the log says, and whether the limit was used.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.e2e import scripted
from tests.e2e.place import GIVEN_BACK, KEPT
from tests.e2e.scripted import PATIENCE, Asked, Json, Line, Reply, events, http, message, raw, stream

UNKNOWN, REFUSED, NOT_SENT = "no answer: unknown", "no answer: refused", "no answer: not sent"
HTML = b"<html><body>hello</body></html>"
NOTE: Final[Json] = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
MAX_BYTES = 65536


@dataclass(frozen=True)
class Fault:
    """One row. `{url}` in the text is that of the upstream."""

    reply: Reply | tuple[Reply, ...]
    text: str
    status: int | None
    outcome: str = UNKNOWN
    charge: str = KEPT
    retry_after: int | None = None

    @property
    def replies(self) -> tuple[Reply, ...]:
        return self.reply if isinstance(self.reply, tuple) else (self.reply,)

    def error(self, url: str) -> Json:
        """The whole error that the client gets."""
        data = {"status": self.status, "retry_after_seconds": self.retry_after}
        known = {name: value for name, value in data.items() if value is not None}
        return {
            "code": -32603,
            "message": self.text.replace("{url}", url),
            **({"data": known} if known else {}),
        }


def elsewhere(status: int, location: str) -> Reply:
    """A redirect."""
    return http(status, headers={"Location": location})


def back_to(status: int) -> Reply:
    """A redirect to the same address, written out."""
    return lambda asked, line: elsewhere(status, f"http://{asked.headers['host']}/mcp")(asked, line)


def half_an_answer(asked: Asked, line: Line) -> None:
    """The beginning of an answer, and nothing more, though the connection stays open."""
    line.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{")
    scripted.silence(asked, line)


def progress_without_end(asked: Asked, line: Line) -> None:
    """A stream that reports progress of the request for as long as somebody listens."""
    token = asked.message["params"]["_meta"]["progressToken"]
    note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 1}}
    line.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    over = threading.Event()
    for _ in range(int(PATIENCE / 0.05)):
        line.send(b"data: " + json.dumps(note).encode() + b"\n\n")
        over.wait(0.05)


def comments_without_end(_: Asked, line: Line) -> None:
    """A stream on which nothing is said, though it lives."""
    line.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    over = threading.Event()
    for _number in range(int(PATIENCE / 0.05)):
        line.send(b": still here\n\n")
        over.wait(0.05)


CUT_OFF = "the upstream's answer was cut off"
ENDED = "the upstream ended the stream before its answer"
TOO_LARGE = f"the upstream's answer is larger than {MAX_BYTES} bytes (raise `--max-message-bytes`)"
NO_MESSAGE = "the upstream answered HTTP {} with `{}`, not with a JSON-RPC message"
NO_EVENT = "the upstream sent an event that is no JSON-RPC message: "

CONNECTIONS: Final[Mapping[str, Fault]] = {
    "closed before the answer": Fault(
        scripted.hang_up, "the connection to the upstream was closed before an answer", None
    ),
    "closed in the head": Fault(
        raw(b"HTTP/1.1 200 OK\r\nContent-Ty"), "the connection to the upstream was closed before an answer", None
    ),
    "not HTTP": Fault(raw(b"220 mail.example ESMTP\r\n\r\n"), "the upstream's answer is not HTTP", None),
    "truncated body": Fault(
        raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"), CUT_OFF, None
    ),
    "truncated chunks": Fault(
        raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"),
        CUT_OFF, None,
    ),
}  # fmt: skip

STATUSES: Final[Mapping[str, Fault]] = {
    "400": Fault(http(400), "the upstream refused the request (HTTP 400)", 400),
    "401": Fault(
        http(401),
        "the upstream does not accept the credentials in `X-Token` (HTTP 401): wrong or expired",
        401, REFUSED, GIVEN_BACK,
    ),
    "403": Fault(
        http(403, HTML, "text/html"),
        "the upstream forbids this (HTTP 403): the credentials in `X-Token` do not permit it",
        403,
    ),
    "405": Fault(http(405), "the upstream refused the request (HTTP 405)", 405),
    "413": Fault(http(413), "the upstream refused the request (HTTP 413)", 413),
    "429 with seconds": Fault(
        http(429, headers={"Retry-After": "17"}),
        "the upstream is limiting requests (HTTP 429): try again in 17 s",
        429, REFUSED, GIVEN_BACK, 17,
    ),
    "429 with a date": Fault(
        http(
            429,
            headers={"Date": "Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After": "Sun, 06 Nov 1994 08:50:07 GMT"},
        ),
        "the upstream is limiting requests (HTTP 429): try again in 30 s",
        429, REFUSED, GIVEN_BACK, 30,
    ),
    "429 with a day and more": Fault(
        http(429, headers={"Retry-After": "9999999999"}),
        "the upstream is limiting requests (HTTP 429): try again in 86400 s",
        429, REFUSED, GIVEN_BACK, 86_400,
    ),
    "429 without a time": Fault(
        http(429), "the upstream is limiting requests (HTTP 429)", 429, REFUSED, GIVEN_BACK
    ),
    "500": Fault(http(500), "the upstream failed (HTTP 500): try again later", 500),
    "502": Fault(http(502, HTML, "text/html"), "the upstream failed (HTTP 502): try again later", 502),
    "503": Fault(http(503), "the upstream failed (HTTP 503): try again later", 503),
    "503 with seconds": Fault(
        http(503, headers={"Retry-After": "5"}), "the upstream failed (HTTP 503): try again in 5 s", 503,
        UNKNOWN, KEPT, 5,
    ),
    "a web page": Fault(http(200, HTML, "text/html; charset=utf-8"), NO_MESSAGE.format(200, "text/html"), 200),
    "no content": Fault(
        http(202), "the upstream answered HTTP 202 without content, not with a JSON-RPC message", 202
    ),
}  # fmt: skip

NOT_FOLLOWED = "another origin, where nothing was sent: is that the right `--upstream`?"
REDIRECTS: Final[Mapping[str, Fault]] = {
    "to another host": Fault(
        elsewhere(307, "https://elsewhere.example/mcp?key=secret"),
        f"the upstream redirects (HTTP 307) to `https://elsewhere.example/mcp`, {NOT_FOLLOWED}",
        307, REFUSED, GIVEN_BACK,
    ),
    "to another port": Fault(
        elsewhere(308, "http://127.0.0.1:1/mcp"),
        f"the upstream redirects (HTTP 308) to `http://127.0.0.1:1/mcp`, {NOT_FOLLOWED}",
        308, REFUSED, GIVEN_BACK,
    ),
    "to another scheme": Fault(
        elsewhere(307, "https://127.0.0.1/mcp"),
        f"the upstream redirects (HTTP 307) to `https://127.0.0.1/mcp`, {NOT_FOLLOWED}",
        307, REFUSED, GIVEN_BACK,
    ),
    "to somebody's name": Fault(
        lambda asked, line: elsewhere(307, f"http://a:b@{asked.headers['host']}/mcp")(asked, line),
        f"the upstream redirects (HTTP 307) to `{{url}}`, {NOT_FOLLOWED}",
        307, REFUSED, GIVEN_BACK,
    ),
    "in a circle": Fault(
        (back_to(307),) * 4,
        "the upstream redirects (HTTP 307) more than 3 times in a row: check `--upstream`",
        307, REFUSED, GIVEN_BACK,
    ),
    **{
        f"that does not keep the request ({status})": Fault(
            back_to(status), f"the upstream redirects (HTTP {status}) to `{{url}}`: is that the right `--upstream`?",
            status,
        )
        for status in (301, 302, 303)
    },
    "to nowhere": Fault(
        http(302), "the upstream redirects (HTTP 302) to nowhere: is that the right `--upstream`?", 302
    ),
}  # fmt: skip

MESSAGES: Final[Mapping[str, Fault]] = {
    "truncated JSON": Fault(http(200, b'{"jsonrpc":"2.0","id":'), NO_MESSAGE.format(200, "application/json"), 200),
    "the id of another request": Fault(
        message({"id": 987_654, "result": {}}), "the upstream answered with the id of another request", 200
    ),
    "the id as another type": Fault(
        lambda asked, line: message({"id": str(asked.message["id"]), "result": {}})(asked, line),
        "the upstream answered with the id of another request",
        200,
    ),
    "an oversized answer": Fault(http(200, b'"' + b"x" * 70_000 + b'"'), TOO_LARGE, None),
    "a stream that ends at once": Fault(stream(), ENDED, 200),
    "a stream that ends early": Fault(events(NOTE), ENDED, 200),
    "a stream cut in an event": Fault(
        stream(then=lambda _, line: line.send(b'data: {"jsonrpc":"2.0","id":')), ENDED, 200
    ),
    "another id on a stream": Fault(events({"jsonrpc": "2.0", "id": 987_654, "result": {}}), ENDED, 200),
    "an event that is no JSON": Fault(events(b"hello"), f"{NO_EVENT}expecting value: line 1 column 1 (char 0)", None),
    "an oversized event": Fault(
        stream(b'"' + b"x" * 70_000 + b'"'),
        f"the upstream sent an event of more than {MAX_BYTES} bytes (raise `--max-message-bytes`)",
        None,
    ),
    "an event without end": Fault(
        stream(then=scripted.without_end(b"data: " + b"x" * 4096 + b"\n")),
        f"the upstream sent an event of more than {MAX_BYTES} bytes (raise `--max-message-bytes`)",
        None,
    ),
}  # fmt: skip

CALL_SECONDS, IDLE_SECONDS, CEILING_SECONDS = 2.0, 1.0, 3.0
TIMES: Final[Mapping[str, Fault]] = {
    "no answer": Fault(
        scripted.silence, f"the upstream did not answer within {CALL_SECONDS:g} s (`--call-timeout`)", None
    ),
    "half an answer": Fault(
        half_an_answer,
        f"the upstream did not answer within {CALL_SECONDS:g} s (`--call-timeout`)",
        None,
    ),
    "an idle stream": Fault(
        stream(NOTE, then=scripted.silence),
        f"the upstream said nothing for {IDLE_SECONDS:g} s on the stream of its answer (`--idle-timeout`)",
        None,
    ),
    "a stream that only lives": Fault(
        comments_without_end, f"the upstream did not answer within {CALL_SECONDS:g} s (`--call-timeout`)", None
    ),
    "progress without end": Fault(
        progress_without_end,
        f"the upstream did not answer within {CEILING_SECONDS:g} s, whatever progress it reported (`--call-ceiling`)",
        None,
    ),
}  # fmt: skip
