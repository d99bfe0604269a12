"""What is wrong with a policy document: `Problem`, one mistake with its place; `PolicyError`, all of them at once.

A document is accepted whole or not at all, and a person who mends it wants the list, not the first line of it (policy
language, "Top level"). `Fault` is a mistake whose place is not known yet: the pure modules return it, the loader adds
the pointer, the line and the column.
"""

from dataclasses import dataclass

from gateway.errors import ConfigError
from gateway.visible import escaped

_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake, and what to do about it."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake at its place: `pointer` is a JSON Pointer (RFC 6901), `line` and `column` count from 1."""

    pointer: str
    line: int
    column: int
    message: str
    hint: str

    def report(self, name: str) -> str:
        """The two lines a person reads; `name` is that of the document."""
        where = f"{name}:{self.line}:{self.column}: {printable(self.pointer)}"
        return f"{where}{': ' if self.pointer else ''}{self.message}\n    hint: {self.hint}"


class PolicyError(ConfigError):
    """A document that cannot be accepted; `problems` in the order in which they stand in it, `what` it is."""

    def __init__(self, name: str, problems: tuple[Problem, ...], *, what: str = "policy") -> None:
        super().__init__("\n".join(problem.report(name) for problem in problems))
        self.name = name
        self.problems = problems
        self.what = what


def quoted(words: str) -> str:
    """The user's words between back-ticks: on one line, printable, and not longer than a line."""
    shown = printable(words)
    return f"`{shown}`" if len(shown) <= _LONGEST else f"`{shown[:_LONGEST]}…`"


def printable(words: str) -> str:
    """The words with every character that could move a cursor or hide text written as its escape."""
    return escaped(words)
