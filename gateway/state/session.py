"""What one session has done so far: the calls that were let through and those that were denied.

A session is the life of one gateway process, and all its decisions are made one after the other, so that a count in
memory is exact at the moment of each. A call counts from the moment it is let through, whatever becomes of it.
"""

from collections.abc import Mapping


class SessionTally:
    """The counts of one session. Names of tools that were let through are names that the server announced."""

    def __init__(self) -> None:
        self._calls: dict[str, int] = {}
        self.denials = 0

    @property
    def calls(self) -> Mapping[str, int]:
        """How many calls of each tool were let through."""
        return self._calls

    def calls_but_one(self, tool: str) -> Mapping[str, int]:
        """The same without one call of `tool`: what its own next round is judged by."""
        return {**self._calls, tool: self._calls.get(tool, 1) - 1}

    def let_through(self, tool: str) -> None:
        """A call is on its way."""
        self._calls[tool] = self._calls.get(tool, 0) + 1

    def denied(self) -> None:
        """A call was denied, or would have been."""
        self.denials += 1
