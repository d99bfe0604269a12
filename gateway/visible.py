r"""What of a text the eye sees, and what it would be deceived by. Pure.

Text from outside (names of tools, arguments, the words of a server) is shown to people on terminals, in dialogs and in
clients. Whatever in it could move the cursor, colour or reorder a line, hide, or carry what nobody sees, is written as
its escape (`\x1b`, `\u202e`): control and format characters (bidirectional marks, zero-width ones, tags), what is
unassigned or private, blanks other than the space, letters and marks that are nothing to the eye, and more than two
marks on one letter.

Where a person decides by what is read (`unmistakable`), so is what reads like something else (UTS 39 has the whole
story; this is the part that needs no table):

- a letter or digit that stands for one of ASCII: full-width, mathematical and Roman forms, the Kelvin sign;
- in a word that reads like an address (`ada@example.com`, `a.example/x`), everything beyond ASCII;
- in a word with letters of ASCII, letters of other scripts, so that no single letter is Cyrillic among Latin ones.

Scripts that are written without blanks between words stand next to Latin ones everywhere and look like none: they stay.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

_NOTHING_TO_SEE: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters, by Unicode's count, that are nothing to the eye."""
_INVISIBLE_MARKS: Final = re.compile(
    "[\u034f\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U00016fe4\U0001bc9d-\U0001bca3\U000e0000-\U000e0fff]"
)
_MOST_MARKS: Final = 2
_WORD: Final = re.compile(r"\S+")
_ASCII_LETTER: Final = re.compile(r"[A-Za-z]")
_ADDRESS: Final = re.compile(r"@|//|\w\.\w|\w[/\\]\w")
_UNSPACED: Final = frozenset(
    {"BOPOMOFO", "CJK", "HANGUL", "HIRAGANA", "IDEOGRAPHIC", "KATAKANA", "KHMER", "LAO", "MYANMAR", "THAI"}
)
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})


def escaped(text: str) -> str:
    """The text with everything that would act on a terminal, or hide, as its escape. On one line."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(pieces(text, strict=False))


def unmistakable(text: str) -> str:
    """As `escaped`, with what only looks like something else as its escape too, and no letter that reverses a line."""
    if text.isascii() and text.isprintable():
        return text
    shown = pieces(text)
    return "".join(_escape(char) if reverses(char) else piece for char, piece in zip(text, shown, strict=True))


def pieces(text: str, *, strict: bool = True) -> list[str]:
    """How each character of a text is shown; `strict`: as where a person decides by it."""
    if text.isascii() and text.isprintable():
        return list(text)
    shown: list[str] = []
    marks = _MOST_MARKS  # a mark that follows nothing would join what stands before the text
    for char in text:
        category = unicodedata.category(char)
        if category in {"Mn", "Mc"}:
            marks += 1
            hidden = marks > _MOST_MARKS or _INVISIBLE_MARKS.match(char) is not None
        else:
            marks = 0 if category[0] == "L" else _MOST_MARKS
            hidden = category == "Me" or not char.isprintable() or char in _NOTHING_TO_SEE
        shown.append(_escape(char) if hidden else char)
    if strict and not text.isascii():
        _unmask(text, shown)
    return shown


def reverses(text: str) -> bool:
    """Whether a text has letters that are written from right to left: beside it, other text may change its place."""
    return not text.isascii() and any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in text)


def _unmask(text: str, shown: list[str]) -> None:
    """Write as escapes, in `shown`, what reads like something else."""
    for found in _WORD.finditer(text):
        word = found[0]
        if word.isascii():
            continue
        address = _ADDRESS.search(word) is not None
        mixed = address or _ASCII_LETTER.search(word) is not None
        for place, char in enumerate(word, found.start()):
            if char.isascii():
                continue
            script = _script(char)
            foreign = address or (mixed and script != "LATIN" and char.isalnum())
            if (foreign and script not in _UNSPACED) or _stands_for_ascii(char, any_kind=address):
                shown[place] = _escape(char)


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]


@lru_cache(maxsize=4096)
def _stands_for_ascii(char: str, *, any_kind: bool) -> bool:
    """Whether it is another form of a letter or digit of ASCII; of a sign too, where it is `any_kind`."""
    folded = unicodedata.normalize("NFKC", char)
    return len(folded) == 1 and folded.isascii() and (any_kind or folded.isalnum())


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
