"""A policy, compiled once: what a call needs is one look into a table, however many tools the document names.

Everything is frozen. An entry's checks stand in the order in which they are reported (policy language, "Order"):
`action`, `validate`, `require`, `deny_if`, each kind of the entry itself before that of its `rules`.

All entries whose keys match a tool apply together. What they come to is put together when a tool is first asked for,
and kept: the plain name first, then patterns, those with more literal characters before the others, so that the order
of a document's keys changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.policy.checks import Check
from gateway.policy.decision import Layer, Limit, Repeat
from gateway.policy.globs import STAR, Glob, Globs
from gateway.policy.problem import Problem
from gateway.policy.sections import Section

_MOST_KEPT: Final = 16_384
_LONGEST_KEPT: Final = 256
LAYERS: Final[tuple[Layer, ...]] = ("site", "grant", "user", "project")
"""In the order in which their refusals are reported."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One compiled tool entry: `key` as written in `tools` (or `all_tools`), `rule` points to it.

    `observed`: it only says what it would refuse (`mode`).
    """

    key: str
    rule: str
    checks: tuple[Check, ...] = ()
    approvals: tuple[Check, ...] = ()
    limits: tuple[Limit, ...] = ()
    observed: bool = False
    repeat: Repeat | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """An entry whose key is a pattern over whole tool names."""

    glob: Glob
    entry: Entry


@dataclass(frozen=True, slots=True)
class Applied:
    """Everything that one layer says of one tool: the entries that name it, and theirs and `all_tools`' together."""

    hidden: str | None
    listed: tuple[Entry, ...]
    checks: tuple[Check, ...]
    approvals: tuple[Check, ...]
    limits: tuple[Limit, ...]
    measured: tuple[Limit, ...]
    repeats: tuple[Repeat, ...] = ()
    by_schema: bool = False
    """Whether some check judges the arguments by the tool's own schema."""

    @property
    def rule(self) -> str:
        """What permits the tool, if nothing refuses it."""
        return self.listed[0].rule if self.listed else "(default allow)"


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole document. `revision` is a digest of what it says, `text` its source, `warnings` what a person should see.

    `hide` holds the positions of the hidden names and patterns (`/hide/0`); `hide_all` that of one that is only stars.
    `observed`: the document is only being tried out. `asks_since`: the tools whose last call some condition asks for.
    `has_repeat`: some entry has a `repeat`. `also` are the documents of other layers, which a call needs as well: each
    of them only restricts.
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
    resources: Section | None = None
    prompts: Section | None = None
    methods: Section | None = None
    observed: bool = False
    asks_since: frozenset[str] = frozenset()
    has_repeat: bool = False
    layer: Layer = "user"
    also: "tuple[Policy, ...]" = ()
    _applied: dict[str, Applied] = field(default_factory=dict, init=False, compare=False, repr=False)
    _globs: Globs[Entry] = field(init=False, compare=False, repr=False)
    _hidden: Globs[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        patterns = sorted(self.patterns, key=lambda pattern: _specificity(pattern.glob))
        hidden = {name: where for name, where in self.hide.items() if STAR in name}
        object.__setattr__(self, "_globs", Globs({pattern.glob.text: pattern.entry for pattern in patterns}))
        object.__setattr__(self, "_hidden", Globs(hidden))

    @property
    def default(self) -> str:
        """`allow` or `deny`, as the document says."""
        return "allow" if self.default_allows else "deny"

    @property
    def layers(self) -> "tuple[Policy, ...]":
        """The documents that a call needs, in the order in which their refusals are reported."""
        return (
            tuple(sorted((self, *self.also), key=lambda policy: LAYERS.index(policy.layer))) if self.also else (self,)
        )

    def hiding(self, tool: str) -> "Policy":
        """The same policy, compiled together with one more name under `hide`, in every layer."""
        also = tuple(layer.hiding(tool) for layer in self.also)
        return replace(self, hide={**self.hide, tool: "/hide/-"}, also=also)

    def applied(self, tool: str) -> Applied:
        """Everything that this document says of a tool."""
        known = self._applied.get(tool)
        if known is not None:
            return known
        applied = self._apply(tool)
        if len(tool) <= _LONGEST_KEPT:
            if len(self._applied) >= _MOST_KEPT:
                self._applied.clear()
            self._applied[tool] = applied
        return applied

    def counts_same(self, tool: str) -> int:
        """How many of the same calls of a tool some layer wants to know of at most; 0: none asks."""
        if not self.has_repeat:
            return 0
        return max((repeat.maximum for layer in self.layers for repeat in layer.applied(tool).repeats), default=0)

    def judges_by_schema(self, tool: str) -> bool:
        """Whether some layer judges the arguments of a tool by the tool's own schema."""
        return any(layer.applied(tool).by_schema for layer in self.layers)

    def listed(self, tool: str) -> tuple[Entry, ...]:
        """Every entry whose key matches a tool's name: the plain name first, then the patterns."""
        return self.applied(tool).listed

    def hidden(self, tool: str) -> str | None:
        """The pointer to what hides a tool, if anything does."""
        return self.applied(tool).hidden

    def _apply(self, tool: str) -> Applied:
        plain = self.entries.get(tool)
        listed = (*(() if plain is None else (plain,)), *self._globs.of(tool))
        entries = (*listed, self.all_tools)
        limits = tuple(limit for entry in entries for limit in entry.limits)
        return Applied(
            hidden=self._hiding(tool),
            listed=listed,
            checks=tuple(check for entry in entries for check in entry.checks),
            approvals=tuple(check for entry in entries for check in entry.approvals),
            limits=limits,
            measured=tuple(limit for limit in limits if limit.cost is not None or limit.per is not None),
            repeats=tuple(entry.repeat for entry in entries if entry.repeat is not None),
            by_schema=any(check.kind == "schema" for entry in entries for check in entry.checks),
        )

    def _hiding(self, tool: str) -> str | None:
        if self.hide_all is not None:
            return self.hide_all
        plain = self.hide.get(tool)
        return plain if plain is not None and STAR not in tool else _first(self._hidden.of(tool), plain)


def _first(found: Iterable[str], otherwise: str | None) -> str | None:
    return next(iter(found), otherwise)


def _specificity(glob: Glob) -> tuple[int, str]:
    return glob.text.count(STAR) - len(glob.text), glob.text
