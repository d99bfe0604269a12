"""What a check says: a line for a person, and the same for a program."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["ok", "warning", "failed", "not checked"]
Fact: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `about` is what was looked at, `do` the cure where it is not fine; `facts` are for programs.

    Texts may hold paths and what a server said, but no value of a header, no token, and of an address no query.
    """

    about: str
    level: Level
    says: str
    do: str | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)

    def rewritten(self, write: Callable[[str], str]) -> "Finding":
        """The same with each of its texts written by `write`."""
        facts = {name: write(fact) if isinstance(fact, str) else fact for name, fact in self.facts.items()}
        return Finding(self.about, self.level, write(self.says), None if self.do is None else write(self.do), facts)


def ok(about: str, says: str, **facts: Fact) -> Finding:
    """It is as it should be."""
    return Finding(about, "ok", says, None, facts)


def warning(about: str, says: str, do: str, **facts: Fact) -> Finding:
    """It works, and should be otherwise."""
    return Finding(about, "warning", says, do, facts)


def failed(about: str, says: str, do: str | None, **facts: Fact) -> Finding:
    """Calls are refused, or something else does not work, because of it."""
    return Finding(about, "failed", says, do or 'see the README, "When something is wrong"', facts)


def unchecked(about: str, why: str) -> Finding:
    """Nobody knows."""
    return Finding(about, "not checked", why)
