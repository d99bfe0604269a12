"""What of a text the eye does not see, and a model reads.

| found | why |
|---|---|
| tag characters (U+E0000 to U+E007F) | they spell ASCII, and no font shows them: whole orders were smuggled so |
| terminal escapes (ANSI) and control characters | they erase or colour what stands before them on a terminal |
| bidirectional marks (embeddings, overrides, isolates) | the line is read in another order than it is written |
| zero-width and other format characters, fillers | words that are split for the eye, or carry bits |
| variation selectors in a row | each of them carries a byte |
| long runs of blanks or empty lines | what follows stands outside of every window |
| comments of HTML and Markdown | a client that renders the text leaves them out |
| long texts that are base64 or hexadecimal | nobody reads what they say |

Two uses are plain: a zero-width (non-)joiner between two letters or emoji (Persian, Hindi, families), and one variation
selector behind a character. They are no finding.
"""

import re
from collections.abc import Iterator
from typing import Final

_BLANKS: Final = re.compile(r"[^\S\n]{60,}|(?:[^\S\n]*\n){12,}")
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)|^\[//\]:\s*#.*$", re.DOTALL | re.MULTILINE)
_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?|\x9b[0-?]*[ -/]*[@-~]")
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/_-]{120,}={0,2}")
_RULER: Final = 8
"""Different characters that a line which only divides does not have."""
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")
_TAGS: Final = re.compile("[\U000e0000-\U000e007f]+")
_FLAG: Final = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f")
"""Flags of parts of countries are written with tags: one black flag, few tags, one that ends them."""
_BIDI: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_JOINED: Final = re.compile("(?<=[^\\s\\x00-\\x7f])[\u200c\u200d](?=[^\\s\\x00-\\x7f])")
UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2028\u2029\u2060-\u2065\u206a-\u206f"
    "\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\ue000-\uf8ff\U000f0000-\U0010ffff]+"
)
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+")


def hidden(text: str) -> Iterator[tuple[str, str]]:
    """What a text hides: what it is, in words, and the piece itself; each kind once."""
    flagless = _FLAG.sub("", text)
    tags = _TAGS.search(flagless)
    if tags is not None:
        spelt = "".join(chr(ord(char) - 0xE0000) for char in "".join(_TAGS.findall(flagless)))
        said = "".join(char for char in spelt if char.isprintable()).strip()
        yield f"tag characters that no font shows{f' spell `{said[:200]}`' if said else ''}", tags[0]
    plain = _ESCAPE.sub("", text)
    for pattern, words, where in (
        (_ESCAPE, "an escape sequence that acts on a terminal", text),
        (_CONTROL, "control characters", plain),
        (_BIDI, "marks that change the order in which the line is read", text),
        (_SELECTORS, "variation selectors in a row, which can carry anything", text),
        (UNSEEN, "characters that the eye does not see", _JOINED.sub("", text)),
        (_COMMENT, "a comment, which a client that renders the text leaves out", text),
        (_ENCODED, "a long piece that only a machine can read", text),
    ):
        found = pattern.search(where)
        if found is not None and (pattern is not _ENCODED or len(set(found[0])) > _RULER):
            yield words, found[0]
    blanks = _BLANKS.search(text)
    if blanks is not None and text[blanks.end() :].strip():
        yield f"{len(blanks[0])} blanks in a row, and text behind them", text[blanks.end() :].strip()
