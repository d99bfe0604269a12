"""The audit log as evidence: what the commands of `audit` look at, all of it at one moment, while gateways go on."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.state import chain, database, migrations, pruning, queries, statistics
from gateway.state.audit import Entry
from gateway.state.failures import broken_chain
from gateway.state.heads import Head
from gateway.state.pruning import Plan, Rule
from gateway.state.queries import Found, Order, Query
from gateway.state.statistics import Statistics
from gateway.state.stories import whole_story
from gateway.state.verification import Break, Progress, Verification, verify, verify_end


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

    def newest(self) -> int:
        """`seq` of the newest record; 0 of an empty log."""
        return self.head(0.0).seq or 0

    def find(self, query: Query, *, order: Order, limit: int | None) -> Iterator[Found]:
        """The calls that are asked for, as they are read."""
        return queries.find(self.connection, query, order=order, limit=limit)

    def values(self, what: str, most: int) -> list[str]:
        """Up to `most` values that the newest calls have where a query asks for `what`."""
        return queries.values(self.connection, what, most)

    def story(self, decision_id: str) -> list[tuple[Entry, str]]:
        """Every record of one call, of its rounds, and of what a person was asked about it, each with its hash."""
        found = whole_story(self.connection, decision_id)
        return [(each, queries.place(self.connection, each.seq)) for each in found]

    def beginning_with(self, text: str, most: int) -> list[str]:
        """Up to `most` ids of calls that begin with `text`."""
        return queries.beginning_with(self.connection, text, most)

    def everything(self, since: float | None, until: float | None) -> Iterator[tuple[Entry, str]]:
        """Every record of a time in the order of the chain, with its hash, as it is read."""
        return queries.everything(self.connection, since, until)

    def count(self, since: float | None, until: float | None) -> Statistics:
        """The calls of a time in numbers."""
        return statistics.count(self.connection, since, until)

    def plan(self, rule: Rule) -> Plan:
        """What pruning by this rule would take out."""
        return pruning.plan(self.connection, rule)

    def verify(self, heads: Sequence[Head] = (), progress: Progress | None = None) -> Verification:
        """Whether every record is as it was written, and whether the log is the one that `heads` were taken of."""
        return verify(self.connection, self.log, heads, progress)

    def verify_end(self, number: int) -> Break | None:
        """Whether the newest `number` records are as they were written, and the log ends with them."""
        return verify_end(self.connection, number)


@contextmanager
def examining(path: Path) -> Iterator[Evidence]:
    """Look at the log of the state file at `path`, as it is now. Raises `StateError`."""
    with database.reading(path) as connection:
        connection.execute("BEGIN")
        yield Evidence(connection, migrations.secrets(connection).state_id.hex())
