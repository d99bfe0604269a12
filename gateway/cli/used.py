"""Counters that are not empty: the limits they belong to, and how both are said to people and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from gateway.cli.in_force import InForce, limits_of
from gateway.cli.words import amount, local, named, shown, span
from gateway.policy import Limit
from gateway.settings import Settings
from gateway.state import Usage, charge_for


@dataclass(frozen=True, slots=True)
class Row:
    """One counter that is not empty, and the limit of the policy in force that it belongs to, if any."""

    usage: Usage
    limit: Limit | None
    other: Literal["server", "grant"] | None = None
    """Whether it is counted at another server, or for another grant, than is looked at: then no maximum is known."""

    @property
    def left(self) -> Decimal | None:
        return None if self.limit is None else max(Decimal(0), self.limit.maximum - self.usage.used)

    @property
    def next_free_at(self) -> float | None:
        """When some of it is free again: at once all of a fixed window, the oldest hit of a sliding one, else None."""
        if self.usage.key.strategy != "sliding":
            return self.usage.resets_at
        return self.usage.window_start + self.usage.key.seconds


def row_of(usage: Usage, in_force: InForce | None, settings: Settings) -> Row:
    """A counter with what is known of it here; without a policy, there is no maximum."""
    key = usage.key
    other: Literal["server", "grant"] | None = None
    if key.server != settings.server:
        other = "server"
    elif key.scope == "grant" and key.owner != settings.grant:
        other = "grant"
    return Row(usage, None if in_force is None else _limit_of(usage, in_force, settings), other)


def _limit_of(usage: Usage, in_force: InForce, settings: Settings) -> Limit | None:
    """The limit of the policy in force that a counter belongs to, if any."""
    for limit in limits_of(in_force.policy):
        owner = usage.key.owner if limit.scope == "session" else settings.grant
        charge = charge_for(
            limit, server=settings.server, grant=settings.grant, session=owner, per=usage.key.per if limit.per else None
        )
        if charge.key == usage.key:
            return limit
    return None


def as_data(row: Row, now: float) -> Mapping[str, object]:
    """A counter as JSON; its form is part of `HELP`."""
    key = row.usage.key
    return {
        "tools_key": key.tools_key,
        "counter": key.counter,
        "window": key.window,
        "window_seconds": key.seconds,
        "strategy": key.strategy,
        "scope": key.scope,
        "owner": key.owner,
        "per": key.per,
        "server": key.server,
        "used": amount(row.usage.used),
        "max": None if row.limit is None else amount(row.limit.maximum),
        "left": None if row.left is None else amount(row.left),
        "next_free_at": row.next_free_at,
        "resets_at": row.usage.resets_at,
        "resets_in_seconds": None if row.usage.resets_at is None else max(0, round(row.usage.resets_at - now)),
    }


def name_of(row: Row, rows: Sequence[Row]) -> str:
    """Of what it is a limit; with the name of the counter where that alone tells it from another one."""
    key = row.usage.key
    name = "all tools" if key.tools_key == "all_tools" else named(key.tools_key, 64)
    counters = {each.usage.key.counter for each in rows if each.usage.key.tools_key == key.tools_key}
    return name if len(counters) == 1 else f"{name} ({shown(key.counter, 40)})"


def used_of(row: Row) -> tuple[str, str]:
    """How much of the maximum is used, and the style that this deserves."""
    window = shown(row.usage.key.window)
    if row.limit is None:
        return (
            f"{amount(row.usage.used)} per {window} ({f'another {row.other}' if row.other else 'no maximum now'})",
            "dim",
        )
    full = row.left == 0
    return f"{amount(row.usage.used)} of {amount(row.limit.maximum)} per {window}", "red" if full else ""


def resets_of(row: Row, now: float, *, clock: bool) -> str:
    """When all of it is free again; by the clock as well if asked."""
    if row.usage.resets_at is None:
        return "when the session ends"
    words = f"in {span(row.usage.resets_at - now)}"
    return f"{words} ({local(row.usage.resets_at):%H:%M:%S})" if clock else words


def whose(row: Row) -> str:
    """For whom a counter is kept."""
    key = row.usage.key
    apart = "" if key.per is None else f", value {shown(key.per)[:8]}"
    return f"{key.scope} {shown(key.owner)}".rstrip() + apart
