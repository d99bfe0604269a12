"""A text that a pattern matches, for patterns as policies have them. A guess: whoever uses it tries it.

The pattern is read by Python's parser, which knows nearly all of RE2's syntax; where it does not, there is no text.
"""

import re
from re import _constants as codes  # type: ignore[attr-defined]  # the parser's own names; typeshed leaves them out
from re import _parser as parser  # type: ignore[attr-defined]  # as above
from typing import Any, Final

_PRINTABLE: Final = "xa0A-_./@ " + "".join(map(chr, range(33, 127)))
_LONGEST: Final = 200
_CLASSES: Final = {
    codes.CATEGORY_DIGIT: "0",
    codes.CATEGORY_NOT_DIGIT: "x",
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_NOT_SPACE: "x",
    codes.CATEGORY_WORD: "x",
    codes.CATEGORY_NOT_WORD: "-",
}


def example(pattern: str) -> str | None:
    """A text that `pattern` probably matches; None where nobody can tell."""
    try:
        tree = parser.parse(pattern.replace("\\z", "\\Z"))
    except (re.error, RecursionError, OverflowError):
        return None
    text = "".join(_text(code, value) for code, value in tree)
    return text if len(text) <= _LONGEST else None


def _text(code: object, value: Any) -> str:  # noqa: ANN401 - the parser's tree has no types
    if code is codes.LITERAL:
        return chr(value)
    if code is codes.NOT_LITERAL:
        return next(char for char in _PRINTABLE if ord(char) != value)
    if code is codes.ANY:
        return "x"
    if code is codes.IN:
        return _one_of(value)
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        least, _, tree = value
        return "".join(_text(*item) for item in tree) * min(int(least), _LONGEST + 1)
    if code is codes.SUBPATTERN:
        return "".join(_text(*item) for item in value[-1])
    if code is codes.BRANCH:
        return "".join(_text(*item) for item in value[1][0])
    return ""


def _one_of(members: list[tuple[object, Any]]) -> str:
    """A character of a class: the first printable one that it has, or does not exclude."""
    negated = bool(members) and members[0][0] is codes.NEGATE
    return next((char for char in _PRINTABLE if _is_member(char, members) != negated), "x")


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
