"""Whether the audit log is what was written: every record, its place, none too few and none too many.

One pass from where the log begins to its head, in one snapshot of the file, so gateways may go on
writing meanwhile; memory does not grow with the log. The first thing that is not as it was written ends the pass: what
follows it hangs on it.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from gateway.state import chain
from gateway.state.chain import LIST, Ends
from gateway.state.heads import Head

_ROWS: Final = f"SELECT seq, {LIST}, hash FROM audit WHERE seq > ? ORDER BY seq"  # noqa: S608 - constants
_BEFORE_ALL: Final = -(2**63)
_TOLD: Final = 4096
Progress: TypeAlias = Callable[[int, int], None]
"""Told from time to time how many records have been gone through, and of how many."""
_KIND: Final = 1
_VALUES: Final = chain.COLUMNS.index("argument_values") + 1
_CHANGED: Final = "a field, its place or its hash is not as it was written"
_ENDS: Final = "the row that says where the log begins and ends was changed, or belongs to another state file"
_LOST: Final = "the log cannot be read"


@dataclass(frozen=True, slots=True)
class Break:
    """The first record that is not as it was written (`seq`), what is wrong with it, and what that means."""

    seq: int
    what: str
    means: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A head that was kept elsewhere, and whether the log still has it; `what` says so in words."""

    head: Head
    same: bool
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found. `first` to `last` are the records that are as they were written; 1 and 0 where there are none.

    `adopted` is the last one that was there before the chain was; `head` is the hash of the newest record.
    """

    first: int
    last: int
    adopted: int
    head: str
    broken: Break | None
    comparisons: tuple[Comparison, ...]

    @property
    def ok(self) -> bool:
        return self.broken is None and all(found.same for found in self.comparisons)


def verify(
    connection: sqlite3.Connection, log: str, heads: Sequence[Head], progress: Progress | None = None
) -> Verification:
    """Go through the log of the state file with the id `log`, and compare it with `heads`; within one transaction."""
    try:
        ends = chain.ends(connection)
    except LookupError as error:
        return Verification(
            1, 0, 0, "", Break(0, str(error), _ENDS), tuple(Comparison(head, same=False, what=_LOST) for head in heads)
        )
    walk = _Walk(ends, progress)
    broken = _of_another_file(ends, log) or walk.go(connection) or _unsaid(ends, walk.pruned)
    compared = tuple(_compare(connection, log, ends, head) for head in heads)
    return Verification(ends.pruned_seq + 1, walk.seq, walk.adopted, ends.hash.hex(), broken, compared)


def verify_end(connection: sqlite3.Connection, number: int) -> Break | None:
    """Whether the newest `number` records are as they were written, and the log ends with them: a quick look.

    Within one transaction. What it finds wrong is so; of older records it says nothing.
    """
    try:
        ends = chain.ends(connection)
    except LookupError as error:
        return Break(0, str(error), _ENDS)
    first = max(ends.pruned_seq, ends.seq - number)
    known = _hash_of(connection, ends, first)
    if known is None:
        return Break(first, _missing(first, first), "it was deleted")
    return _Walk(Ends(first, bytes.fromhex(known), ends.seq, ends.hash)).go(connection, first)


def _of_another_file(ends: Ends, log: str) -> Break | None:
    if ends.pruned_seq or ends.pruned_hash == chain.genesis(bytes.fromhex(log)):
        return None
    return Break(0, "the beginning of the log is not the one of this state file", _ENDS)


def _unsaid(ends: Ends, pruned: int) -> Break | None:
    if ends.pruned_seq <= pruned:
        return None
    what = f"records 1 to {ends.pruned_seq} are gone, and no record says that they were pruned"
    return Break(1, what, "somebody removed them and made it look like pruning")


class _Walk:
    """One pass; `seq` and `hash` are of the last record that was as it was written."""

    def __init__(self, ends: Ends, progress: Progress | None = None) -> None:
        self._ends = ends
        self._progress = progress
        self.seq, self.hash = ends.pruned_seq, ends.pruned_hash
        self.pruned = self.adopted = 0

    def go(self, connection: sqlite3.Connection, after: int = _BEFORE_ALL) -> Break | None:
        try:
            for row in connection.execute(_ROWS, (after,)):
                broken = self._step(row)
                if broken is not None:
                    return broken
                if self._progress is not None and not self.seq % _TOLD:
                    self._progress(self.seq - self._ends.pruned_seq, self._ends.seq - self._ends.pruned_seq)
        except sqlite3.OperationalError as error:
            if "decode" not in str(error):
                raise
            return Break(self.seq + 1, f"record {self.seq + 1} holds what is no text", _CHANGED)
        return self._end()

    def _step(self, row: tuple[Any, ...]) -> Break | None:  # what SQLite hands out has no type
        seq, found, due = row[0], row[-1], self.seq + 1
        if seq < due:
            return Break(seq, f"record {seq} stands before the beginning of the log", "it was put there afterwards")
        if seq > self._ends.seq:
            return Break(
                seq, f"record {seq} stands behind the newest one ({self._ends.seq})", "it was put there afterwards"
            )
        if seq > due:
            return Break(due, _missing(due, seq - 1), "they were deleted")
        try:
            linked = chain.link(self.hash, seq, row[1:-1])
        except (TypeError, ValueError):  # what no record holds
            linked = b""
        if linked != found:
            return Break(seq, f"record {seq} was changed", _CHANGED)
        self.seq, self.hash = seq, linked
        if row[_KIND] == "pruned":
            self.pruned = max(self.pruned, _through(row[_VALUES]))
        elif row[_KIND] == "adopted":
            self.adopted = _through(row[_VALUES])
        return None

    def _end(self) -> Break | None:
        if self.seq < self._ends.seq:
            return Break(self.seq + 1, _missing(self.seq + 1, self._ends.seq), "the end of the log was cut off")
        if self.hash != self._ends.hash:
            return Break(self.seq, f"record {self.seq} does not have the hash of the head", "the head was changed")
        return None


def _missing(first: int, last: int) -> str:
    return f"record {first} is missing" if first == last else f"records {first} to {last} are missing"


def _through(values: object) -> int:
    """Up to which record a record about the log itself speaks."""
    try:
        said = json.loads(str(values))["through"]
    except (ValueError, KeyError, TypeError):
        return 0
    return said if isinstance(said, int) else 0


def _compare(connection: sqlite3.Connection, log: str, ends: Ends, head: Head) -> Comparison:
    if head.log and head.log != log:
        return Comparison(head, same=False, what="it is a head of another state file")
    if head.seq is None:
        found = _with_hash(connection, ends, head.hash)
        if found is None:
            return Comparison(
                head, same=False, what="no record has this hash: the log was rewritten, cut off, or pruned beyond it"
            )
        return Comparison(head, same=True, what=f"record {found} has this hash")
    if head.seq > ends.seq:
        what = (
            f"it is of record {head.seq}, and the log ends at {ends.seq}: its end was cut off, or it is an older copy"
        )
        return Comparison(head, same=False, what=what)
    if head.seq < ends.pruned_seq:
        what = f"record {head.seq} was pruned since: only a head that is newer than the last pruning can be compared"
        return Comparison(head, same=False, what=what)
    if _hash_of(connection, ends, head.seq) != head.hash:
        return Comparison(head, same=False, what=f"record {head.seq} has another hash: the log was rewritten")
    return Comparison(head, same=True, what=f"record {head.seq} has this hash")


def _hash_of(connection: sqlite3.Connection, ends: Ends, seq: int) -> str | None:
    if seq == ends.pruned_seq:
        return ends.pruned_hash.hex()
    row = connection.execute("SELECT hash FROM audit WHERE seq = ?", (seq,)).fetchone()
    return row[0].hex() if row is not None and isinstance(row[0], bytes) else None


def _with_hash(connection: sqlite3.Connection, ends: Ends, digest: str) -> int | None:
    if ends.pruned_hash.hex() == digest:
        return ends.pruned_seq
    row = connection.execute("SELECT seq FROM audit WHERE hash = ?", (bytes.fromhex(digest),)).fetchone()
    return None if row is None else int(row[0])
