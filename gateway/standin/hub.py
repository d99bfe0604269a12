"""Who is to be told of changes, in both eras.

Handshake revisions: every session that finished its handshake is told of a changed tool list on its standing stream,
and of a changed resource if it subscribed to it (2025-11-25, server/resources). The stateless revision: the SDK's
subscription bus tells whoever listens (2026-07-28, `subscriptions/listen`).
"""

from collections.abc import Iterable

import anyio
from mcp.server.connection import allowed_log_levels
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ToolsListChanged
from mcp_types import (
    LOG_LEVEL_META_KEY,
    LoggingLevel,
    ResourceUpdatedNotification,
    ResourceUpdatedNotificationParams,
    ServerNotification,
    ToolListChangedNotification,
)
from mcp_types.version import LATEST_MODERN_VERSION

SESSIONS_KEPT = 10_000
PATIENCE = 2.0
"""Seconds that one client may take to accept a notification before it misses it."""


class Hub:
    """Sessions by their id, what they subscribed to, and the log level each wants."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self._sessions: dict[str, ServerSession] = {}
        self._subscribers: dict[str, set[str]] = {}
        self._levels: dict[str, LoggingLevel] = {}
        self._arrived = anyio.Event()

    def join(self, session_id: str, session: ServerSession) -> None:
        """A session finished its handshake; beyond `SESSIONS_KEPT` the oldest is no longer told anything."""
        if len(self._sessions) >= SESSIONS_KEPT:
            self.leave(next(iter(self._sessions)))
        self._sessions[session_id] = session

    def leave(self, session_id: str) -> None:
        """A session was ended by its client."""
        self._sessions.pop(session_id, None)
        self._levels.pop(session_id, None)
        for subscribers in self._subscribers.values():
            subscribers.discard(session_id)

    def subscribe(self, session_id: str, uri: str) -> None:
        """Tell this session of changes of the resource `uri`."""
        self._subscribers.setdefault(uri, set()).add(session_id)

    def unsubscribe(self, session_id: str, uri: str) -> None:
        """Do not tell it any more."""
        self._subscribers.get(uri, set()).discard(session_id)

    def set_level(self, session_id: str, level: LoggingLevel) -> None:
        """From now on this session wants log messages of `level` and above (RFC 5424 severities)."""
        self._levels[session_id] = level

    def wants(self, session_id: str, level: LoggingLevel) -> bool:
        """Whether the session wants a message of this level; before it says so it wants them all."""
        lowest = self._levels.get(session_id, "debug")
        return level in allowed_log_levels(LATEST_MODERN_VERSION, {LOG_LEVEL_META_KEY: lowest})

    async def tools_changed(self) -> None:
        """Tell everybody that the list of tools changed."""
        await self._tell(self._sessions, ToolListChangedNotification())
        await self.bus.publish(ToolsListChanged())

    async def resource_updated(self, uri: str) -> None:
        """Tell the subscribers that the resource `uri` changed, and wake those who wait for mail."""
        self._arrived.set()
        self._arrived = anyio.Event()
        changed = ResourceUpdatedNotification(params=ResourceUpdatedNotificationParams(uri=uri))
        await self._tell(self._subscribers.get(uri, ()), changed)
        await self.bus.publish(ResourceUpdated(uri=uri))

    async def arrival(self, seconds: float) -> None:
        """Wait until a resource was updated, at most `seconds`."""
        with anyio.move_on_after(seconds):
            await self._arrived.wait()

    async def _tell(self, session_ids: Iterable[str], notification: ServerNotification) -> None:
        for session_id in list(session_ids):
            session = self._sessions.get(session_id)
            if session is not None:
                with anyio.move_on_after(PATIENCE):
                    await session.send_notification(notification)
