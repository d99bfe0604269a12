"""`doctor`: whether everything is as it should be, and what to do where it is not."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from gateway.cli.checkup import CHECKS
from gateway.cli.checkup.examination import Examined, examine
from gateway.cli.checkup.finding import Finding, Level
from gateway.cli.flags import REACHING, json_flag, once, with_flags
from gateway.cli.progress import working
from gateway.cli.screen import console, document, folded, styled
from gateway.cli.words import shown, tally
from gateway.clock import SystemClock
from gateway.errors import GatewayError
from gateway.settings import Settings, Sources, find, load

FAILED: Final = 1
_STYLES: Final[Mapping[Level, str]] = {"ok": "green", "warning": "yellow", "failed": "bold red", "not checked": "dim"}
_LEVEL, _ABOUT = 11, 9

HELP: Final = """Look whether everything is as it should be, and say what to do where it is not.

Each line is `ok`, a `warning` (it works, and should be otherwise), `failed` (calls are refused, or something does not
work) or `not checked` (and why). It looks at the program, the settings and where they come from, the policy, the server
(name, connection, TLS, protocol, sign-in, tools), the state file, the disk, the clock, the stop switch, the clients
that have an entry for the gateway, and at who else could write what decides. Entries are started as their clients start
them, and ended again; nothing is called, and nothing is changed.

It is fit for a bug report: no values of headers, no tokens, addresses without their query, `~` for your home folder.

The exit code is 1 if anything has failed.

\b
--json: {"ok", "checks": [{"about", "level", "says", "do" or null,
  "facts": {...}}]}"""


@click.command("doctor", help=HELP, short_help="find what is wrong, and say what to do")
@with_flags("profile", "policy", "grant", "pins", *REACHING)
@json_flag
def command(*, as_json: bool, **flags: tuple[str, ...]) -> int:
    """The command; its help is `HELP`."""
    examined = _examined(once(flags))
    with working("looking at everything"):
        found = [finding.rewritten(lambda text: _short(text, examined.home)) for finding in examine(CHECKS, examined)]
    if as_json:
        document({"ok": not _any_failed(found), "checks": [asdict(finding) for finding in found]})
    else:
        _show(found)
    return FAILED if _any_failed(found) else 0


def _examined(flags: Mapping[str, tuple[str, ...]]) -> Examined:
    """What there is to look at, as far as the settings can be read."""
    sources: Sources | None = None
    settings: Settings | None = None
    trouble: GatewayError | None = None
    try:
        sources = find(flags, os.environ)
        settings = load(flags, os.environ)
    except GatewayError as error:
        trouble = error
    return Examined(flags, os.environ, Path.home(), SystemClock(), sources, settings, trouble)


def _short(text: str, home: Path) -> str:
    """A text without the name of the home folder, which is often somebody's."""
    folder = str(home)
    return text.replace(folder, "~") if len(folder) > 1 else text


def _any_failed(found: Sequence[Finding]) -> bool:
    return any(finding.level == "failed" for finding in found)


def _show(found: Sequence[Finding]) -> None:
    screen = console()
    indent = " " * (_LEVEL + _ABOUT + 4)
    for finding in found:
        head = styled(f"{finding.level:<{_LEVEL}}  ", _STYLES[finding.level])
        head.append(f"{finding.about:<{_ABOUT}}  ", style="bold")
        lines = [folded(indent + shown(finding.says), screen.width)]
        if finding.do is not None and finding.level != "ok":
            lines.append(folded(f"{indent}do: {shown(finding.do)}", screen.width))
        head.append("\n".join(lines)[len(indent) :])
        screen.print(head, soft_wrap=True)
    counts = Counter(finding.level for finding in found)
    screen.print(styled(""))
    words = {"warning": "warnings"} if counts["warning"] > 1 else {}
    screen.print(styled(tally({words.get(level, level): counts[level] for level in _STYLES})), soft_wrap=True)
