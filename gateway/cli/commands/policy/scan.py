"""`policy scan`: what each tool of the server may do, and why it is thought so."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import click

from gateway.authoring.risk import CATEGORIES
from gateway.authoring.scan import Scanned, scan
from gateway.cli.flags import REACHING, json_flag, with_settings
from gateway.cli.screen import Row, document, say, table
from gateway.cli.words import counted, named, shown, tally
from gateway.settings import Settings
from gateway.state import lists

HELP: Final = """Class every tool of the server by its risk: why, and what `policy init --live` writes of it.

The list is fetched now. A tool that KeyID publishes has KeyID's category; any other is judged by the words of its name
and by its arguments. What the server says of a tool (annotations, description) makes it graver, never milder.

\b
Risks:
  Read          shows, and changes nothing: open, unless it opens doors
  Write         changes or sends something: 30 a minute
  Execute       starts, runs, pays, opens an address; or a name that says
                nothing: 10 a minute
  Destructive   takes away: hidden

\b
--json: {"server", "tools": [{"name", "risk", "known", "sensitive",
  "writes", "listed", "evidence": [{"risk", "why"}]}]}"""
STYLES: Final[Mapping[str, str]] = {"Read": "green", "Write": "yellow", "Execute": "yellow", "Destructive": "red"}


@click.command("scan", help=HELP, short_help="class the server's tools by risk, with the reasons")
@with_settings(*REACHING)
@json_flag
def command(settings: Settings, *, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    tools = fetched(settings)
    if as_json:
        document({"server": settings.server, "tools": [_data(tool) for tool in tools]})
        return 0
    if not tools:
        say(f"`{settings.server}` announces no tools")
        return 0
    say(f"{counted(len(tools), 'tool')} of {shown(settings.server)}")
    say()
    rows: list[Row] = [
        (
            named(tool.name, 48),
            (tool.risk.category, STYLES[tool.risk.category]),
            tool.says,
            shown(tool.risk.why, 200),
        )
        for tool in tools
    ]
    if table(("tool", "risk", "would be", "because"), rows):
        say()
        say("why each is thought so: in a wider terminal, through a pipe, or with --json")
    say()
    say(summary(tools))
    say("next: `keyid-gateway policy init --live FILE` writes a policy of this; a FILE.yaml says why in comments")
    return 0


def fetched(settings: Settings) -> tuple[Scanned, ...]:
    """The server's tools now, scanned; the list is kept as every whole one is. Raises `UpstreamError`."""
    from gateway.cli.live_list import fetch

    catalogue = fetch(settings)
    lists.keep(settings.state, settings.server, catalogue.definitions())
    return scan(tuple(catalogue.definitions().values()))


def summary(tools: Sequence[Scanned]) -> str:
    """`36 Read (4 sensitive), 21 Write, 3 Execute, 4 Destructive`."""
    found = Counter(tool.risk.category for tool in tools)
    return tally({category: found[category] for category in CATEGORIES})


def _data(tool: Scanned) -> Mapping[str, object]:
    return {
        "name": tool.name,
        "risk": tool.risk.category,
        "known": tool.risk.known,
        "sensitive": tool.risk.sensitive,
        "writes": tool.says,
        "listed": tool.listed,
        "evidence": [{"risk": item.category, "why": item.why} for item in tool.risk.evidence],
    }
