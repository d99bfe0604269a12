"""Streamable HTTP, one request at a time: what was answered, and if nothing was, whether the request may have run.

Never retries: whoever asks knows whether it may. Every failure is an `Answer` with a sentence that says what happened
and which setting or command is the cure; no failure of the upstream is an exception beyond this module. Sizes and times
are bounded by `HttpLimits`; redirects are not followed; the environment's proxies and `.netrc` are not read, so that no
traffic goes where the settings do not say.

An idle connection is kept for less than the five seconds after which common servers close theirs: a request sent into
a closing connection would be one whose fate nobody knows.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from gateway.errors import UpstreamError
from gateway.jsonrpc import Id, Message, Refusal, parse_upstream, serialise
from gateway.upstream import Answer, Deliver
from gateway.upstream.sse import EventStream

_KEEP_ALIVE_SECONDS = 4.0
_DRAIN_SECONDS = 1.0
_ACCEPT = "application/json, text/event-stream"


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

    `timeout` bounds the whole exchange, in seconds; `setting` is the option that a time-out names.
    """

    body: bytes
    id: Id | None
    headers: Mapping[str, str]
    timeout: float | None
    setting: str


class HttpClient:
    """The connections to one MCP endpoint. Made inside the running loop; closed with `close`."""

    def __init__(self, url: str, headers: Mapping[str, str], limits: HttpLimits) -> None:
        self.limits = limits
        self._url = url
        self._headers = dict(headers)
        self._drains: set[asyncio.Task[None]] = set()
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=limits.connect_timeout, sock_connect=limits.connect_timeout
            ),
            read_bufsize=2**18,
            trust_env=False,
            skip_auto_headers=("User-Agent",),
            headers={"User-Agent": "keyid-gateway"},
        )

    async def post(self, outgoing: Outgoing, deliver: Deliver) -> Answer:
        """Send one message; messages that precede its answer on the stream are delivered in their order."""
        headers = {**self._headers, **outgoing.headers, "Content-Type": "application/json", "Accept": _ACCEPT}
        try:
            async with asyncio.timeout(outgoing.timeout):
                response = await self._http.post(self._url, data=outgoing.body, headers=headers, allow_redirects=False)
                return await self._settled(response, outgoing, deliver)
        except aiohttp.ConnectionTimeoutError:
            seconds = self.limits.connect_timeout
            return Answer("not sent", failure=f"no connection to the upstream within {seconds:g} s (--connect-timeout)")
        except aiohttp.ClientConnectorError as error:
            return Answer("not sent", failure=f"cannot connect to the upstream: {_reason(error)}")
        except TimeoutError:
            return Answer("unknown", failure=_too_slow(outgoing))
        except UpstreamError as error:
            return Answer("unknown", failure=f"{error.message} ({error.hint})" if error.hint else error.message)
        except (aiohttp.ClientError, OSError) as error:
            return Answer("unknown", failure=f"the connection to the upstream was lost: {_reason(error)}", lost=True)

    @asynccontextmanager
    async def listen(self, headers: Mapping[str, str]) -> "AsyncIterator[tuple[int, AsyncIterator[Message]]]":
        """A GET stream: its status, and its messages as they come. Raises `aiohttp.ClientError` where it breaks."""
        wanted = {**self._headers, **headers, "Accept": "text/event-stream"}
        response = await self._http.get(self._url, headers=wanted, allow_redirects=False)
        try:
            is_stream = response.status == 200 and response.content_type == "text/event-stream"
            yield (response.status if is_stream or response.status != 200 else 405), self._messages(response)
        finally:
            response.close()

    async def delete(self, headers: Mapping[str, str]) -> None:
        """End a session. Whether the server minds is its own affair."""
        async with self._http.delete(self._url, headers={**self._headers, **headers}, allow_redirects=False):
            return

    async def close(self) -> None:
        """Drop every connection."""
        for task in self._drains:
            task.cancel()
        await self._http.close()

    async def _settled(self, response: aiohttp.ClientResponse, outgoing: Outgoing, deliver: Deliver) -> Answer:
        """Read the answer. Closing the stream cancels the request in the stateless era, so only a cancel closes it."""
        try:
            answer = await self._read(response, outgoing, deliver)
        except BaseException:
            response.close()
            raise
        self._let_go(response)
        return answer

    async def _read(self, response: aiohttp.ClientResponse, outgoing: Outgoing, deliver: Deliver) -> Answer:
        session_id = response.headers.get("Mcp-Session-Id")
        if response.status in (200, 201) and response.content_type == "text/event-stream":
            return await self._read_stream(response, outgoing, deliver, session_id)
        body = await self._body(response)
        if outgoing.id is None and response.status < 300:
            return Answer("answered", status=response.status, session_id=session_id)
        message = parse_upstream(body) if response.content_type == "application/json" else None
        if isinstance(message, Message) and message.kind == "response":
            return _matched(message, outgoing, response, session_id)
        return _unusable(response)

    async def _read_stream(
        self, response: aiohttp.ClientResponse, outgoing: Outgoing, deliver: Deliver, session_id: str | None
    ) -> Answer:
        async for message in self._messages(response):
            if message.kind != "response":
                await deliver(message)
            elif message.id == outgoing.id and type(message.id) is type(outgoing.id):
                return Answer("answered", message, response.status, session_id=session_id)
        if outgoing.id is None:
            return Answer("answered", status=response.status, session_id=session_id)
        return Answer("unknown", status=response.status, failure="the upstream ended the stream before its answer")

    async def _messages(self, response: aiohttp.ClientResponse) -> AsyncIterator[Message]:
        events = EventStream(self.limits.max_message_bytes)
        async for chunk in response.content.iter_any():
            for event in events.feed(chunk):
                message = parse_upstream(event.data)
                if isinstance(message, Refusal):
                    raise UpstreamError(f"the upstream sent an event that is no JSON-RPC message: {message.message}")
                yield message

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        chunks, size = [], 0
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > self.limits.max_message_bytes:
                raise UpstreamError(
                    f"the upstream's answer is larger than {self.limits.max_message_bytes} bytes",
                    "raise --max-message-bytes",
                )
        return b"".join(chunks)

    def _let_go(self, response: aiohttp.ClientResponse) -> None:
        """Give the connection back: at once if it is read to its end, else when the server ends the stream soon."""
        if response.content.at_eof() or response.connection is None:
            response.release()
            return
        task = asyncio.create_task(_drain(response))
        self._drains.add(task)
        task.add_done_callback(self._drains.discard)


async def _drain(response: aiohttp.ClientResponse) -> None:
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in response.content.iter_any():
                continue
    except (aiohttp.ClientError, OSError, TimeoutError):
        response.close()
    else:
        response.release()


def _matched(
    message: Message, outgoing: Outgoing, response: aiohttp.ClientResponse, session_id: str | None
) -> Answer:
    """The response in a JSON body. An error status may come with an error that does not know the request's id."""
    same = message.id == outgoing.id and type(message.id) is type(outgoing.id)
    if not same and not (response.status >= 400 and "error" in message.body):
        return Answer("unknown", status=response.status, failure="the upstream answered with the id of another request")
    if not same:
        body = {**message.body, "id": outgoing.id}
        message = Message("response", outgoing.id, "", body, serialise(body))
    fate = "refused" if response.status in (401, 404, 429) else "answered"
    return Answer(fate, message, response.status, None, _retry_after(response), session_id)


def _unusable(response: aiohttp.ClientResponse) -> Answer:
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
            text = f"the upstream redirects (HTTP {status}) to {_target(response)}: if that is right, give it as --upstream"
        case _ if status >= 500:
            text = f"the upstream failed (HTTP {status}): try again later"
        case _ if status < 300:
            text = f"the upstream answered HTTP {status} with `{response.content_type}`, not with a JSON-RPC message"
        case _:
            text = f"the upstream refused the request (HTTP {status})"
    fate = "refused" if status in (401, 404, 429) else "unknown"
    return Answer(fate, None, status, text, retry_after)


def _target(response: aiohttp.ClientResponse) -> str:
    parts = urlsplit(response.headers.get("Location", ""))
    return f"{parts.scheme}://{parts.hostname}{parts.path}" if parts.hostname else parts.path or "nowhere"


def _retry_after(response: aiohttp.ClientResponse) -> int | None:
    value = response.headers.get("Retry-After", "")
    return int(value) if value.isdigit() and len(value) < 8 else None


def _too_slow(outgoing: Outgoing) -> str:
    return f"the upstream did not answer within {outgoing.timeout:g} s ({outgoing.setting})"


def _reason(error: Exception) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return str(cause) or type(cause).__name__
