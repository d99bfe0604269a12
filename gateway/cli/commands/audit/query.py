"""`audit query`: the calls that somebody asks for."""

from collections.abc import Iterator, Mapping
from typing import Final

import click

from gateway.cli import calls
from gateway.cli.evidence import evidence
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import NO_STATE
from gateway.cli.moments import moment
from gateway.cli.screen import note, record, say
from gateway.cli.words import counted, named, shown
from gateway.clock import SystemClock
from gateway.errors import UsageError, meant, typed
from gateway.policy.decision import Effect
from gateway.settings import Settings
from gateway.state.evidence import Evidence
from gateway.state.queries import FAILED, NOT_SENT, NOT_SETTLED, VALUES, Found, Order, Query

_EFFECTS: Final[Mapping[str, Effect]] = {
    "allow": "allow",
    "deny": "deny",
    "approve": "approve",
    "observe": "observe",
    "would": "observe",
}
"""What can be asked for; `would` is the word in the table."""
_MOST_VALUES, _LONGEST_VALUE, _SOME = 1000, 80, 5
_ORDERS: Final[Mapping[str, Order]] = {"newest": "newest", "oldest": "oldest"}

HELP: Final = """Show the calls that fit everything that is asked for, newest first.

Times: `7d`, `12h`, `30min` ago, or `2026-01-31`, `2026-01-31T14:00` in this machine's time zone (`…T14:00Z` is UTC). In
TOOL and RULE `*` stands for any characters (quote it). Outcomes: what the server answered (`ok`, `tool error`, …), or
`failed` (anything but ok), `not sent` (it was refused), `not settled` (nobody knows). Who called takes a wide terminal,
--wide, or a pipe.

\b
--json: one call a line (JSON Lines): what `audit tail --json` has of its
  first record, and "settled_at", "outcome", "latency_ms",
  "upstream_status" of the last; null where nothing is known"""


@click.command("query", help=HELP, short_help="show the calls that fit what is asked for")
@click.option("--since", metavar="TIME", help="not before")
@click.option("--until", metavar="TIME", help="before")
@click.option("--tool", metavar="TOOL", help="the tool")
@click.option("--effect", type=click.Choice(list(_EFFECTS)), help="what was decided")
@click.option("--rule", metavar="RULE", help="the rule that decided: a pointer, or a word in parentheses")
@click.option("--reason", metavar="REASON", help="its kind: limit, deny_if, hidden, …")
@click.option("--grant", metavar="NAME", help="the grant")
@click.option("--session", metavar="ID", help="the session")
@click.option("--client", metavar="NAME", help="what the client calls itself")
@click.option("--server", metavar="URL", help="the server, without its query")
@click.option("--outcome", metavar="OUTCOME", help="what came of it")
@click.option("--limit", "most", type=click.IntRange(1), metavar="N", help="at most so many (default: 50; --json: all)")
@click.option("--order", type=click.Choice(list(_ORDERS)), default="newest", help="which come first (default: newest)")
@click.option("--wide", is_flag=True, help="every column, however wide the terminal is")
@with_settings("state")
@json_flag
def command(settings: Settings, *, most: int | None, order: str, wide: bool, as_json: bool, **asked: str | None) -> int:
    """The command; its help is `HELP`."""
    query = _query(asked)
    limit = most if most is not None or as_json else 50
    with evidence(settings.state) as found:
        if found is None:
            _say_nothing(f"{NO_STATE} (`{settings.state}`)", as_json=as_json)
            return 0
        answer = found.find(query, order=_ORDERS[order], limit=limit)
        if as_json:
            for call in answer:
                record(_data(call))
            return 0
        number = _show(answer, wide=wide)
        if not number:
            say("no call fits")
            _say_what_was_meant(found, asked)
    if number == limit:
        say(f"these are the first {counted(number, 'call')}: `--limit` shows more")
    return 0


def _query(asked: Mapping[str, str | None]) -> Query:
    now = SystemClock().now()
    since, until = moment(asked["since"], "--since", now), moment(asked["until"], "--until", now)
    if since is not None and until is not None and since >= until:
        raise UsageError("nothing is not before `--since` and before `--until`", "exchange the two")
    effect = asked["effect"]
    rest = {name: asked[name] for name in ("tool", "rule", "reason", "grant", "session", "client", "server", "outcome")}
    return Query(since, until, effect=None if effect is None else _EFFECTS[effect], **rest)


def _show(answer: Iterator[Found], *, wide: bool) -> int:
    printer, number = calls.Printer(wide=wide), 0
    for call in answer:
        last = None if call.settled is None else call.settled.record
        printer.show_calls([calls.JudgedCall(call.first.seq, call.first.record, last)])
        number += 1
    return number


def _say_what_was_meant(found: Evidence, asked: Mapping[str, str | None]) -> None:
    """Of each value that the log does not have: the one that was probably meant, or some that it has."""
    for name in VALUES:
        text = asked[name]
        if text is None or "*" in text or "?" in text:
            continue
        known = found.values(name, _MOST_VALUES)
        if name == "outcome":
            known = ["ok", FAILED, NOT_SENT, NOT_SETTLED, *known]
        if text in known:
            continue
        close = meant(text, known)
        some = ", ".join(named(each, _LONGEST_VALUE) for each in known[:_SOME])
        if close:
            note(f"hint: did you mean `{shown(typed(f'--{name}', close))}`?")
        elif some:
            note(f"hint: no call has this {name}; there are: {some}{', …' if len(known) > _SOME else ''}")


def _say_nothing(words: str, *, as_json: bool) -> None:
    if not as_json:
        say(words)


def _data(call: Found) -> Mapping[str, object]:
    last = None if call.settled is None else call.settled.record
    return {
        **calls.as_data(call.first),
        "settled_at": None if last is None else last.at,
        "outcome": "not sent" if call.first.record.kind == "refused" else None if last is None else last.outcome,
        "latency_ms": None if last is None else last.latency_ms,
        "upstream_status": call.first.record.upstream_status if last is None else last.upstream_status,
    }
