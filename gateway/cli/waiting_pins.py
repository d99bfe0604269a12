"""The pins of a server as the commands look at them: each tool with what was accepted of it, and what waits."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gateway.authoring.risk import assess
from gateway.authoring.trust import Finding, audit, risks
from gateway.authoring.trust.drift import new_findings
from gateway.cli.words import named, shown
from gateway.errors import UsageError, meant
from gateway.jsonrpc import Json
from gateway.jsonrpc.text import loads_leniently
from gateway.keyid import known_tools
from gateway.state.pins import INSTRUCTIONS, Key, Pin, Pins

Standing: TypeAlias = Literal["pinned", "changed", "new"]
SPOKEN: Final = "(instructions)"
"""How the instructions are called where tools are named."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """One tool, or the instructions: the definition that was accepted last (None: none was), and the one that waits."""

    key: Key
    accepted: Pin | None
    waiting: Pin | None
    shown: Pin | None
    """What a person was shown last, where it still waits: that is what can be accepted."""
    variants: int

    @property
    def standing(self) -> Standing:
        if self.waiting is None:
            return "pinned"
        return "new" if self.accepted is None else "changed"

    @property
    def name(self) -> str:
        return SPOKEN if self.key == INSTRUCTIONS else self.key[1]

    @property
    def label(self) -> str:
        """The name, as a person may read it."""
        return "the server's instructions" if self.key == INSTRUCTIONS else named(self.key[1], 64)


def gathered(pins: Sequence[Pin]) -> list[Pinned]:
    """The pins by what they are of: the instructions first, then the tools by name."""
    by_key: dict[Key, list[Pin]] = {}
    for pin in pins:
        by_key.setdefault(pin.key, []).append(pin)
    return [_gathered(key, own) for key, own in sorted(by_key.items(), key=lambda item: item[0])]


def _gathered(key: Key, own: Sequence[Pin]) -> Pinned:
    accepted = [pin for pin in own if pin.how != "waiting"]
    waiting = [pin for pin in own if pin.how == "waiting"]
    seen = [pin for pin in waiting if pin.shown_at is not None]
    return Pinned(
        key,
        max(accepted, key=lambda pin: pin.accepted_at or 0.0, default=None),
        max(waiting, key=lambda pin: pin.met_at, default=None),
        max(seen, key=lambda pin: pin.shown_at or 0.0, default=None),
        len(accepted),
    )


def elsewhere(pins: Pins, server: str) -> list[tuple[str, int]]:
    """The other servers of which something waits, and how much: a refusal does not say of which server a tool is."""
    others = [each for each in pins.servers() if each != server]
    counts = [(each, sum(one.waiting is not None for one in gathered(pins.of(each)))) for each in others]
    return [(each, number) for each, number in counts if number]


def chosen(found: Sequence[Pinned], names: Collection[str]) -> list[Pinned]:
    """Those that are named; all of them where none is. Raises `UsageError` for a name that nothing has."""
    if not names:
        return list(found)
    known = {each.name for each in found}
    for name in names:
        if name not in known:
            close = meant(name, sorted(known))
            hint = f"did you mean `{shown(close)}`?" if close else "`keyid-gateway pins list` shows what is pinned"
            raise UsageError(f"nothing is pinned under the name `{shown(name, 80)}`", hint)
    return [each for each in found if each.name in names]


def value(pin: Pin | None) -> Json:
    """The definition (or the instructions) that a pin stands for; None where it was too large to be kept."""
    text = None if pin is None else pin.text
    if not text:
        return "" if pin is not None and pin.key == INSTRUCTIONS else None
    return loads_leniently(text.decode("utf-8"), max_depth=1000)[0]


def definition(pin: Pin | None) -> Mapping[str, Json]:
    """As `value`, of a tool: an empty one where there is none."""
    found = value(pin)
    return found if isinstance(found, dict) else {}


def risks_of(found: Sequence[Pinned]) -> Mapping[Key, tuple[str, ...]]:
    """What a person must not overlook of what waits, in words; each beside all the others that the server announces."""
    order = sorted(found, key=lambda each: each.accepted is None)  # of two names that are alike, the new one is told
    before = _audited(order, [each.accepted for each in order])
    after = _audited(order, [each.waiting or each.accepted for each in order])
    told: dict[Key, tuple[str, ...]] = {}
    for each in found:
        if each.waiting is not None:
            spoken = each.name if each.key != INSTRUCTIONS else ""
            fresh = new_findings(before.get(spoken, ()), after.get(spoken, ()))
            told[each.key] = (*_of_definition(each, each.waiting), *(_said(finding) for finding in fresh))
    return told


def _audited(found: Sequence[Pinned], pins: Sequence[Pin | None]) -> Mapping[str, tuple[Finding, ...]]:
    """What the audit says of these definitions, by the name of the tool; the instructions' is empty."""
    told = next((_text(pin) for each, pin in zip(found, pins, strict=True) if each.key == INSTRUCTIONS), "")
    tools = [definition(pin) for pin in pins if pin is not None and pin.key != INSTRUCTIONS]
    by_tool: dict[str, tuple[Finding, ...]] = {}
    for finding in audit(tools, instructions=told, known=_KNOWN):
        by_tool[finding.tool] = (*by_tool.get(finding.tool, ()), finding)
    return by_tool


def _of_definition(pinned: Pinned, waiting: Pin) -> tuple[str, ...]:
    if pinned.key == INSTRUCTIONS:
        return ()
    if waiting.text is None:
        return ("it is too large to be kept: only its digest is compared",)
    new = definition(waiting)
    return _may(new) if pinned.accepted is None else risks(definition(pinned.accepted), new)


def _may(new: Mapping[str, Json]) -> tuple[str, ...]:
    """What a new tool may do, by its name, its arguments and its own words; nothing of one that only reads."""
    risk = assess(new)
    return () if risk.category == "Read" else (f"it counts as {risk.category}: {shown(risk.why)}",)


def _said(finding: Finding) -> str:
    like = f", {named(finding.excerpt, 64)}" if finding.kind == "look-alike" else ""
    return f"{shown(finding.place, 80)}: {shown(finding.message)}{like}"


def _text(pin: Pin | None) -> str:
    found = value(pin)
    return found if isinstance(found, str) else ""


_KNOWN: Final = frozenset(known_tools())
