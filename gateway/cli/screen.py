"""Where the words of a command appear: standard output, for people or as JSON; complaints on standard error.

Colour only on a terminal that wants it (`NO_COLOR` is honoured), nothing but text anywhere else: no boxes, no cut
columns, no markup. What comes from outside is a `Text`, never markup, and went through `words.shown` before.
"""

import json
import re
import sys
import textwrap
from collections.abc import Sequence
from shutil import get_terminal_size
from typing import IO, TYPE_CHECKING, Final, TypeAlias

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Cell: TypeAlias = str | tuple[str, str]
"""A text, or a text and its style."""
Row: TypeAlias = tuple[Cell, ...]

_TO_COPY: Final = re.compile(r"`[^`]*`")
_PIPE_WIDTH: Final = 1000
"""Columns where nobody looks: wide enough that no row of ours is ever cut or wrapped."""
_PIPE_HEIGHT: Final = 1000
_GAP: Final = 2
_LEAST: Final = 12
"""Fewer columns than these say nothing: a last column that gets no more is left out."""


def on_terminal(stream: IO[str] | None) -> bool:
    """Whether somebody sits at the other end of a standard stream; a program without a console has none at all."""
    return stream is not None and stream.isatty()


def say(line: str = "") -> None:
    """One line of the answer; a terminal gets it broken between words."""
    click.echo(_broken(line, sys.stdout))


def note(line: str) -> None:
    """One line beside the answer: standard error."""
    click.echo(_broken(line, sys.stderr), err=True)


def verbatim(text: str, *, err: bool = False) -> None:
    """Something to be copied: as it is."""
    click.echo(text, err=err)


def document(value: object) -> None:
    """The answer as one JSON document. Plain ASCII: nothing in it can act on a terminal."""
    click.echo(json.dumps(value, indent=2))


def record(value: object) -> None:
    """One line of JSON Lines."""
    click.echo(json.dumps(value, separators=(",", ":")))


def console(*, wide: bool = False) -> "Console":
    """Rich on standard output, as this module's rules want it; `wide`: as where nobody looks."""
    from rich.console import Console  # only where people read

    class OurConsole(Console):
        def on_broken_pipe(self) -> None:
            """Leave it to the program: Rich itself would exit with 1 here."""
            raise BrokenPipeError

    width = None if on_terminal(sys.stdout) and not wide else _PIPE_WIDTH
    height = (
        None if width is None else _PIPE_HEIGHT
    )  # without one, a dumb terminal has 80 columns whatever is asked for
    return OurConsole(width=width, height=height, highlight=False, markup=False, emoji=False)


def styled(text: str, style: str = "") -> "Text":
    """A piece of text, as it is."""
    from rich.text import Text

    return Text(text, style=style)


def table(columns: Sequence[str], rows: Sequence[Row]) -> bool:
    """A table of text cells, as wide as they are; on a terminal the last column gets what is left.

    Where that is too little it is left out, and the last but one is cut instead; the answer says whether that was so.
    """
    screen = console()
    lines, narrow = laid_out(columns, rows, screen.width)
    for line in lines:
        screen.print(line, soft_wrap=True)
    return narrow


def laid_out(columns: Sequence[str], rows: Sequence[Row], room: int) -> tuple[list["Text"], bool]:
    """The lines of such a table in `room` columns, the headings first; and whether the last column was left out."""
    widths = [max(map(len, map(_text, column))) for column in zip(columns, *rows, strict=True)]
    left = room - sum(widths[:-1]) - _GAP * (len(widths) - 1)
    narrow = left < min(widths[-1], _LEAST)
    if narrow:
        widths = widths[:-1]
        left = room - sum(widths[:-1]) - _GAP * (len(widths) - 1)
    widths[-1] = max(1, min(left, widths[-1]))
    lines = []
    for number, row in enumerate((columns, *rows)):
        line = styled("", "" if number else "bold")
        for cell, width in zip(row, widths, strict=False):
            text, style = cell if isinstance(cell, tuple) else (cell, "")
            line.append(f"{cut(text, width):<{width + _GAP}}", style=style)
        line.rstrip()
        lines.append(line)
    return lines, narrow


def fits(columns: Sequence[str], rows: Sequence[Row]) -> bool:
    """Whether a table of these has room for all that stands in it."""
    widths = [max(map(len, map(_text, column))) for column in zip(columns, *rows, strict=True)]
    return sum(widths) + _GAP * (len(widths) - 1) <= console().width


def cut(text: str, width: int) -> str:
    """A text in at most `width` columns: a pointer loses its beginning, other text whole words."""
    if len(text) <= width:
        return text
    if text.startswith("/"):
        return f"…{text[len(text) - width + 1 :]}"
    kept = text[: width - 1]
    whole = kept.rpartition(" ")[0] if text[width - 1] not in " ,;" else kept
    return f"{(whole or kept).rstrip(' ,;')}…"


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def _broken(text: str, stream: IO[str]) -> str:
    """Its lines, on a terminal broken between words. What stands between back-ticks is to be copied: it stays whole."""
    if not on_terminal(stream):
        return text
    width = get_terminal_size().columns
    return "\n".join(line if len(line) <= width else folded(line, width) for line in text.split("\n"))


def folded(line: str, width: int) -> str:
    """A line in `width` columns, broken between words; each begins as far in as it did. To be copied: stays whole."""
    indent = " " * (len(line) - len(line.lstrip()))
    whole = _TO_COPY.sub(lambda found: found[0].replace(" ", "\0"), line)
    filled = textwrap.fill(
        whole.lstrip(" "),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled.replace("\0", " ")
