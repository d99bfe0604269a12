"""Streamable HTTP, one request at a time: what was answered, and if nothing was, whether the request may have run.

Never sends twice: whoever asks knows whether it may. What is left of an answer whose stream was cut is asked for where
that is possible (`streams`). Every failure is an `Answer` with a sentence that says what happened and which setting or
command is the cure; no failure of the upstream is an exception beyond this module, except for the streams that nobody
asked an answer of. Sizes and times are bounded by `HttpLimits`; redirects are not followed.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.errors import UpstreamError
from gateway.jsonrpc import Id, Message, parse_upstream, serialise
from gateway.upstream import Answer, Deliver, Fate
from gateway.upstream.sse import EventStream
from gateway.upstream.streams import Cut, Messages, same_id, waits
from gateway.upstream.wire import Broken, NotSent, Response, Wire

_DRAIN_SECONDS = 1.0
_ACCEPT = "application/json, text/event-stream"
_ENDED_EARLY = "the upstream ended the stream before its answer"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one exchange, in seconds and bytes."""

    connect_timeout: float = 10.0
    request_timeout: float = 45.0
    call_timeout: float = 330.0
    max_message_bytes: int = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is posted: the bytes, the id that the answer must carry (None: a notification or a response), the headers.

    `timeout` bounds the whole exchange, in seconds; `setting` is the option that a time-out names. `resumable` says
    whether a stream that ends before the answer can be taken up again: in the handshake eras, within a session.
    """

    body: bytes
    id: Id | None
    headers: Mapping[str, str]
    timeout: float | None
    setting: str
    resumable: bool = False


class HttpClient:
    """One MCP endpoint. Made inside the running loop; closed with `close`."""

    def __init__(self, url: str, headers: Mapping[str, str], limits: HttpLimits) -> None:
        self.limits = limits
        self._headers = {"User-Agent": "keyid-gateway", **headers}
        self._wire = Wire(url, connect_timeout=limits.connect_timeout)
        self._drains: set[asyncio.Task[None]] = set()

    async def post(self, outgoing: Outgoing, deliver: Deliver) -> Answer:
        """Send one message; messages that precede its answer on the stream are delivered in their order."""
        headers = {**self._headers, **outgoing.headers, "Content-Type": "application/json", "Accept": _ACCEPT}
        try:
            async with asyncio.timeout(outgoing.timeout):
                response = await self._wire.request("POST", headers, outgoing.body)
                try:
                    return await self._settled(response, outgoing, deliver)
                except Cut as cut:
                    return await self._resumed(cut, outgoing, deliver)
        except NotSent as error:
            return Answer("not sent", failure=str(error))
        except TimeoutError:
            return Answer("unknown", failure=_too_slow(outgoing))
        except UpstreamError as error:
            return Answer("unknown", failure=f"{error.message} ({error.hint})" if error.hint else error.message)
        except Broken as error:
            return Answer("unknown", failure=str(error), lost=True)

    @asynccontextmanager
    async def listen(self, headers: Mapping[str, str], events: EventStream) -> AsyncIterator[tuple[int, Messages]]:
        """A GET stream: its status (405 where it is none), and its messages. Raises `NotSent`, `Broken`.

        Where `events` has a last id, the stream is asked for from there on.
        """
        headers = {**self._headers, **headers, "Accept": "text/event-stream"}
        if events.last_id:
            headers["Last-Event-ID"] = events.last_id.encode().decode("latin-1")  # as bytes, it is UTF-8 again
        response = await self._wire.request("GET", headers)
        try:
            is_stream = response.status == 200 and response.content_type == "text/event-stream"
            status = response.status if is_stream or response.status != 200 else 405
            yield status, Messages(response.chunks(), events)
        finally:
            response.close()

    async def delete(self, headers: Mapping[str, str]) -> None:
        """End a session. Whether the server minds is its own affair. Raises `NotSent`, `Broken`."""
        response = await self._wire.request("DELETE", {**self._headers, **headers})
        response.close()

    def close(self) -> None:
        """Drop every idle connection; those in use go with their requests."""
        for task in self._drains:
            task.cancel()
        self._wire.close()

    async def _settled(self, response: Response, outgoing: Outgoing, deliver: Deliver) -> Answer:
        """Read the answer. Closing the stream cancels the request in the stateless era, so only a cancel closes it."""
        try:
            answer = await self._read(response, outgoing, deliver)
        except BaseException:  # a cancellation too: what was opened is let go of, and whatever it was goes on
            response.close()
            raise
        if not response.finish():
            task = asyncio.create_task(_drain(response))
            self._drains.add(task)
            task.add_done_callback(self._drains.discard)
        return answer

    async def _read(self, response: Response, outgoing: Outgoing, deliver: Deliver) -> Answer:
        if response.status in (200, 201) and response.content_type == "text/event-stream":
            return await self._read_stream(response, outgoing, deliver)
        body = await self._body(response)
        if outgoing.id is None and response.status < 300:
            return Answer("answered", status=response.status, session_id=_session_id(response))
        message = parse_upstream(body) if response.content_type == "application/json" else None
        if isinstance(message, Message) and message.kind == "response":
            return _matched(message, outgoing, response)
        return _unusable(response, outgoing)

    async def _read_stream(self, response: Response, outgoing: Outgoing, deliver: Deliver) -> Answer:
        events = EventStream(self.limits.max_message_bytes)
        found, answer = None, Answer("unknown", status=response.status, failure=_ENDED_EARLY)
        try:
            found = await Messages(response.chunks(), events).until(outgoing.id, deliver)
        except Broken as error:
            if not (outgoing.resumable and events.last_id):
                raise
            answer = Answer("unknown", failure=str(error), lost=True)
        if found is not None or outgoing.id is None:
            return Answer("answered", found, response.status, session_id=_session_id(response))
        if outgoing.resumable and events.last_id:
            raise Cut(events, answer)
        return answer

    async def _resumed(self, cut: Cut, outgoing: Outgoing, deliver: Deliver) -> Answer:
        """Ask for the rest of an answer. Whatever becomes of that, the request was sent: its own fate does not change.

        So the status of an attempt is none of the request: a 404 here is no reason to send it again.
        """
        for seconds in waits(cut.events):
            await asyncio.sleep(seconds)
            with suppress(NotSent, Broken):
                async with self.listen(outgoing.headers, cut.events) as (status, messages):
                    if will_not_stream(status):
                        break
                    found = await messages.until(outgoing.id, deliver) if status == 200 else None
                    if found is not None:
                        return Answer("answered", found, status)
        return cut.otherwise

    async def _body(self, response: Response) -> bytes:
        chunks, size = [], 0
        async for chunk in response.chunks():
            chunks.append(chunk)
            size += len(chunk)
            if size > self.limits.max_message_bytes:
                raise UpstreamError(
                    f"the upstream's answer is larger than {self.limits.max_message_bytes} bytes",
                    "raise --max-message-bytes",
                )
        return b"".join(chunks)


async def _drain(response: Response) -> None:
    """Read what is left after an answer, usually only the end of the stream, so that the connection can be reused."""
    try:
        with suppress(Broken, TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                async for _ in response.chunks():
                    continue
    finally:
        if not response.finish():
            response.close()


def _session_id(response: Response) -> str | None:
    return response.headers.get("mcp-session-id")


def will_not_stream(status: int) -> bool:
    """Whether a status says that there is no stream and will be none, rather than none now."""
    return 400 <= status < 500 and status not in (408, 429)


def _matched(message: Message, outgoing: Outgoing, response: Response) -> Answer:
    """The response in a JSON body. An error status may come with an error that does not know the request's id."""
    same = same_id(message.id, outgoing.id)
    if not same and not (response.status >= 400 and "error" in message.body):
        return Answer("unknown", status=response.status, failure="the upstream answered with the id of another request")
    if not same:
        body = {**message.body, "id": outgoing.id}
        message = Message("response", outgoing.id, "", body, serialise(body))
    fate: Fate = "refused" if _did_not_run(response.status, outgoing) else "answered"
    return Answer(fate, message, response.status, None, _retry_after(response), _session_id(response))


def _did_not_run(status: int, outgoing: Outgoing) -> bool:
    """Whether a status says that no tool ran: nobody was let in, or the session was unknown."""
    return status in (401, 429) or (status == 404 and "Mcp-Session-Id" in outgoing.headers)


def _unusable(response: Response, outgoing: Outgoing) -> Answer:
    status = response.status
    retry_after = _retry_after(response)
    match status:
        case 401:
            text = "the upstream wants a sign-in (HTTP 401): pass credentials with --header 'Authorization: env:NAME'"
        case 403:
            text = "the upstream forbids this (HTTP 403): check the credentials given with --header"
        case 404:
            text = "the upstream has no MCP server at this address (HTTP 404): check --upstream"
        case 429:
            wait = f": try again in {retry_after} s" if retry_after else ""
            text = f"the upstream is limiting requests (HTTP 429){wait}"
        case _ if 300 <= status < 400:
            text = f"the upstream redirects (HTTP {status}) to {_target(response)}: is that the right --upstream?"
        case _ if status >= 500:
            text = f"the upstream failed (HTTP {status}): try again later"
        case _ if status < 300:
            what = f"with `{response.content_type}`" if response.content_type else "without content"
            text = f"the upstream answered HTTP {status} {what}, not with a JSON-RPC message"
        case _:
            text = f"the upstream refused the request (HTTP {status})"
    fate: Fate = "refused" if _did_not_run(status, outgoing) else "unknown"
    return Answer(fate, None, status, text, retry_after)


def _target(response: Response) -> str:
    try:
        parts = urlsplit(response.headers.get("location", ""))
    except ValueError:  # such as half an IPv6 address
        return "nowhere"
    return f"{parts.scheme}://{parts.hostname}{parts.path}" if parts.hostname else parts.path or "nowhere"


def _retry_after(response: Response) -> int | None:
    value = response.headers.get("retry-after", "")
    return int(value) if value.isdigit() and len(value) < 8 else None


def _too_slow(outgoing: Outgoing) -> str:
    return f"the upstream did not answer within {outgoing.timeout:g} s ({outgoing.setting})"
