"""Texts that a pattern matches, for patterns as policies have them. Guesses: whoever uses them tries them.

The pattern is read by Python's parser, which knows nearly all of RE2's syntax; where it does not, there is no text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]  # the parser's own names; typeshed leaves them out
from re import _parser as parser  # type: ignore[attr-defined]  # as above
from typing import Any, Final

_PRINTABLE: Final = "xa0A-_./@ " + "".join(map(chr, range(33, 127)))
_LONGEST: Final = 200
_SEEDS: Final = 48
_A_FEW_MORE: Final = 3
_CODE: Final = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_NAMING: Final = (codes.LITERAL, codes.RANGE)
_CLASSES: Final = {
    codes.CATEGORY_DIGIT: "0",
    codes.CATEGORY_NOT_DIGIT: "x",
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_NOT_SPACE: "x",
    codes.CATEGORY_WORD: "x",
    codes.CATEGORY_NOT_WORD: "-",
}


@dataclass(slots=True)
class _Choice:
    """Internal: what is taken where a pattern leaves it open; without a seed, the first branch and as little as may be.

    `filler` is put where any text of a class fits.
    """

    seed: int = 0
    filler: str = ""

    def pick(self, number: int) -> int:
        """One of the numbers below `number`: each time another one, and with each seed."""
        if not self.seed or number < 1:
            return 0
        self.seed = (self.seed * 1_103_515_245 + 12_345) % 2**31
        return (self.seed >> 16) % number


def example(pattern: str) -> str | None:
    """A text that `pattern` probably matches; None where nobody can tell."""
    return next(_texts(pattern, [_Choice()]), None)


@lru_cache(maxsize=256)  # the same patterns stand in both policies, and are asked for with every rule of a tool
def examples(pattern: str, fillers: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Texts that `pattern` probably matches: with `fillers` where they fit, of its branches, and a little longer."""
    filled = [_Choice(filler=filler) for filler in fillers if filler]
    return tuple(dict.fromkeys(_texts(pattern, [_Choice(), *filled, *map(_Choice, range(1, _SEEDS))])))


def _texts(pattern: str, choices: Sequence[_Choice]) -> Iterator[str]:
    try:
        tree = parser.parse(_CODE.sub(_escaped, pattern.replace("\\z", "\\Z")))
    except (re.error, RecursionError, OverflowError):
        return
    for choice in choices:
        text = "".join(_text(code, value, choice) for code, value in tree)
        if len(text) <= _LONGEST:
            yield text


def _escaped(found: re.Match[str]) -> str:
    """A character by its code, as Python writes it."""
    return f"\\U{int(found[1], 16):08x}"


def _text(code: object, value: Any, choice: _Choice) -> str:  # noqa: ANN401 - the parser's tree has no types
    if code is codes.LITERAL:
        return chr(value)
    if code is codes.NOT_LITERAL:
        return next(char for char in _PRINTABLE if ord(char) != value)
    if code is codes.ANY:
        return "x"
    if code is codes.IN:
        return _one_of(value)
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        return _repeated(value, choice)
    if code is codes.SUBPATTERN:
        return "".join(_text(item, inner, choice) for item, inner in value[-1])
    if code is codes.BRANCH:
        return "".join(_text(item, inner, choice) for item, inner in value[1][choice.pick(len(value[1]))])
    return ""


def _repeated(value: Any, choice: _Choice) -> str:  # noqa: ANN401 - as above
    least, most, tree = value
    items = list(tree)
    filler = choice.filler
    if filler and len(items) == 1 and least <= len(filler) <= most and all(_fits(char, *items[0]) for char in filler):
        return filler
    times = min(int(least) + choice.pick(_A_FEW_MORE), int(most), _LONGEST + 1)
    return "".join(_text(item, inner, choice) for _ in range(times) for item, inner in items)


def _fits(char: str, code: object, value: Any) -> bool:  # noqa: ANN401 - as above
    """Whether a character is of the class that is repeated."""
    if code is codes.ANY:
        return char != "\n"
    if code is codes.NOT_LITERAL:
        return bool(chr(value) != char)
    if code is codes.IN:
        negated = bool(value) and value[0][0] is codes.NEGATE
        return _is_member(char, value) != negated
    return False


def _one_of(members: list[tuple[object, Any]]) -> str:
    """A character of a class: the first printable one that it has, or does not exclude; else the first it names."""
    negated = bool(members) and members[0][0] is codes.NEGATE
    named = (chr(value if code is codes.LITERAL else value[0]) for code, value in members if code in _NAMING)
    return next((char for char in _PRINTABLE if _is_member(char, members) != negated), next(named, "x"))


def _is_member(char: str, members: list[tuple[object, Any]]) -> bool:
    for code, value in members:
        if code is codes.LITERAL and ord(char) == value:
            return True
        if code is codes.RANGE and value[0] <= ord(char) <= value[1]:
            return True
        if code is codes.CATEGORY and _in_class(char, value):
            return True
    return False


def _in_class(char: str, name: object) -> bool:
    known = {
        codes.CATEGORY_DIGIT: char.isdigit(),
        codes.CATEGORY_SPACE: char.isspace(),
        codes.CATEGORY_WORD: char.isalnum() or char == "_",
    }
    opposite = {
        codes.CATEGORY_NOT_DIGIT: codes.CATEGORY_DIGIT,
        codes.CATEGORY_NOT_SPACE: codes.CATEGORY_SPACE,
        codes.CATEGORY_NOT_WORD: codes.CATEGORY_WORD,
    }
    return known[name] if name in known else not known[opposite[name]]
