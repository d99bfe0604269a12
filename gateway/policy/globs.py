"""Names with `*` in them: `*` is any run of characters, everything else is literal, and the whole name must match.

A name is matched in one pass without backtracking: what stands between two `*` is looked for once, from where the part
before it was found. `Globs` asks only those patterns whose beginning is that of the name, so that a thousand patterns
cost about what their common beginnings cost.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
STAR = "*"


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern over whole names, taken apart at its stars."""

    text: str
    head: str
    middle: tuple[str, ...]
    tail: str

    def matches(self, name: str) -> bool:
        if len(name) < len(self.head) + len(self.tail) or not name.startswith(self.head):
            return False
        if not name.endswith(self.tail):
            return False
        position, end = len(self.head), len(name) - len(self.tail)
        for part in self.middle:
            position = name.find(part, position, end)
            if position < 0:
                return False
            position += len(part)
        return True


def parse(text: str) -> Glob:
    """The pattern a text with at least one `*` says."""
    head, *middle, tail = text.split(STAR)
    return Glob(text, head, tuple(part for part in middle if part), tail)


def matches_all(text: str) -> bool:
    """Whether a pattern is nothing but stars."""
    return bool(text) and not text.strip(STAR)


class Globs(Generic[T]):
    """Patterns with what they stand for, to be asked by name."""

    def __init__(self, patterns: dict[str, T]) -> None:
        self._by_head: dict[str, list[tuple[int, Glob, T]]] = {}
        for order, (text, value) in enumerate(patterns.items()):
            glob = parse(text)
            self._by_head.setdefault(glob.head, []).append((order, glob, value))
        self._lengths = sorted({len(head) for head in self._by_head})

    def of(self, name: str) -> list[T]:
        """What the patterns that match a name stand for, in the order in which they were given."""
        found = sorted(self._found(name), key=lambda item: item[0])
        return [value for _, value in found]

    def _found(self, name: str) -> Iterator[tuple[int, T]]:
        for length in self._lengths:
            if length > len(name):
                return
            for order, glob, value in self._by_head.get(name[:length], ()):
                if glob.matches(name):
                    yield order, value
