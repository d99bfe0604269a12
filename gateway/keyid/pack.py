"""What a pack of restrictions is made of: one `Tool` a row, the reason beside every number and every rule.

`document` turns a table of rows into a policy document. The reasons of the numbers come along (as `reason`, which has
no effect on an entry that is not denied), so that whoever edits a written-out pack reads them; a rule explains itself
by its `on_deny`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gateway.jsonrpc import Json
from gateway.keyid import Category

_MINUTE: Final = 60
Window: TypeAlias = Literal["minute", "hour", "day"]
Condition: TypeAlias = tuple[str, str, Json]
"""Path, operator, operand."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `maximum` calls a window, by one grant in all its sessions; `on_deny` empty: the standard words."""

    maximum: int
    window: Window
    why: str
    on_deny: str = ""

    @property
    def says(self) -> str:
        return f"{self.maximum}/{self.window}"


@dataclass(frozen=True, slots=True)
class Loop:
    """The same call, with the same arguments, at most `maximum` times in so many seconds of one session."""

    maximum: int
    seconds: int
    why: str

    @property
    def says(self) -> str:
        span = f"{self.seconds // 60} minutes" if self.seconds > _MINUTE else "a minute"
        return f"the very same call {self.maximum} times in {span}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A predicate: `says` names it in a few words, `on_deny` tells the agent what to do instead."""

    kind: Literal["require", "deny_if"]
    conditions: tuple[Condition, ...]
    says: str
    why: str
    on_deny: str


@dataclass(frozen=True, slots=True)
class Fits:
    """The arguments fit the tool's own schema. That costs 5 MiB once the tools are known, however few ask for it."""

    why: str
    says: Literal["the arguments fit the tool's own schema"] = "the arguments fit the tool's own schema"


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool and everything that restricts it; none: it is simply listed."""

    name: str
    category: Category
    restrictions: "Restrictions" = ()

    @property
    def limits(self) -> tuple[Limit, ...]:
        return tuple(part for part in self.restrictions if isinstance(part, Limit))

    @property
    def loop(self) -> Loop | None:
        return next((part for part in self.restrictions if isinstance(part, Loop)), None)

    def rules(self, kind: str) -> tuple[Rule, ...]:
        return tuple(part for part in self.restrictions if isinstance(part, Rule) and part.kind == kind)


Restrictions: TypeAlias = tuple[Limit | Loop | Rule | Fits, ...]


def spent(what: str, tool: str) -> str:
    """What the agent reads when a day's worth is used up: waiting is no plan, so a person should know."""
    return f"No more {what} today (the day ends at 00:00 UTC). Tell the person: only they can raise `{tool}`."


def deny_if(*conditions: Condition, says: str, why: str, on_deny: str) -> Rule:
    """A rule that refuses what its conditions describe."""
    return Rule("deny_if", conditions, says, why, on_deny)


def require(*conditions: Condition, says: str, why: str, on_deny: str) -> Rule:
    """A rule that refuses what its conditions do not describe."""
    return Rule("require", conditions, says, why, on_deny)


def document(
    tools: Iterable[Tool], *, description: str, hide: Iterable[str], brakes: Iterable[Limit], loop: Loop | None = None
) -> dict[str, Json]:
    """The policy document: it denies by default, `brakes` bound all calls together, and `loop` those that are alike."""
    return {
        "version": "1",
        "description": description,
        "default": "deny",
        "hide": list(hide),
        "all_tools": {"limits": [_limit("calls", brake) for brake in brakes], **_repeat(loop)},
        "tools": {tool.name: _entry(tool) for tool in tools},
    }


def _entry(tool: Tool) -> dict[str, Json]:
    """`required_args` stands in every restricted entry: a call that cannot succeed should not use up what is left."""
    if not tool.restrictions:
        return {}
    fits = any(isinstance(part, Fits) for part in tool.restrictions)
    entry: dict[str, Json] = {
        "action": "allow",
        "reason": " ".join(f"{limit.says}: {limit.why}." for limit in tool.limits),
        "validate": {"required_args": True, **({"schema": True} if fits else {})},
        "require": [_predicate(rule) for rule in tool.rules("require")],
        "deny_if": [_predicate(rule) for rule in tool.rules("deny_if")],
        "limits": [_limit(f"{tool.name}_rate", limit) for limit in tool.limits],
        **_repeat(tool.loop),
    }
    return {key: value for key, value in entry.items() if value != []}


def _repeat(loop: Loop | None) -> dict[str, Json]:
    return {} if loop is None else {"repeat": {"max": loop.maximum, "window": loop.seconds}}


def _predicate(rule: Rule) -> dict[str, Json]:
    conditions: list[Json] = [{"path": path, "op": op, "value": value} for path, op, value in rule.conditions]
    return {"conditions": conditions, "on_deny": rule.on_deny}


def _limit(counter: str, limit: Limit) -> dict[str, Json]:
    shown: dict[str, Json] = {"counter": counter, "window": limit.window, "max": limit.maximum, "scope": "grant"}
    return shown | ({"on_deny": limit.on_deny} if limit.on_deny else {})
