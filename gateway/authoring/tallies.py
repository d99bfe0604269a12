"""What a replay reports: which calls of the log come out otherwise, how often, and of which nobody can tell."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from gateway.state import Record

MOST_ROWS: Final = 1000
_IDS: Final = 3


@dataclass(frozen=True, slots=True)
class Row:
    """Calls of one tool that come out otherwise, or that nobody can tell about (`would` is then `cannot tell`).

    `unknown` says in a few words each what was wanted to tell.
    """

    tool: str
    was: str
    was_rule: str
    would: str
    rules: tuple[str, ...]
    unknown: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """How often, when (seconds since the epoch), the first few decisions, and how many were decided by name."""

    count: int = 0
    by_name: int = 0
    first: float = 0.0
    last: float = 0.0
    decisions: list[str] = field(default_factory=list)

    def add(self, record: Record, *, by_name: bool) -> None:
        self.first = record.at if not self.count else min(self.first, record.at)
        self.last = max(self.last, record.at)
        self.count += 1
        self.by_name += by_name
        if len(self.decisions) < _IDS:
            self.decisions.append(record.decision_id)


@dataclass(slots=True)
class Report:
    """What came of it. `calls` were decided, `left_out` counts the others.

    `by_name` of them were decided without values, `in_part` with some.
    """

    calls: int = 0
    by_name: int = 0
    in_part: int = 0
    same: int = 0
    changed: dict[Row, Tally] = field(default_factory=dict)
    doubtful: dict[Row, Tally] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    more: int = 0

    def add(self, row: Row, record: Record, *, by_name: bool) -> None:
        rows = self.doubtful if row.would == "cannot tell" else self.changed
        if row not in rows and len(rows) >= MOST_ROWS:
            self.more += 1
            return
        rows.setdefault(row, Tally()).add(record, by_name=by_name)
