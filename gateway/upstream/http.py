"""Streamable HTTP, one request at a time: what was answered, and if nothing was, whether the request may have run.

Never sends twice: whoever asks knows whether it may. What is left of an answer whose stream was cut is asked for where
that is possible (`streams`). Every failure is an `Answer` with a sentence that says what happened and which setting or
command is the cure; no failure of the upstream is an exception beyond this module, except for the streams that nobody
asked an answer of. Sizes and times are bounded by `HttpLimits`; redirects are followed within the origin (`origin`).

| what ends an exchange | the setting | its fate |
|---|---|---|
| no connection | `--connect-timeout` | not sent |
| no free connection | that of the request | not sent |
| no answer in time | `--request-timeout`, `--call-timeout`; progress begins it anew | unknown |
| progress without end | `--call-ceiling` | unknown |
| a stream that says nothing | `--idle-timeout` | unknown, unless the stream can be taken up |
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from gateway.clock import Clock, SystemClock
from gateway.credentials import Challenge
from gateway.errors import UpstreamError
from gateway.jsonrpc import Id, Message, parse_upstream, serialise
from gateway.upstream import Answer, Deliver, Fate, Still
from gateway.upstream.failures import endless, retry_after, unusable
from gateway.upstream.origin import FOLLOWED, MOST_REDIRECTS
from gateway.upstream.patience import Patience
from gateway.upstream.sse import EventStream
from gateway.upstream.streams import Cut, Messages, same_id, waits
from gateway.upstream.wire import Broken, NotSent, Response, Silent, Wire

_DRAIN_SECONDS = 1.0
"""For what follows an answer on its stream, usually only the end."""
_ACCEPT = "application/json, text/event-stream"
_ENDED_EARLY = "the upstream ended the stream before its answer"
_ANOTHER_ID = "the upstream answered with the id of another request"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one exchange, in seconds and bytes."""

    connect_timeout: float = 10.0
    request_timeout: float = 45.0
    call_timeout: float = 330.0
    max_message_bytes: int = 16 * 2**20
    call_ceiling: float = 3600.0
    idle_timeout: float = 330.0


class Outgoing(NamedTuple):
    """What is posted: the bytes, the id that the answer must carry (None: a notification or a response), the headers.

    `timeout` bounds the whole exchange, in seconds; `setting` is the option that a time-out names. `resumable` says
    whether a stream that ends before the answer can be taken up again: in the handshake eras, within a session.
    `token` is what progress of this request carries. `fresh` wants a connection that nobody has used before. `still` is
    asked before it is sent once more.
    """

    body: bytes
    id: Id | None
    headers: Mapping[str, str]
    timeout: float | None
    setting: str
    resumable: bool = False
    token: Id | None = None
    fresh: bool = False
    still: Still | None = None


class HttpClient:
    """One MCP endpoint. Made inside the running loop; closed with `close`."""

    def __init__(self, url: str, headers: Mapping[str, str], limits: HttpLimits, clock: Clock | None = None) -> None:
        self.limits = limits
        self._given = dict(headers)
        self._headers = {"User-Agent": "keyid-gateway", **headers}
        self._of_session: tuple[Mapping[str, str], Mapping[str, str]] | None = None
        self._wire = Wire(url, connect_timeout=limits.connect_timeout)
        self._clock = clock or SystemClock()

    async def post(self, outgoing: Outgoing, deliver: Deliver) -> Answer:
        """Send one message; messages that precede its answer on the stream are delivered in their order."""
        headers = self._all_headers(outgoing)
        patience = Patience(outgoing.timeout, outgoing.setting, self.limits.call_ceiling)
        deliver = patience.watching(outgoing.token, deliver)
        try:
            async with patience.time:
                response = await self._request(
                    "POST", headers, outgoing.body, patience, fresh=outgoing.fresh, aside=outgoing.id is None
                )
                try:
                    return await self._settled(response, outgoing, deliver)
                except Cut as cut:
                    return await self._resumed(cut, outgoing, deliver)
        except NotSent as error:
            return Answer("not sent", failure=str(error))
        except TimeoutError:
            return Answer("unknown" if patience.sent else "not sent", failure=patience.spent(), timed_out=patience.sent)
        except UpstreamError as error:
            return Answer("unknown", failure=f"{error.message} ({error.hint})" if error.hint else error.message)
        except Silent:
            return self._silent()
        except Broken as error:
            return Answer("unknown", failure=str(error), lost=True)

    def _all_headers(self, outgoing: Outgoing) -> Mapping[str, str]:
        """All headers of a POST. A session has the same for each of its requests, which are put together once."""
        if self._of_session is not None and self._of_session[0] is outgoing.headers:
            return self._of_session[1]
        headers = {**self._headers, **outgoing.headers, "Content-Type": "application/json", "Accept": _ACCEPT}
        if outgoing.resumable:
            self._of_session = outgoing.headers, headers
        return headers

    async def _request(
        self,
        method: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        patience: Patience | None = None,
        *,
        fresh: bool = False,
        aside: bool = False,
    ) -> Response:
        """Send one request, and again wherever a redirect within the origin says that it is to be made instead."""
        origin = self._wire.origin
        target = origin.target
        begun = patience.begin if patience is not None else None
        left = MOST_REDIRECTS
        while True:
            response = await self._wire.request(
                method, headers, body, target=target, fresh=fresh, aside=aside, sent=begun
            )
            if response.status not in FOLLOWED or not left:
                return response
            elsewhere = origin.redirected(target, response.headers.get("location", ""))
            if elsewhere is None:
                return response
            response.close()
            if patience is not None:
                patience.taken_back()
            target, left = elsewhere, left - 1

    @asynccontextmanager
    async def listen(
        self, headers: Mapping[str, str], events: EventStream, idle: float | None = None
    ) -> AsyncIterator[tuple[int, Messages]]:
        """A GET stream: its status (405 where it is none), and its messages. Raises `NotSent`, `Broken`.

        Where `events` has a last id, the stream is asked for from there on. `idle` bounds its silence, in seconds.
        """
        headers = {**self._headers, **headers, "Accept": "text/event-stream"}
        if events.last_id:
            headers["Last-Event-ID"] = events.last_id.encode().decode("latin-1")  # as bytes, it is UTF-8 again
        response = await self._request("GET", headers)
        try:
            is_stream = response.status == 200 and response.content_type == "text/event-stream"
            status = response.status if is_stream or response.status != 200 else 405
            yield status, Messages(response.chunks(idle), events)
        finally:
            response.close()

    async def delete(self, headers: Mapping[str, str]) -> None:
        """End a session. Whether the server minds is its own affair. Raises `NotSent`, `Broken`."""
        response = await self._request("DELETE", {**self._headers, **headers}, aside=True)
        response.close()

    def close(self) -> None:
        """Drop every connection that no request uses; those in use go with their requests."""
        self._wire.close()

    async def _settled(self, response: Response, outgoing: Outgoing, deliver: Deliver) -> Answer:
        """Read the answer. Closing the stream cancels the request in the stateless era, so only a cancel closes it."""
        try:
            answer = await self._read(response, outgoing, deliver)
        except BaseException:  # a cancellation too: what was opened is let go of, and whatever it was goes on
            response.close()
            raise
        if not response.finish():
            response.let_go(_DRAIN_SECONDS)
        return answer

    def _silent(self) -> Answer:
        text = f"the upstream said nothing for {self.limits.idle_timeout:g} s on the stream of its answer"
        return Answer("unknown", failure=f"{text} (`--idle-timeout`)", timed_out=True)

    async def _read(self, response: Response, outgoing: Outgoing, deliver: Deliver) -> Answer:
        if response.status in (200, 201) and response.content_type == "text/event-stream":
            return await self._read_stream(response, outgoing, deliver)
        body = await self._body(response)
        if outgoing.id is None and response.status < 300:
            return Answer("answered", status=response.status, session_id=_session_id(response))
        message = parse_upstream(body) if response.content_type == "application/json" else None
        if isinstance(message, Message) and message.kind == "response":
            return self._matched(message, outgoing, response)
        return self._unusable(response, outgoing)

    async def _read_stream(self, response: Response, outgoing: Outgoing, deliver: Deliver) -> Answer:
        events = EventStream(self.limits.max_message_bytes)
        found, answer = None, Answer("unknown", status=response.status, failure=_ENDED_EARLY)
        try:
            found = await Messages(response.chunks(self._idle(outgoing)), events).until(outgoing.id, deliver)
        except Broken as error:
            if not (outgoing.resumable and events.last_id):
                raise
            silent = isinstance(error, Silent)
            answer = self._silent() if silent else Answer("unknown", failure=str(error), lost=True)
        if found is not None or outgoing.id is None:
            return Answer("answered", found, response.status, session_id=_session_id(response))
        if outgoing.resumable and events.last_id:
            response.close()
            raise Cut(events, answer)
        return answer

    def _matched(self, message: Message, outgoing: Outgoing, response: Response) -> Answer:
        """The response in a JSON body. An error status may come with an error that does not know the request's id."""
        same = same_id(message.id, outgoing.id)
        if not same and not (response.status >= 400 and "error" in message.body):
            return Answer("unknown", status=response.status, failure=_ANOTHER_ID)
        if not same:
            body = {**message.body, "id": outgoing.id}
            message = Message("response", outgoing.id, "", body, serialise(body))
        challenge = _challenge(response) if "error" in message.body else None
        did_not_run = "error" in message.body and _did_not_run(response.status, outgoing)  # what has a result did run
        fate: Fate = "refused" if challenge or did_not_run else "answered"
        wait = retry_after(response.headers, self._clock.now())
        return Answer(fate, message, response.status, None, wait, _session_id(response), challenge=challenge)

    def _unusable(self, response: Response, outgoing: Outgoing) -> Answer:
        status, headers = response.status, response.headers
        wait = retry_after(headers, self._clock.now())
        within = status in FOLLOWED and self._wire.origin.redirected("/", headers.get("location", "")) is not None
        text = endless(status) if within else unusable(status, headers, self._given, wait)
        challenge = _challenge(response)
        fate: Fate = "refused" if challenge or _did_not_run(status, outgoing) else "unknown"
        return Answer(fate, None, status, text, wait, challenge=challenge)

    def _idle(self, outgoing: Outgoing) -> float | None:
        """How long the stream of an answer may say nothing; one that only listens may for ever."""
        return None if outgoing.timeout is None else self.limits.idle_timeout

    async def _resumed(self, cut: Cut, outgoing: Outgoing, deliver: Deliver) -> Answer:
        """Ask for the rest of an answer. Whatever becomes of that, the request was sent: its own fate does not change.

        So the status of an attempt is none of the request: a 404 here is no reason to send it again.
        """
        for seconds in waits(cut.events):
            await asyncio.sleep(seconds)
            with suppress(NotSent, Broken):
                async with self.listen(outgoing.headers, cut.events, self._idle(outgoing)) as (status, messages):
                    if will_not_stream(status):
                        break
                    found = await messages.until(outgoing.id, deliver) if status == 200 else None
                    if found is not None:
                        return Answer("answered", found, status)
        return cut.otherwise

    async def _body(self, response: Response) -> bytes:
        whole = response.whole()
        if whole is not None:
            self._check_size(len(whole))
            return whole
        chunks, size = [], 0
        async for chunk in response.chunks():
            chunks.append(chunk)
            size += len(chunk)
            self._check_size(size)
        return b"".join(chunks)

    def _check_size(self, size: int) -> None:
        if size > self.limits.max_message_bytes:
            raise UpstreamError(
                f"the upstream's answer is larger than {self.limits.max_message_bytes} bytes",
                "raise `--max-message-bytes`",
            )


def _challenge(response: Response) -> Challenge | None:
    return Challenge.of(response.status, response.headers.get("www-authenticate", ""))


def _session_id(response: Response) -> str | None:
    return response.headers.get("mcp-session-id")


def will_not_stream(status: int) -> bool:
    """Whether a status says that there is no stream and will be none, rather than none now.

    408 and 429 pass; so does 409, by which a server says that it still holds the stream that has just been lost.
    """
    return 400 <= status < 500 and status not in (408, 409, 429)


def _did_not_run(status: int, outgoing: Outgoing) -> bool:
    """Whether a status says that no tool ran: nobody was let in, it is elsewhere, or the session was unknown."""
    return status in FOLLOWED or status in (401, 429) or (status == 404 and "Mcp-Session-Id" in outgoing.headers)
