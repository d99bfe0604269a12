"""The audit log as people read it: one line a call, made of its two records, refusals with their reason.

Every text of a record was chosen by somebody else (a tool's name by the agent), so all of them go through
`words.shown`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from gateway.cli.screen import console, folded, styled
from gateway.cli.words import latency, local, named, shown
from gateway.state import Entry, Record
from gateway.state.audit import OF_NO_CALL

if TYPE_CHECKING:
    from rich.text import Text

NARROW: Final = 79
"""Columns under which it is not said how long a call took, and long names of tools are cut."""
ROOMY: Final = 140
"""Columns from which on the reason stands on the same line."""
ROOMIER: Final = 180
"""Columns from which on it is said as well who called."""
_TOOL, _OUTCOME, _LATENCY, _GRANT, _CLIENT = 31, 19, 7, 12, 18
_STYLES: Final[Mapping[str, str]] = {"allow": "green", "deny": "red", "observe": "yellow"}
_EFFECTS: Final[Mapping[str, str]] = {"observe": "would", "approve": "asked"}
"""In the column of effects; that it would *deny* stands before the reason."""


@dataclass(frozen=True, slots=True)
class JudgedCall:
    """One call: `decided` or `refused`, and what came of it if that is known."""

    seq: int
    record: Record
    settled: Record | None = None

    @property
    def outcome(self) -> str:
        """What the upstream did with it, as far as is known."""
        if self.record.kind == "refused":
            return "not sent"
        if self.record.kind in OF_NO_CALL:
            return ""
        return "not settled" if self.settled is None else self.settled.outcome or ""


def merged(entries: Iterable[Entry]) -> list[JudgedCall]:
    """The calls that these records tell of, in the order in which they were judged."""
    calls: dict[str, JudgedCall] = {}
    for entry in entries:
        record = entry.record
        if record.kind == "settled":
            before = calls.get(record.decision_id)
            first = record if before is None else before.record
            calls[record.decision_id] = JudgedCall(entry.seq if before is None else before.seq, first, record)
        else:
            of_its_own = record.kind in OF_NO_CALL  # a question and its answer have one id, and are two lines
            calls[f"{entry.seq}" if of_its_own else record.decision_id] = JudgedCall(entry.seq, record)
    return list(calls.values())


def told(entries: Iterable[Entry]) -> list[Entry]:
    """The records without those of a policy's self-test that went as it should: nobody called, and nothing happened."""
    return [entry for entry in entries if (entry.record.kind, entry.record.effect) != ("self-test", "deny")]


def headings(width: int) -> str:
    """What stands in the columns of `line`."""
    if width < NARROW:
        return f"{'time':<8}  {'effect':<6}  {'tool':<{_tool(width)}}  outcome"
    words = f"{'time':<8}  {'effect':<6}  {'tool':<{_TOOL}}  {'outcome':<{_OUTCOME}}  {'took':>{_LATENCY}}"
    if width >= ROOMIER:
        words += f"  {'grant':<{_GRANT}}  {'client':<{_CLIENT}}"
    return f"{words}  {'decision':<16}  rule, reason" if width >= ROOMY else words


def line(call: JudgedCall, width: int) -> "Text":
    """A call in one line, or in two where `width` columns are too few for the reason of a refusal."""
    record = call.record
    room = _tool(width)
    name = named(record.tool, room) if record.tool else shown(record.method, room)
    took = latency(call.settled.latency_ms) if call.settled is not None else ""
    text = styled(f"{local(record.at):%H:%M:%S}  ")
    text.append(f"{_EFFECTS.get(record.effect, record.effect):<6}  ", style=_STYLES.get(record.effect, ""))
    if width < NARROW:
        text.append(f"{name:<{room}}  {shown(call.outcome)}")
    else:
        text.append(f"{name:<{room}}  {shown(call.outcome):<{_OUTCOME}}  {took:>{_LATENCY}}")
    if width >= ROOMIER:
        text.append(f"  {shown(record.grant):<{_GRANT}}  {shown(record.client_name):<{_CLIENT}}")
    reason = f"{shown(record.decision_id):<16}  {shown(record.rule)}"
    says_why = record.effect != "allow" or record.kind in OF_NO_CALL
    if record.kind in OF_NO_CALL:
        reason = f"{shown(record.decision_id):<16}  {shown(record.message)}"
    elif says_why:
        reason += f": {'would deny: ' if record.effect == 'observe' else ''}{shown(record.message)}"
    if width >= ROOMY:
        text.append(f"  {reason}")
    elif says_why:
        text.rstrip()
        text.append("\n" + folded(" " * 10 + reason, width))
    return text


def _tool(width: int) -> int:
    """Columns for the name of a tool: a narrow terminal keeps some for the outcome."""
    return _TOOL if width >= NARROW else max(8, min(_TOOL, width - 31))


def day(call: JudgedCall) -> str:
    """The local date of a call, and of which time zone it is."""
    return f"{local(call.record.at):%Y-%m-%d (%Z)}"


def as_data(entry: Entry) -> Mapping[str, object]:
    """A record as JSON, whole; `at` in seconds since the epoch, `time` the same in words (RFC 3339, UTC)."""
    time = datetime.fromtimestamp(entry.record.at, UTC).isoformat(timespec="milliseconds")
    return {"seq": entry.seq, "time": time, **entry.record._asdict()}


class Printer:
    """Prints calls under headings, and the date wherever it changes; of the first batch only the `last`.

    `wide`: every column, however wide the terminal is.
    """

    def __init__(self, *, last: int | None = None, wide: bool = False) -> None:
        self._console = console(wide=wide)
        self._begun = False
        self._last = last
        self._day = ""

    def show(self, entries: Sequence[Entry]) -> None:
        """The calls that these records tell of."""
        self.show_calls(merged(entries))

    def show_calls(self, found: Sequence[JudgedCall]) -> None:
        if found and not self._begun:
            self._begun = True
            self._console.print(styled(headings(self._console.width), "bold"), soft_wrap=True)
            found = found[-self._last :] if self._last else found
        for call in found:
            if day(call) != self._day:
                self._day = day(call)
                self._console.print(styled(self._day, "dim"))
            self._console.print(line(call, self._console.width), soft_wrap=True)
