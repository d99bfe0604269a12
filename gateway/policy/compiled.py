"""A policy, compiled once: what a call needs is one look into a table, however many tools the document names.

Everything is frozen. An entry's checks stand in the order in which they are reported (policy language, "Order"):
`action`, `validate`, `require`, `deny_if`, each kind of the entry itself before that of its `rules`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.policy.checks import Check
from gateway.policy.decision import Limit
from gateway.policy.problem import Problem


@dataclass(frozen=True, slots=True)
class Entry:
    """One compiled tool entry: `key` as written in `tools` (or `all_tools`), `rule` points to it."""

    key: str
    rule: str
    checks: tuple[Check, ...] = ()
    approvals: tuple[Check, ...] = ()
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Pattern:
    """An entry whose key is a pattern over whole tool names."""

    matches: re.Pattern[str]
    entry: Entry


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole document. `revision` is a digest of what it says, `text` its source, `warnings` what a person should see.

    `hide` holds the positions of the hidden names (`/hide/0`); `hide_all` that of a lone `*`.
    """

    name: str
    revision: str
    default_allows: bool
    text: str
    warnings: tuple[Problem, ...]
    hide: Mapping[str, str]
    hide_all: str | None
    entries: Mapping[str, Entry]
    patterns: tuple[Pattern, ...]
    all_tools: Entry

    @property
    def default(self) -> str:
        """`allow` or `deny`, as the document says."""
        return "allow" if self.default_allows else "deny"

    def listed(self, tool: str) -> tuple[Entry, ...]:
        """Every entry whose key matches a tool's name: the plain name first, then the patterns as written."""
        entry = self.entries.get(tool)
        plain = () if entry is None else (entry,)
        if not self.patterns:
            return plain
        return (*plain, *(pattern.entry for pattern in self.patterns if pattern.matches.fullmatch(tool)))

    def hidden(self, tool: str) -> str | None:
        """The pointer to what hides a tool, if anything does."""
        return self.hide_all if self.hide_all is not None else self.hide.get(tool)
