"""How values are said to a person: one way for every command.

`shown` is the one place where text from outside (tool names, arguments, servers' words, paths) is made fit for a
terminal: whatever could move the cursor, colour or reorder the line, or hide, is written as its escape (`visible`).
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from gateway.policy.decision import Limit
from gateway.visible import escaped

_SHORTEST: Final = 2
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def shown(text: str, longest: int | None = None) -> str:
    """Text from outside, on one line, without anything that a terminal would act on; cut with a mark if too long."""
    safe = escaped(text)
    if longest is None or len(safe) <= longest:
        return safe
    return f"{safe[: max(longest, _SHORTEST) - 1]}…"


def named(text: str, longest: int | None = None) -> str:
    """A name from outside, between quotes where it only looks like another: blanks at its edges, escapes, nothing."""
    plain = shown(text)
    if plain == text == text.strip() and text and '"' not in text and "  " not in text:
        return shown(text, longest)
    return f'"{shown(text, None if longest is None else longest - 2)}"'


def counted(number: int, noun: str) -> str:
    """`1 tool`, `2 tools`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def tally(counts: Mapping[str, int]) -> str:
    """`58 listed, 6 hidden`; what there is none of is left out."""
    return ", ".join(f"{number} {word}" for word, number in counts.items() if number)


def span(seconds: float) -> str:
    """A length of time in its largest one or two units: `42 s`, `5 min`, `2 h 5 min`."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def latency(milliseconds: float | None) -> str:
    """`0.8 ms`, `12 ms`, `1.2 s`; nothing for None."""
    if milliseconds is None:
        return ""
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def local(at: float) -> datetime:
    """A moment (seconds since the epoch) in the time zone of this machine."""
    return datetime.fromtimestamp(at).astimezone()


def amount(value: Decimal) -> int | float:
    """An amount as a JSON number."""
    return int(value) if value == value.to_integral_value() else float(value)


def rate(limit: Limit) -> str:
    """`30 per minute`."""
    return f"{limit.maximum:f} per {limit.window}"
