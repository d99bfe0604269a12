"""When each grant last called each tool, in any of its processes (policy language, `grant.seconds_since`).

What must stay true (threat B24): every call that was let through is noted, whatever policy let it through, so that a
rule that is written later, or that only another process has, knows of it. The time that has passed since a call never
shrinks but by another call, and is never negative: it is measured from the newest moment at which anybody looked, so
that a clock that is set back brings nothing back, neither what a `deny_if` had closed nor what a `require` had opened
for a while and what is over. (A clock that is set ahead lets time pass, as it does for windows.)

A call that goes in rounds must not stand in its own way: `Noted` says what was known before it, so that its next round
can be told so, unless somebody has called the tool meanwhile. No two calls of a tool are noted at the same moment, so
that this is certain.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

from gateway.state.knowledge import Knowledge, rows

_MICRO: Final = Decimal("0.000001")
_NOTE: Final = """
    INSERT INTO last_calls (identity, at) VALUES (?, ?)
    ON CONFLICT (identity) DO UPDATE SET at = excluded.at"""
_LOOK: Final = """
    INSERT INTO last_calls (identity, at) VALUES (?, ?)
    ON CONFLICT (identity) DO UPDATE SET at = max(at, excluded.at)"""


class Noted(NamedTuple):
    """A call as it was noted, and the last one before it, if there was any. Microseconds since the epoch."""

    tool: str
    at: int
    before: int | None


class LastCalls(Protocol):
    """The last calls within one transaction. `now` is in seconds since the epoch. Failures are `StateError`.

    `own` is how the call whose next round this is was noted: it counts as if it had not been made.
    """

    def note(self, server: str, grant: str, tool: str, now: float, own: Noted | None = None) -> Noted:
        """A call was let through."""
        ...

    def look(self, server: str, grant: str, now: float) -> None:
        """Somebody looks at the clock: for this grant, no time before `now` comes again."""
        ...

    def since(
        self, server: str, grant: str, tools: Iterable[str], now: float, own: Noted | None = None
    ) -> Mapping[str, Decimal]:
        """The seconds since the last call of each tool that was ever called."""
        ...


class SqliteLastCalls:
    """The last calls of one open state file."""

    def __init__(self, connection: sqlite3.Connection, knowledge: Knowledge | None = None) -> None:
        self._connection = connection
        self._known: dict[bytes, int | None] = rows(knowledge)

    def note(self, server: str, grant: str, tool: str, now: float, own: Noted | None = None) -> Noted:
        identity, whole = digest(server, grant, tool), digest(server, grant)
        looked, last = self._at(whole), self._at(identity)
        at = max(_microseconds(now), looked or 0, -1 if last is None else last + 1)
        self._connection.execute(_NOTE, (identity, at))
        self._known[identity] = at
        return Noted(tool, at, _without(own, tool, last))

    def look(self, server: str, grant: str, now: float) -> None:
        whole, moment = digest(server, grant), _microseconds(now)
        self._connection.execute(_LOOK, (whole, moment))
        self._known.pop(whole, None)

    def since(
        self, server: str, grant: str, tools: Iterable[str], now: float, own: Noted | None = None
    ) -> Mapping[str, Decimal]:
        looked = self._at(digest(server, grant))
        newest = max(_microseconds(now), 0 if looked is None else looked)
        found = {tool: _without(own, tool, self._at(digest(server, grant, tool))) for tool in tools}
        return {tool: max(0, newest - at) * _MICRO for tool, at in found.items() if at is not None}

    def _at(self, identity: bytes) -> int | None:
        if identity in self._known:
            return self._known[identity]
        row = self._connection.execute("SELECT at FROM last_calls WHERE identity = ?", (identity,)).fetchone()
        self._known[identity] = found = None if row is None else int(row[0])
        return found


def _without(own: Noted | None, tool: str, last: int | None) -> int | None:
    """The last call of a tool as if the `own` one had not been made; a later one is somebody else's."""
    return own.before if own is not None and (own.tool, own.at) == (tool, last) else last


@lru_cache(maxsize=4096)  # the same few are asked for with every call
def digest(*parts: str) -> bytes:
    """JSON keeps the parts apart whatever characters they hold."""
    return blake2b(json.dumps(parts).encode("ascii"), digest_size=16).digest()


def _microseconds(now: float) -> int:
    return int(now * 1_000_000)
