"""Who is open, and which way each message takes: the client's side of a server that shakes no hands.

| from the client | what becomes of it |
|---|---|
| `initialize` | answered from `server/discover`, if the server refuses it and serves 2026-07-28 |
| `ping`, `logging/setLevel` | answered here; the level goes with every later request |
| `resources/subscribe`, `resources/unsubscribe` | the first is judged; both change what is listened to |
| `tasks/*`, a call with `task` | refused: those of 2025-11-25 have no counterpart |
| any other request | becomes a stateless one, then goes the way of all, in rounds if the server asks for input |
| `notifications/initialized` | begins the listening; other notifications have no counterpart and are dropped |

Requests that are stateless already are not touched: the era is that of each request. A server that comes back speaking
the other kind of revision is found out by its refusals. Then the session is opened with the client's own `initialize`,
or translated from there on; what was refused is not sent again, because that is the client's to decide.
"""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway import replies
from gateway.case import Forward
from gateway.jsonrpc import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, Json, Message
from gateway.translation import words
from gateway.translation.listening import Listening
from gateway.translation.rounds import Rounds, Serve, parsed
from gateway.upstream import Answer, Still
from gateway.upstream.session import Upstream

_LOG = logging.getLogger(__name__)
_REFUSALS: Final = frozenset({400, 404, 405, 406, 415, 422})
"""How a server that knows no handshake may refuse one, beside an error of its own."""
_TURNED: Final = "the upstream speaks another revision now, and so does the gateway: ask again"
_NO_TASKS: Final = "this server speaks 2026-07-28, which has no such tasks: call without `task`"
_HANDSHAKE_CODES: Final = frozenset({INVALID_REQUEST, -32000})
"""How servers that only shake hands refuse a request without a session (the SDKs' ways)."""
_STATELESS_CODES: Final = frozenset({-32020, -32022})
"""How a server of the stateless revision refuses a request that does not say what it is."""
_MARK: Final = b"-3202"
_SHORT: Final = 4096
"""Bytes of an answer in which such a refusal is looked for: long ones are none."""

Judge = Callable[[Message, Forward], Awaitable[bytes]]
"""Judges a request; what it forwards to is how it is done."""


@dataclass(frozen=True, slots=True)
class _Client:
    """An open client: its `initialize`, and what that said."""

    initialize: Message
    opening: words.Opening


class Bridge:
    """One client of a handshake revision, while its server knows none."""

    def __init__(
        self,
        upstream: Upstream,
        send: Callable[[bytes], Coroutine[Any, Any, None]],
        *,
        serve: Serve,
        judge: Judge,
        missed: Callable[[], None],
    ) -> None:
        self._upstream = upstream
        self._serve = serve
        self._judge = judge
        self._rounds = Rounds(send, serve)
        self._listening = Listening(upstream, missed)
        self._client: _Client | None = None
        self._initialize: Message | None = None
        self._level: str | None = None

    @property
    def is_open(self) -> bool:
        return self._client is not None

    # --- opening ------------------------------------------------------------------------------------------------------

    async def open(self, initialize: Message, refused: Answer) -> Message | None:
        """The answer to an `initialize` that the server refused, if that server is one to translate for."""
        self._initialize = initialize
        error = refused.response is not None and "error" in refused.response.body
        if refused.result is not None or not (error or refused.status in _REFUSALS):
            return None
        opening = words.Opening.of(initialize)
        discovered = await self._discover(initialize, opening)
        if discovered is None:
            return None
        await self._upstream.leave()
        self._begin(_Client(initialize, opening), discovered)
        return parsed(replies.result(initialize.id, words.announced(opening, discovered)))

    async def takes_over(self, line: bytes) -> bool:
        """Whether an answer in an open session shows that the server knows none any more; then it is translated for."""
        initialize = self._initialize
        if initialize is None or not self._upstream.is_open or _MARK not in line[:_SHORT]:
            return False
        error = parsed(line).body.get("error")
        if not isinstance(error, dict) or error.get("code") not in _STATELESS_CODES:
            return False
        if (await self._upstream.ask("ping", {}, None)).result is not None:
            return False  # the session is there: the error is the request's own
        opening = words.Opening.of(initialize)
        discovered = await self._discover(initialize, opening)
        if discovered is None or self._initialize is not initialize:
            return False
        if self._client is not None:  # another request has found it out meanwhile
            return True
        told = await self._upstream.leave()
        self._begin(_Client(initialize, opening), discovered)
        for message in told:
            if message.method == "logging/setLevel":
                self._set_level(message)
            else:
                self._listening.add(_uri(message))
        self._listening.start()
        return True

    def _begin(self, client: _Client, discovered: Mapping[str, Json]) -> None:
        _LOG.info("the upstream knows no handshake: its revision is spoken for the client")
        self._client = client
        self._level = None
        self._listening.prepare(client.opening.meta(None), discovered.get("capabilities"))

    async def _discover(self, like: Message, opening: words.Opening) -> Mapping[str, Json] | None:
        """What the server says of itself in its own revision, or None if it does not speak ours."""
        answer = await self._upstream.ask("server/discover", {}, words.stateless(like, opening.meta(None)))
        return answer.result if answer.result is not None and words.speaks(answer.result) else None

    def close(self) -> None:
        """Translate no more: the client begins anew, or the end has come."""
        self._client = None
        self._rounds.abandon()
        self._listening.close()

    # --- from the client ----------------------------------------------------------------------------------------------

    async def answer(self, message: Message) -> bytes:
        """The line that answers a request of a handshake revision."""
        client = self._client
        if client is None:
            return replies.error(message.id, INVALID_REQUEST, "no session is open: begin with `initialize`")
        match message.method:
            case "ping":
                return replies.result(message.id, {})
            case "logging/setLevel":
                return self._set_level(message)
            case "resources/subscribe":
                return await self._subscribe(message, client)
            case "resources/unsubscribe":
                self._listening.unsubscribe(_uri(message))
                return replies.result(message.id, {})
            case method if method.startswith("tasks/"):
                return replies.error(message.id, METHOD_NOT_FOUND, _NO_TASKS)
            case "subscriptions/listen":
                return replies.error(message.id, METHOD_NOT_FOUND, "not in the revision of this session")
        if "task" in message.params:
            return replies.error(message.id, INVALID_PARAMS, _NO_TASKS)
        last = await self._rounds.finish(self._stateless(message, client), client.opening)
        if await self._has_turned(client, last):
            return turned(message)
        return words.in_session(message, last)

    def takes(self, response: Message) -> bool:
        """Whether a response of the client answers what it was asked here."""
        return self._rounds.takes(response)

    def notified(self, message: Message) -> None:
        """A notification of the client, other than a cancellation."""
        if message.method == "notifications/initialized":
            self._listening.start()
        else:
            _LOG.debug("`%s` has no counterpart in 2026-07-28 and was dropped", message.method)

    def _stateless(self, message: Message, client: _Client) -> Message:
        return words.stateless(message, client.opening.meta(self._level))

    def _set_level(self, message: Message) -> bytes:
        level = message.params.get("level")
        if not isinstance(level, str) or level not in words.LEVELS:
            return replies.error(message.id, INVALID_PARAMS, "`level` must be one of " + ", ".join(words.LEVELS))
        self._level = level
        return replies.result(message.id, {})

    async def _subscribe(self, message: Message, client: _Client) -> bytes:
        async def listen(_: bytes, _still: Still) -> Answer:
            if await self._listening.subscribe(_uri(message)):
                return Answer("answered", parsed(replies.result(message.id, {})))
            text = "the server does not tell of changes of this resource"
            return Answer("answered", parsed(replies.error(message.id, INVALID_PARAMS, text)))

        return words.in_session(message, parsed(await self._judge(self._stateless(message, client), listen)))

    # --- from the upstream --------------------------------------------------------------------------------------------

    def heard(self, message: Message) -> Message | None:
        """A message of the upstream as the client gets it, or None where it gets none."""
        return self._listening.heard(message) if self._listening.knows(message) else message

    async def _has_turned(self, client: _Client, answer: Message) -> bool:
        """Whether a refusal means that the server speaks a handshake revision now; then the session is open again."""
        error = answer.body.get("error")
        if not isinstance(error, dict) or error.get("code") not in _HANDSHAKE_CODES or self._client is not client:
            return False
        if await self._discover(client.initialize, client.opening) is not None:
            return False
        level, resources = self._level, self._listening.resources
        if not await self._upstream.reopen(client.initialize.params):
            return False
        _LOG.warning("the upstream speaks a handshake revision now: the session is opened with it")
        self.close()
        if level is not None:
            await self._upstream.ask("logging/setLevel", {"level": level}, None)
        for uri in resources:
            await self._upstream.ask("resources/subscribe", {"uri": uri}, None)
        return True


def turned(message: Message) -> bytes:
    """The answer to a request by which it came out that the server speaks another kind of revision."""
    return replies.unable(message, _TURNED)


def _uri(message: Message) -> str:
    uri = message.params.get("uri")
    return uri if isinstance(uri, str) else ""
