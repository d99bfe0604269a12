"""What this process remembers of the state file, for as long as nobody else has changed it.

`PRAGMA data_version` (https://sqlite.org/pragma.html#pragma_data_version) tells, within a transaction, whether another
connection has committed anything since it was last asked. While none has, what was read or written here before is still
what stands there, so a store need not read it again. Whoever keeps such things asks `age` first: they belong to the age
in which they were learned. A new age begins when somebody else has written, and when anything here was taken back.
"""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Knowledge:
    """The ages of one open file."""

    def __init__(self) -> None:
        self.age = 0

    def is_outdated(self) -> None:
        """Whatever was learned may be wrong by now."""
        self.age += 1


class Known(Generic[K, V]):
    """Rows of one table as they stand in the file. Bounded: what is too much is learned again.

    Without `knowledge` nothing is remembered: for whoever works on a connection beside the one that keeps the ages.
    """

    def __init__(self, knowledge: Knowledge | None, *, most: int = 4096) -> None:
        self._knowledge = knowledge
        self._age = -1
        self._most = most
        self._rows: dict[K, V] = {}

    def rows(self) -> dict[K, V]:
        """What is known at this moment; to be added to, and not to be kept."""
        knowledge = self._knowledge
        if knowledge is None or self._age != knowledge.age or len(self._rows) > self._most:
            self._rows = {}
            self._age = -1 if knowledge is None else knowledge.age
        return self._rows

    def forget(self) -> None:
        """Rows were changed in a way that is not worth following."""
        self._rows = {}
