"""`demo`: the gateway at work, without an account: a story of which every step is checked."""

import asyncio
import logging
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gateway.cli.flags import json_flag
from gateway.cli.launch import SCRIPT, client_entry, command_words
from gateway.cli.screen import console, document, note, styled
from gateway.errors import typed

if TYPE_CHECKING:
    from rich.console import Console

    from gateway.cli.demonstration.telling import Step

HELP: Final = """Show the gateway at work: no account, no network, nothing left behind.

An invented KeyID and a real gateway are started on this machine, and a client makes calls: allowed ones, hidden ones,
ones with arguments that the policy refuses, one too many. Every step is checked; exit code 1 if one is not as it should
be. It takes a few seconds.

\b
--json: {"ok", "steps": [{"name", "title", "lines": [[label, text]],
  "checks": [{"expected", "ok", "found"}]}]}"""

_INTRODUCTION: Final = (
    "An agent (here: the official MCP SDK) talks to the gateway, the gateway to an invented KeyID on this machine. "
    "Whatever the agent calls is judged by a policy first."
)
_LABEL: Final = 7
_LABELS: Final[Mapping[str, str]] = {"call": "cyan", "answer": "", "rule": "dim", "says": ""}
_WIDEST: Final = 80


@click.command("demo", help=HELP, short_help="see it at work; no account, no network")
@json_flag
def command(*, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    # what the libraries have to say about a session's end is not part of the story
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    steps = asyncio.run(_play(None if as_json else _Teller(console())))
    failed = [step for step in steps if not step.ok]
    if as_json:
        document({"ok": not failed, "steps": [asdict(step) for step in steps]})
    if failed:
        note("error: not as it should be: " + ", ".join(step.title for step in failed))
        return 1
    return 0


async def _play(teller: "_Teller | None") -> "list[Step]":
    from gateway.cli.demonstration.acts import ACTS, Cast
    from gateway.cli.demonstration.stage import stage

    if teller is not None:
        teller.begin()
    steps = []
    async with stage() as standing:
        cast = Cast(standing)
        for number, act in enumerate(ACTS, 1):
            step = await act(cast)
            steps.append(step)
            if teller is not None:
                teller.tell(number, step)
    if teller is not None:
        teller.end(steps)
    return steps


class _Teller:
    """Tells the story on a terminal: what is a call, what an answer and what was checked can be told without colour."""

    def __init__(self, on: "Console") -> None:
        self._console = on
        self._width = min(on.width, _WIDEST)

    def begin(self) -> None:
        self._text(_INTRODUCTION)

    def tell(self, number: int, step: "Step") -> None:
        self._console.print()
        self._console.print(styled(f"{number}. {step.title}", "bold"))
        for label, text in step.lines:
            self._line(label, text, _LABELS.get(label, ""))
        for check in step.checks:
            if check.ok:
                self._line("ok", check.expected, "green")
            else:
                self._line("FAILED", f"{check.expected}; found: {check.found or 'nothing'}", "bold red")

    def end(self, steps: "list[Step]") -> None:
        checks = [check for step in steps for check in step.checks]
        good = sum(check.ok for check in checks)
        self._console.print()
        self._console.print(styled(f"{good} of {len(checks)} checks are as they should be.", "bold"))
        self._console.print()
        self._console.print(styled("Where to go next", "bold"))
        start = command_words()
        self._text("`keyid-gateway install` puts it into the config of your client. By hand it is this entry:")
        self._console.print(styled(client_entry(start)), soft_wrap=True)
        self._path(start)
        for words, what in _NEXT:
            self._console.print(styled(f"  keyid-gateway {words:<16}{what}"), soft_wrap=True)

    def _line(self, label: str, text: str, style: str) -> None:
        indent = " " * (3 + _LABEL + 1)
        lines = textwrap.wrap(text, max(20, self._width - len(indent)), break_on_hyphens=False) if label else [text]
        for index, part in enumerate(lines or [""]):
            head = f"   {label:<{_LABEL}} " if label else "   "
            self._console.print(styled(head if index == 0 else indent, style).append(part, style=style), soft_wrap=True)

    def _path(self, words: Sequence[str]) -> None:
        """How `keyid-gateway` is typed in the shell at hand, where it is not on its way to programs."""
        if shutil.which(SCRIPT) == words[0]:
            return
        self._text("Your shell does not find `keyid-gateway` by that name. Type all of")
        self._console.print(styled(f"  {typed(*words)}"), soft_wrap=True)
        if len(words) == 1 and sys.platform != "win32":
            self._text("or first")
            self._console.print(styled(f"  export PATH={typed(str(Path(words[0]).parent))}:$PATH"), soft_wrap=True)

    def _text(self, text: str) -> None:
        for part in textwrap.wrap(text, self._width, break_long_words=False, break_on_hyphens=False):
            self._console.print(styled(part), soft_wrap=True)


_NEXT: Final = (
    ("install", "put the gateway into the config of your client"),
    ("policy init", "write the recommended policy to a file to edit"),
    ("tools", "what each tool of your server may do under it"),
    ("audit tail -f", "watch the calls as they are judged"),
)
