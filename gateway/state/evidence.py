"""The audit log as evidence: what the commands of `audit` look at, all of it at one moment, while gateways go on."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.state import chain, database, migrations
from gateway.state.failures import broken_chain
from gateway.state.heads import Head
from gateway.state.verification import Verification, verify


@dataclass(frozen=True, slots=True)
class Evidence:
    """One snapshot of the log of one state file; `log` is the id of that file, hexadecimal."""

    connection: sqlite3.Connection
    log: str

    def head(self, now: float) -> Head:
        """The newest record and its hash, as taken at `now`."""
        try:
            ends = chain.ends(self.connection)
        except LookupError as error:
            raise broken_chain(str(error)) from error
        return Head(ends.hash.hex(), self.log, ends.seq, now)

    def verify(self, heads: Sequence[Head] = ()) -> Verification:
        """Whether every record is as it was written, and whether the log is the one that `heads` were taken of."""
        return verify(self.connection, self.log, heads)


@contextmanager
def examining(path: Path) -> Iterator[Evidence]:
    """Look at the log of the state file at `path`, as it is now. Raises `StateError`."""
    with database.reading(path) as connection:
        connection.execute("BEGIN")
        yield Evidence(connection, migrations.secrets(connection).state_id.hex())
