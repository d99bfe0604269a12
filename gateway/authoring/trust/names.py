"""Names that look like other names: a model, like a person, takes the one for the other.

Two tools of one server whose names read alike at a glance (case, separators, accents, letters of other alphabets, `0`
and `o`, `rn` and `m`) are reported, and so is a name with letters that only look Latin. KeyID's names count as well: on
a server that announces many of them each look-alike does, on any other only one that was forged, because `sendEmail` is
an honest name there.
"""

import unicodedata
from collections.abc import Collection, Iterator
from typing import Final

from gateway.visible import unmistakable

_MANY: Final = 8
_ALIKE: Final = str.maketrans(
    {
        "\u0430": "a", "\u0435": "e", "\u043e": "o", "\u0440": "p", "\u0441": "c", "\u0443": "y", "\u0445": "x",
        "\u0456": "l", "\u0458": "j", "\u0455": "s", "\u0501": "d", "\u04bb": "h", "\u043a": "k", "\u043c": "m",
        "\u043d": "h", "\u0432": "b", "\u0442": "t", "\u0433": "r", "\u043f": "n", "\u051b": "q", "\u051d": "w",
        "\u04cf": "l", "\u03b1": "a", "\u03b2": "b", "\u03b3": "y", "\u03b5": "e", "\u03b7": "n", "\u03b9": "l",
        "\u03ba": "k", "\u03bd": "v", "\u03bf": "o", "\u03c1": "p", "\u03c4": "t", "\u03c5": "u", "\u03c7": "x",
        "\u03c9": "w", "\u03f2": "c", "\u0261": "g", "\u0251": "a", "\u0131": "l", "\u01c0": "l", "\u00df": "ss",
        "0": "o", "1": "l", "i": "l", "|": "l",
    }
)  # fmt: skip
"""Cyrillic and Greek letters, and digits, that read as Latin letters: the few that names are forged with (UTS 39)."""


def skeleton(name: str) -> str:
    """A name as the eye reads it at a glance."""
    folded = unicodedata.normalize("NFKD", name.casefold()).translate(_ALIKE)
    return "".join(char for char in folded if char.isalnum()).replace("rn", "m").replace("vv", "w")


def forged(name: str) -> bool:
    """Whether a name has characters that are hidden, or that only look like others; or blanks at its edges."""
    return unmistakable(name) != name or name != name.strip()


def alike(names: Collection[str], known: Collection[str]) -> Iterator[tuple[str, str, bool]]:
    """Announced names that read like another: that one, and whether it is one of the same server (else of KeyID)."""
    by_skeleton: dict[str, list[str]] = {}
    for name in names:
        by_skeleton.setdefault(skeleton(name), []).append(name)
    for same in by_skeleton.values():
        yield from ((name, same[0], True) for name in same[1:])
    of_keyid = {skeleton(name): name for name in known}
    is_keyid = len(set(names) & set(known)) >= _MANY
    for name in names:
        like = of_keyid.get(skeleton(name))
        if like is not None and name not in known and like not in names and (is_keyid or forged(name)):
            yield name, like, False
