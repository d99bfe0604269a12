"""What was accepted of each server's definitions: its tools, and its instructions (threat B19).

A server is known from its first sight on: what it announced then is accepted as it was (trust on first use). Whatever
is met later and was not accepted waits for a person. Rules:

1. Accepting adds: a tool may have several accepted definitions, the newest `_MOST_ACCEPTED` of them. A server may
   announce different things to different sign-ins, or in different revisions of the protocol, and each is accepted
   once; going back to what was accepted before needs nobody.
2. Of a tool at most two definitions wait: the one that was met last, and the one that a person was shown last. What is
   accepted is what was shown, never what came since.
3. Definitions are kept compressed, so that a difference can be shown; one that is larger than `LARGEST` is kept by its
   digest alone, and a server cannot make more than `_MOST_WAITING` of them wait.
4. `generation` is another number whenever something else is accepted than before, so that gateways notice it by
   reading one number.

Names are kept as bytes: a server may announce half a surrogate pair, which no text of SQLite holds.

Servers are named by their URL without its query. Moments are seconds since the epoch.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, Protocol, TypeAlias

Kind: TypeAlias = Literal["tool", "instructions"]
How: TypeAlias = Literal["first sight", "accepted", "waiting"]
Key: TypeAlias = tuple[Kind, str]
"""What is pinned: a tool by its name, or the instructions (then the name is empty)."""

LARGEST: Final = 2**20
"""Bytes of a definition that is kept to be shown."""
INSTRUCTIONS: Final[Key] = ("instructions", "")
_MOST_ACCEPTED: Final = 8
_MOST_WAITING: Final = 4096
_COLUMNS: Final = "kind, name, digest, text, size, how, first_seen, met_at, accepted_at, shown_at"
_ALL: Final = f"SELECT {_COLUMNS} FROM pins WHERE server = ? ORDER BY kind, name, met_at, id"  # noqa: S608 - constants
_ACCEPTED: Final = "SELECT kind, name, digest FROM pins WHERE server = ? AND how <> 'waiting'"
_MEET: Final = """
    INSERT INTO pins (server, kind, name, digest, text, size, how, first_seen, met_at)
    VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, ?)
    ON CONFLICT (server, kind, name, digest) DO UPDATE SET met_at = excluded.met_at"""
_FIRST: Final = """
    INSERT INTO pins (server, kind, name, digest, text, size, how, first_seen, met_at, accepted_at)
    VALUES (?, ?, ?, ?, ?, ?, 'first sight', ?, ?, ?)
    ON CONFLICT (server, kind, name, digest) DO UPDATE
    SET how = 'first sight', met_at = excluded.met_at, accepted_at = excluded.accepted_at"""
_SUPERSEDED: Final = """
    DELETE FROM pins WHERE server = ? AND kind = ? AND name = ? AND digest <> ? AND how = 'waiting'
    AND shown_at IS NULL"""
_TOO_MANY: Final = """
    DELETE FROM pins WHERE id IN (SELECT id FROM pins WHERE server = ? AND how = 'waiting'
    ORDER BY met_at DESC, id DESC LIMIT -1 OFFSET ?)"""
_SHOW: Final = "UPDATE pins SET shown_at = ? WHERE server = ? AND kind = ? AND name = ? AND digest = ?"
_SHOWN_BEFORE: Final = """
    DELETE FROM pins WHERE server = ? AND kind = ? AND name = ? AND digest <> ? AND how = 'waiting'
    AND shown_at IS NOT NULL"""
_ACCEPT: Final = """
    UPDATE pins SET how = 'accepted', accepted_at = ?
    WHERE server = ? AND kind = ? AND name = ? AND how = 'waiting' AND shown_at IS NOT NULL"""
_FADED: Final = """
    DELETE FROM pins WHERE id IN (SELECT id FROM pins WHERE server = ? AND kind = ? AND name = ? AND how <> 'waiting'
    ORDER BY accepted_at DESC, id DESC LIMIT -1 OFFSET ?)"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A definition as it was announced: what it is of, its digest, its JSON text (compressed; None: too large)."""

    key: Key
    digest: bytes
    text: bytes | None
    size: int

    @classmethod
    def of(cls, key: Key, digest: bytes, text: bytes) -> "Seen":
        """From the text as it is."""
        return cls(key, digest, zlib.compress(text) if len(text) <= LARGEST else None, len(text))


@dataclass(frozen=True, slots=True)
class Pin:
    """One definition that was accepted, or waits. `shown_at`: when a person was shown it while it waited."""

    key: Key
    digest: bytes
    packed: bytes | None
    size: int
    how: How
    first_seen: float
    met_at: float
    accepted_at: float | None
    shown_at: float | None

    @property
    def text(self) -> bytes | None:
        """The definition's JSON text; None where it was too large to be kept."""
        if self.packed is None:
            return None
        return zlib.decompressobj().decompress(self.packed, LARGEST)


class Pins(Protocol):
    """The pins within one transaction. Failures are `StateError`."""

    def generation(self, server: str) -> int | None:
        """A number that changes with what is accepted of a server; None: it was never seen."""
        ...

    def accepted(self, server: str) -> Mapping[Key, frozenset[bytes]]:
        """The digests of everything that is accepted of a server."""
        ...

    def begin(self, server: str, seen: Iterable[Seen], now: float) -> None:
        """The first sight of a server (or of its instructions): what is seen is accepted as it is."""
        ...

    def meet(self, server: str, seen: Iterable[Seen], now: float) -> Sequence[Seen]:
        """Definitions that are not accepted were announced; those that did not wait already come back.

        Of more than may wait, the first ones.
        """
        ...

    def servers(self) -> Sequence[str]:
        """Every server that was ever seen."""
        ...

    def of(self, server: str) -> Sequence[Pin]:
        """Everything that is accepted of a server, or waits, by name; of one name, what was met last comes last."""
        ...

    def show(self, server: str, pins: Iterable[Pin], now: float) -> None:
        """A person was shown these, which wait."""
        ...

    def accept(self, server: str, keys: Iterable[Key], now: float) -> int:
        """Accept what was shown of these; how many definitions that were."""
        ...

    def forget(self, server: str, keys: Iterable[Key] | None) -> int:
        """Forget these, or (None) the server, whose next sight is its first again; how many definitions that were."""
        ...


class SqlitePins:
    """The pins of one open state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def generation(self, server: str) -> int | None:
        row = self._connection.execute("SELECT generation FROM pinned_servers WHERE server = ?", (server,)).fetchone()
        return None if row is None else int(row[0])

    def accepted(self, server: str) -> Mapping[Key, frozenset[bytes]]:
        found: dict[Key, set[bytes]] = {}
        for kind, name, digest in self._connection.execute(_ACCEPTED, (server,)):
            found.setdefault((kind, _text(name)), set()).add(digest)
        return {key: frozenset(digests) for key, digests in found.items()}

    def begin(self, server: str, seen: Iterable[Seen], now: float) -> None:
        rows = [(server, *_cells(each.key), each.digest, each.text, each.size, now, now, now) for each in seen]
        self._connection.executemany(_FIRST, rows)
        self._count(server, now)

    def meet(self, server: str, seen: Iterable[Seen], now: float) -> Sequence[Seen]:
        known = {
            (kind, name, digest)
            for kind, name, digest in self._connection.execute(
                "SELECT kind, name, digest FROM pins WHERE server = ? AND how = 'waiting'", (server,)
            )
        }
        new = []
        for each in islice(seen, _MOST_WAITING):
            row = (server, *_cells(each.key), each.digest)
            self._connection.execute(_MEET, (*row, each.text, each.size, now, now))
            self._connection.execute(_SUPERSEDED, row)
            if row[1:] not in known:
                new.append(each)
        self._connection.execute(_TOO_MANY, (server, _MOST_WAITING))
        return new

    def servers(self) -> Sequence[str]:
        return [str(row[0]) for row in self._connection.execute("SELECT server FROM pinned_servers ORDER BY server")]

    def of(self, server: str) -> Sequence[Pin]:
        return [Pin((row[0], _text(row[1])), *row[2:]) for row in self._connection.execute(_ALL, (server,))]

    def show(self, server: str, pins: Iterable[Pin], now: float) -> None:
        for pin in pins:
            self._connection.execute(_SHOW, (now, server, *_cells(pin.key), pin.digest))
            self._connection.execute(_SHOWN_BEFORE, (server, *_cells(pin.key), pin.digest))

    def accept(self, server: str, keys: Iterable[Key], now: float) -> int:
        taken = 0
        for key in keys:
            taken += self._connection.execute(_ACCEPT, (now, server, *_cells(key))).rowcount
            self._connection.execute(_FADED, (server, *_cells(key), _MOST_ACCEPTED))
        if taken:
            self._count(server, now)
        return taken

    def forget(self, server: str, keys: Iterable[Key] | None) -> int:
        execute = self._connection.execute
        if keys is None:
            gone = execute("DELETE FROM pins WHERE server = ?", (server,)).rowcount
            execute("DELETE FROM pinned_servers WHERE server = ?", (server,))
            return gone
        one = "DELETE FROM pins WHERE server = ? AND kind = ? AND name = ?"
        gone = sum(execute(one, (server, *_cells(key))).rowcount for key in keys)
        if gone:
            execute("UPDATE pinned_servers SET generation = generation + 1 WHERE server = ?", (server,))
        return gone

    def _count(self, server: str, now: float) -> None:
        self._connection.execute(
            "INSERT INTO pinned_servers (server, first_seen, generation) VALUES (?, ?, ?) "
            "ON CONFLICT (server) DO UPDATE SET generation = max(generation + 1, excluded.generation)",
            (server, now, int(now * 1_000_000)),
        )


def _cells(key: Key) -> tuple[str, bytes]:
    return key[0], key[1].encode("utf-8", "surrogatepass")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")


def begin(connection: sqlite3.Connection) -> None:
    """Make the tables (a step of `migrations`)."""
    connection.execute(
        """CREATE TABLE pinned_servers (
        server TEXT PRIMARY KEY,
        first_seen REAL NOT NULL,
        generation INTEGER NOT NULL) WITHOUT ROWID"""
    )
    connection.execute(
        """CREATE TABLE pins (
        id INTEGER PRIMARY KEY,
        server TEXT NOT NULL,
        kind TEXT NOT NULL,
        name BLOB NOT NULL,
        digest BLOB NOT NULL,
        text BLOB,
        size INTEGER NOT NULL,
        how TEXT NOT NULL,
        first_seen REAL NOT NULL,
        met_at REAL NOT NULL,
        accepted_at REAL,
        shown_at REAL,
        UNIQUE (server, kind, name, digest))"""
    )
