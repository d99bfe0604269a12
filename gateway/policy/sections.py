"""The sections `resources`, `prompts` and `methods`: which of many addresses or names are permitted.

`deny` wins, then `allow`, then the section's `default`. What a section says of one thing is the pointer to the line
that says it.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.policy.uris import Matches

SectionName: TypeAlias = Literal["resources", "prompts", "methods"]


@dataclass(frozen=True, slots=True)
class Line:
    """One pattern of a section, and the pointer to it."""

    matches: Matches
    rule: str


@dataclass(frozen=True, slots=True)
class Section:
    """A compiled section; `text` is what it says, so that two can be compared."""

    name: SectionName
    default_allows: bool
    allow: tuple[Line, ...]
    deny: tuple[Line, ...]
    text: bytes

    def ruling(self, value: str) -> tuple[bool, str]:
        """Whether a name or a normal address is permitted, and the pointer to what says so."""
        for line in self.deny:
            if line.matches(value):
                return False, line.rule
        for line in self.allow:
            if line.matches(value):
                return True, line.rule
        return self.default_allows, f"/{self.name}/default"
