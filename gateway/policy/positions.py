"""Where things stand in a JSON text: the line and column of a JSON Pointer, and what a decoder would not tell.

The decoder of the standard library is fast and says nothing of places, so this scanner runs only when there is
something to point at: a mistake, or a rule that `explain` shows. It expects text that a decoder has accepted, keeps its
own stack (a nested text cannot exhaust the interpreter's), and visits every value once.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_CLOSING = frozenset("]}")


@dataclass(frozen=True, slots=True)
class Spot:
    """One value of a text: its pointer, where its key (if it is a member) and it begin, its first token (`first`)."""

    pointer: str
    key: int | None
    start: int
    first: str
    doubled: bool = False


@dataclass(slots=True)
class _Frame:
    """Internal: a container that is open."""

    pointer: str
    is_object: bool
    index: int = 0
    key: tuple[str, int, bool] | None = None
    seen: set[str] = field(default_factory=set)


def escape(key: str) -> str:
    """A key as a reference token of a JSON Pointer (RFC 6901, section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


def pointer(*steps: str | int) -> str:
    """The JSON Pointer of these steps."""
    return "".join(f"/{escape(str(step))}" for step in steps)


def spots(text: str) -> Iterator[Spot]:
    """Every value of a text, in the order in which it is written."""
    frames: list[_Frame] = []
    for match in _TOKEN.finditer(text):
        mark = match.group()
        frame = frames[-1] if frames else None
        if mark in _CLOSING:
            frames.pop()
        elif mark == ",":
            if frame is not None:
                frame.index, frame.key = frame.index + 1, None
        elif frame is not None and frame.is_object and frame.key is None:
            name = str(json.loads(mark, strict=False))
            frame.key = (name, match.start(), name in frame.seen)
            frame.seen.add(name)
        elif mark != ":":
            spot = _spot(frame, match.start(), mark)
            yield spot
            if mark in ("{", "["):
                frames.append(_Frame(spot.pointer, is_object=mark == "{"))


def _spot(frame: _Frame | None, start: int, first: str) -> Spot:
    if frame is None:
        return Spot("", None, start, first)
    if frame.key is None:
        return Spot(f"{frame.pointer}/{frame.index}", None, start, first)
    name, key, doubled = frame.key
    return Spot(f"{frame.pointer}/{escape(name)}", key, start, first, doubled)


class Places:
    """The places of one text, found once. `found` are its spots; left out: those of a JSON text."""

    def __init__(self, text: str, found: Iterable[Spot] | None = None) -> None:
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._spots = {spot.pointer: spot for spot in (spots(text) if found is None else found)}

    def has(self, pointer: str) -> bool:
        """Whether there is anything at a pointer."""
        return pointer in self._spots

    def value(self, pointer: str) -> tuple[int, int]:
        """Line and column where the value at a pointer begins, from 1; of the nearest container if it is not there."""
        spot = self._nearest(pointer)
        return self.at(spot.start) if spot else (1, 1)

    def key(self, pointer: str) -> tuple[int, int]:
        """Line and column where the key of the member at a pointer begins; of the value if it has none."""
        spot = self._nearest(pointer)
        if spot is None:
            return 1, 1
        return self.at(spot.start if spot.key is None else spot.key)

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset."""
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def _nearest(self, pointer: str) -> Spot | None:
        while pointer and pointer not in self._spots:
            pointer = pointer.rpartition("/")[0]
        return self._spots.get(pointer)
