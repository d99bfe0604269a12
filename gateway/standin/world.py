"""Everything one stand-in consists of; the parts of the server share it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio
from mcp.server import ServerRequestContext
from starlette.requests import Request

from gateway.clock import Clock
from gateway.standin.authority import Authority
from gateway.standin.catalogue import Catalogue
from gateway.standin.hub import Hub
from gateway.standin.identity import Identity
from gateway.standin.identity.failure import ToolFailure
from gateway.standin.journal import Journal
from gateway.standin.options import StandinOptions

INBOX = "keyid://inbox/unread"

Context = ServerRequestContext[dict[str, object], Request]
"""What the SDK hands to a request handler."""


class RunningCalls:
    """The calls that are running, so that they can be stopped when the stand-in stops."""

    def __init__(self) -> None:
        self._scopes: set[anyio.CancelScope] = set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """A call runs inside; `ToolFailure` if it was stopped."""
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)
        if scope.cancelled_caught:
            raise ToolFailure("the stand-in was stopped")

    def stop(self) -> None:
        """Stop them all."""
        for scope in list(self._scopes):
            scope.cancel()


@dataclass(slots=True)
class World:
    """One identity, what is announced of it, who listens, and the record of what was asked."""

    options: StandinOptions
    identity: Identity
    journal: Journal
    authority: Authority | None = None
    catalogue: Catalogue = field(default_factory=Catalogue)
    hub: Hub = field(default_factory=Hub)
    calls: RunningCalls = field(default_factory=RunningCalls)
    _announced: int = 1

    async def settle(self) -> None:
        """Tell of the inbox if it changed since it was last told of."""
        if self.identity.revision != self._announced:
            self._announced = self.identity.revision
            await self.hub.resource_updated(INBOX)


def new_world(options: StandinOptions, clock: Clock) -> World:
    """A fresh stand-in; the journal's file is opened."""
    authority = Authority(clock) if options.oauth else None
    return World(
        options=options, identity=Identity(clock), journal=Journal(clock, options.journal), authority=authority
    )


def session_id(context: Context) -> str | None:
    """The `Mcp-Session-Id` of the request; None in the stateless revision, which has no sessions."""
    headers: Mapping[str, str] = context.request.headers if context.request is not None else {}
    return headers.get("mcp-session-id")
