"""The exit codes: part of the interface, so that each is said in one place."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Final

EXITS: Final[Mapping[int, str]] = {
    0: "done",
    1: "denied, or a check failed",
    2: "wrong usage",
    3: "policy or settings invalid",
    4: "the upstream server failed",
    5: "the state file failed",
    10: "`policy diff`: tighter",
    11: "`policy diff`: looser",
    12: "`policy diff`: both",
    70: "an unexpected error",
    130: "interrupted (Ctrl-C)",
}
_LEFT: Final = (0, 1, 2)
_RIGHT: Final = (3, 4, 5, 70)


def table() -> str:
    """The codes that every command may end with, for the end of its help."""
    left = (f"{code}  {EXITS[code]}" for code in _LEFT)
    right = (f"{code:>2}  {EXITS[code]}" for code in _RIGHT)
    return "\n".join(
        ("\b", "Exit codes:", *(f"  {one:<29}{two}" for one, two in zip_longest(left, right, fillvalue="")))
    )
