"""The upstream as the relay sees it: requests and notifications, whatever the era.

Handshake eras (2024-11-05 to 2025-11-25): the client's own `initialize` opens the session; its id and the negotiated
version go with every later request; a GET stream carries what the server sends of its own accord; a 404 means that the
session is gone, so it is opened again **once for all waiters**, by replaying the client's `initialize` under an id of
the gateway's, and the refused request is sent again (a 404 did not run). DELETE ends it.

Stateless era (2026-07-28): each request says itself what it is; there is no session and no GET stream, and closing the
response stream cancels the request, which is what cancelling the task does. A request that does not say it, where no
session is open, is sent as one of this era, because nobody shakes hands there first: the server says what it lacks.

A `tools/call` is never sent twice. Requests that only read may be, once, if their connection was lost. A stream that
breaks in a handshake era is taken up where it broke, if its events have ids: an answer's, and the GET stream. What
nobody waits for any more is cancelled upstream: by a notification in a handshake era, by the closed stream in the
stateless one.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.jsonrpc import Json, Message, serialise
from gateway.upstream import Answer, Deliver, Still
from gateway.upstream.admission import Admission
from gateway.upstream.headers import is_modern, modern_headers
from gateway.upstream.http import HttpClient, Outgoing
from gateway.upstream.own_stream import OwnStream
from gateway.upstream.wire import Broken, NotSent

_LOG = logging.getLogger(__name__)
_GOODBYE_SECONDS = 0.4
_SESSIONLESS = frozenset({"initialize", "ping"})
_UNTIMED = frozenset({"subscriptions/listen"})
_PATIENT = frozenset({"tools/call", "prompts/get", "resources/read", "completion/complete"})
_READS = frozenset(
    {
        "ping",
        "initialize",
        "server/discover",
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "prompts/list",
        "resources/read",
        "prompts/get",
        "completion/complete",
    }
)


@dataclass(frozen=True, slots=True)
class Session:
    """An open session of a handshake era."""

    id: str | None
    version: str | None
    opening: Mapping[str, Json]
    """The params of the client's `initialize`."""

    headers: Mapping[str, str] = field(init=False, compare=False, repr=False)
    """What each request in it carries."""

    def __post_init__(self) -> None:
        headers = {"Mcp-Session-Id": self.id} if self.id is not None else {}
        headers |= {"MCP-Protocol-Version": self.version} if self.version else {}
        object.__setattr__(self, "headers", headers)


class Upstream:
    """One upstream server. `deliver` takes what it sends of its own accord.

    `renewed` hears of a session that was opened again, `missed` of a stream that broke: what the server says until it
    is back is lost.
    """

    def __init__(
        self, http: HttpClient | Admission, deliver: Deliver, renewed: Callable[[], None], missed: Callable[[], None]
    ) -> None:
        self._http = http
        self._deliver = deliver
        self._renewed = renewed
        self._session: Session | None = None
        self._renewal: asyncio.Task[bool] | None = None
        self._own_stream = OwnStream(http, deliver, missed)
        self._telling: set[asyncio.Task[None]] = set()
        self._replays: dict[str, Message] = {}
        self._prefix = f"gw-{secrets.token_hex(4)}-"
        self._count = 0

    # --- what the relay asks ------------------------------------------------------------------------------------------

    async def request(
        self, message: Message, *, body: bytes, schema: Mapping[str, Json] | None = None, still: Still | None = None
    ) -> Answer:
        """Send a request of the client and wait for its answer. `body` is what is sent: the judged bytes.

        `still` is asked before it is sent once more, which it is only where it certainly did not run.
        """
        if is_modern(message) or (self._session is None and message.method not in _SESSIONLESS):
            return await self._post(message, body, modern_headers(message, schema), still)
        session = self._session if message.method != "initialize" else None
        answer = await self._post(message, body, session.headers if session else {}, still)
        if answer.status == 404 and session is not None and session.id is not None:
            return await self._again(message, body, session, answer, still=still)
        if message.method == "initialize":
            await self._opened(message, answer)
        elif answer.result is not None:
            self._remember(message)
        return answer

    async def notify(self, message: Message) -> Answer:
        """Send a notification of the client, or its response to a request of the server."""
        session = self._session
        headers = modern_headers(message) if is_modern(message) else session.headers if session else {}
        answer = await self._post(message, message.raw, headers)
        if answer.failure is not None:
            _LOG.warning("%s was not delivered: %s", message.method or "a response", answer.failure)
        if message.method == "notifications/initialized":  # delivered or not: nobody says it again
            self._own_stream.open(self._own_headers)
        return answer

    async def ask(self, method: str, params: Mapping[str, Json], like: Message | None) -> Answer:
        """A request of the gateway's own. `like` is the client's message whose era and identity it takes."""
        if like is not None and is_modern(like):
            own = {key: value for key, value in like.meta.items() if key.startswith("io.modelcontextprotocol/")}
            params = {**params, "_meta": own}
        message = self._own(method, params)
        return await self.request(message, body=message.raw)

    @property
    def is_open(self) -> bool:
        """Whether a handshake session is open."""
        return self._session is not None

    async def close(self) -> None:
        """End the session, if the server has not, and drop every connection. Bounded to `_GOODBYE_SECONDS`."""
        self._own_stream.close()
        for task in (self._renewal, *self._telling):
            if task is not None:
                task.cancel()
        session, self._session = self._session, None
        await self._end(session)
        self._http.close()

    async def reopen(self, opening: Mapping[str, Json]) -> bool:
        """Open a session in the place of a client that has none, with the params of its `initialize`."""
        message = self._own("initialize", opening)
        answer = await self.request(message, body=message.raw)
        if answer.result is not None:
            await self.notify(_notification("notifications/initialized"))
            self._renewed()
        return answer.result is not None

    async def leave(self) -> tuple[Message, ...]:
        """End the session, if one is open: the client goes on without. What it would have had to be told again."""
        self._own_stream.close()
        session, self._session = self._session, None
        told = tuple(self._replays.values())
        self._replays.clear()
        await self._end(session)
        return told

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def _opened(self, message: Message, answer: Answer) -> None:
        if answer.result is None:
            return
        former, self._session = self._session, _session_of(message, answer)
        self._replays.clear()
        self._own_stream.close()
        await self._end(former)

    def _remember(self, message: Message) -> None:
        """Keep what a session that is opened again has to be told again."""
        uri = message.params.get("uri")
        match message.method:
            case "logging/setLevel":
                self._replays["level"] = message
            case "resources/subscribe":
                self._replays[f"uri {uri}"] = message
            case "resources/unsubscribe":
                self._replays.pop(f"uri {uri}", None)

    async def _end(self, session: Session | None) -> None:
        if session is None or session.id is None:
            return
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._http.delete(session.headers)
        except TimeoutError:
            _LOG.warning("the upstream did not confirm the end of the session in time")
        except (NotSent, Broken) as error:
            _LOG.info("the session could not be ended: %s", error)

    async def _again(
        self, message: Message, body: bytes, stale: Session, refused: Answer, *, still: Still | None
    ) -> Answer:
        """After a 404: open the session again, once for all who wait, and send the request once more."""
        if self._session is stale:
            if self._renewal is None or self._renewal.done():
                self._renewal = asyncio.create_task(self._renew(stale))
            if not await asyncio.shield(self._renewal):  # whoever is cancelled meanwhile leaves the others a session
                return refused
        if still is not None and not await still():
            return refused
        session = self._session
        return await self._post(message, body, session.headers if session else {}, still)

    async def _renew(self, stale: Session) -> bool:
        _LOG.warning("the upstream no longer knows the session: opening it again")
        opening = self._own("initialize", stale.opening)
        answer = await self._post(opening, opening.raw, {})
        if answer.result is None:
            return False
        session = _session_of(opening, answer)
        initialized = _notification("notifications/initialized")
        await self._post(initialized, initialized.raw, session.headers)
        for replayed in tuple(self._replays.values()):
            again = self._own(replayed.method, replayed.params)
            await self._post(again, again.raw, session.headers)
        if self._session is not stale:  # the client has begun anew itself
            await self._end(session)
            return True
        self._session = session
        self._own_stream.open(self._own_headers)
        self._renewed()
        return True

    def _own(self, method: str, params: Mapping[str, Json]) -> Message:
        self._count += 1
        identifier = f"{self._prefix}{self._count}"
        body: dict[str, Json] = {"jsonrpc": "2.0", "id": identifier, "method": method, "params": dict(params)}
        return Message("request", identifier, method, body, serialise(body))

    # --- the wire -----------------------------------------------------------------------------------------------------

    async def _post(
        self, message: Message, body: bytes, headers: Mapping[str, str], still: Still | None = None
    ) -> Answer:
        limits = self._http.limits
        timeout: float | None = limits.request_timeout
        setting = "--request-timeout"
        if message.method in _PATIENT:
            timeout, setting = limits.call_timeout, "--call-timeout"
        elif message.method in _UNTIMED:
            timeout = None
        identifier = message.id if message.kind == "request" else None
        token = message.meta.get("progressToken")
        modern = is_modern(message)
        in_session = self._session is not None and message.method != "initialize" and not modern
        resumable = in_session and identifier is not None
        outgoing = Outgoing(
            body,
            identifier,
            headers,
            timeout,
            setting,
            resumable,
            token if isinstance(token, str | int) else None,
            still=still,
        )
        deliver = self._deliver_stateless if modern else self._deliver
        answer = await self._http.post(outgoing, deliver)
        if answer.lost and message.method in _READS:
            return await self._http.post(outgoing._replace(fresh=True), deliver)
        if answer.timed_out and resumable and "task" not in message.params:  # a task has a cancellation of its own
            self._give_up(message, headers)
        return answer

    def _give_up(self, message: Message, headers: Mapping[str, str]) -> None:
        """Tell the server that nobody waits any more (2025-11-25, Timeouts); nobody waits for that either."""
        params: dict[str, Json] = {"requestId": message.id, "reason": "time-out"}
        cancelled = _notification("notifications/cancelled", params)
        task = asyncio.create_task(self._tell(cancelled, headers))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, notification: Message, headers: Mapping[str, str]) -> None:
        answer = await self._post(notification, notification.raw, headers)
        if answer.failure is not None:
            _LOG.info("%s was not delivered: %s", notification.method, answer.failure)

    def _own_headers(self) -> Mapping[str, str] | None:
        return self._session.headers if self._session is not None else None

    async def _deliver_stateless(self, message: Message) -> None:
        """In the stateless revision a server asks by `input_required` only: its requests are forbidden (2026-07-28)."""
        if message.kind == "request":
            _LOG.warning("a request of the upstream was dropped: `%s` on a stateless stream", message.method)
        else:
            await self._deliver(message)


def _session_of(message: Message, answer: Answer) -> Session:
    version = (answer.result or {}).get("protocolVersion")
    return Session(answer.session_id, version if isinstance(version, str) else None, dict(message.params))


def _notification(method: str, params: Mapping[str, Json] | None = None) -> Message:
    body: dict[str, Json] = {"jsonrpc": "2.0", "method": method, **({"params": dict(params)} if params else {})}
    return Message("notification", None, method, body, serialise(body))
