"""What this process remembers of the state file, for as long as nobody else has changed it.

`PRAGMA data_version` (https://sqlite.org/pragma.html#pragma_data_version) tells, within a transaction, whether another
connection has committed anything since it was last asked. While none has, what was read or written here before is still
what stands there, so a store need not read it again. All of it is forgotten when somebody else has written, and when
anything here was taken back.
"""

from typing import Any, Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_MOST: Final = 4096
"""Rows of one store; what is too much is learned again."""


class Knowledge:
    """Everything that is remembered of one open file."""

    def __init__(self) -> None:
        self._stores: list[dict[Any, Any]] = []  # each has rows of its own kind

    def is_outdated(self) -> None:
        """Whatever was learned may be wrong by now."""
        for rows in self._stores:
            rows.clear()

    def still_holds(self) -> None:
        """Nobody else has written: only what is too much is forgotten."""
        for rows in self._stores:
            if len(rows) > _MOST:
                rows.clear()

    def remembers(self, rows: dict[Any, Any]) -> None:
        """From now on, `rows` are of this file."""
        self._stores.append(rows)


class _Forgetful(dict[K, V]):
    """Takes everything, and keeps nothing."""

    def __setitem__(self, key: K, value: V) -> None:
        pass


def rows(knowledge: Knowledge | None) -> dict[K, V]:
    """The rows of one table as they stand in the file, empty so far; to be used within transactions.

    Without `knowledge` nothing is remembered: for whoever works on a connection beside the one that keeps it.
    """
    if knowledge is None:
        return _Forgetful()
    known: dict[K, V] = {}
    knowledge.remembers(known)
    return known
