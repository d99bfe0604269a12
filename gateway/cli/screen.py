"""Where the words of a command appear: standard output, for people or as JSON; complaints on standard error.

Colour only on a terminal that wants it (`NO_COLOR` is honoured), nothing but text anywhere else: no boxes, no cut
columns, no markup. What comes from outside is a `Text`, never markup, and went through `words.shown` before.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Cell = "str | tuple[str, str]"

_PIPE_WIDTH: Final = 1000
"""Columns where nobody looks: wide enough that no row of ours is ever cut or wrapped."""
NARROW: Final = 80


def say(line: str = "") -> None:
    """One line of the answer."""
    click.echo(line)


def note(line: str) -> None:
    """One line beside the answer: standard error."""
    click.echo(line, err=True)


def document(value: object) -> None:
    """The answer as one JSON document. Plain ASCII: nothing in it can act on a terminal."""
    click.echo(json.dumps(value, indent=2))


def record(value: object) -> None:
    """One line of JSON Lines."""
    click.echo(json.dumps(value, separators=(",", ":")))


def console() -> "Console":
    """Rich on standard output, as this module's rules want it."""
    from rich.console import Console  # only where people read

    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def styled(text: str, style: str = "") -> "Text":
    """A piece of text, as it is."""
    from rich.text import Text

    return Text(text, style=style)


def table(columns: Sequence[str], rows: Iterable[Sequence["str | tuple[str, str]"]], *, keep: int = 1) -> None:
    """A table of text cells (a pair is text and style). The first `keep` columns are never cut."""
    from rich.table import Table

    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for index, name in enumerate(columns):
        grid.add_column(name, no_wrap=True, overflow="ignore" if index < keep else "ellipsis", min_width=_least(name))
    for row in rows:
        grid.add_row(*(styled(*cell) if isinstance(cell, tuple) else styled(cell) for cell in row))
    console().print(grid)


def _least(name: str) -> int:
    return len(name)
