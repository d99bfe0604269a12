"""`policy replay`: what a policy would have made of the calls of the audit log."""

import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from gateway.authoring.kept import NOT_KEPT
from gateway.authoring.published import published
from gateway.authoring.replay import Replay, look_back
from gateway.authoring.tallies import MOST_ROWS, Report, Row, Tally
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import NO_STATE, policy_in_force, state
from gateway.cli.moments import moment
from gateway.cli.screen import document, say, verbatim
from gateway.cli.words import counted, local, shown, span
from gateway.clock import SystemClock
from gateway.errors import ConfigError
from gateway.policies import read
from gateway.policy import Policy, load
from gateway.settings import Settings
from gateway.state import digests, lists, scratch

HELP: Final = """Decide the recorded calls again under the policy FILE, limits included: what comes out otherwise.

The calls are those of the audit log to this server, by every grant. Nothing is called, and nothing of the state file is
changed: limits are counted anew, beginning with the longest window before the first call that is shown.

The log keeps the names of arguments; their values only if `run` was told to (`--audit-arguments TOOL=values`), and
never secrets and the texts of mails: those stay unknown. Values beside them are used as they stand; only `audit verify`
vouches for them. A rule on something unknown is judged where the policy in force, or FILE itself in another `mode`, has
the same rule and judged the call then. Where a new one decides, it says `cannot tell`, which rule that is, and for want
of what.

Times are of this machine's zone, in --since too where it names none; --json has seconds since 1970 (UTC). Mistakes are
plain text on standard error, with --json as well; standard output is then empty.

Exit code 0: every call comes out as it did. 1: some do not, or nobody can tell.

\b
--json: {"policy": {"name", "revision"}, "since", "until", "calls",
  "by_name", "in_part", "same", "changed": [{"tool", "was",
  "was_rule", "would", "rules", "unknown", "count", "by_name",
  "first", "last", "decisions"}],
  "cannot_tell": [the same], "left_out": {reason: number}, "more"}"""

_BATCH: Final = 5000
_ARROWS: Final[Mapping[str, str]] = {"allow": "allowed", "deny": "denied", "approve": "asked", "observe": "observed"}


@click.command("replay", help=HELP, short_help="decide the recorded calls again under another policy")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--since", default="7d", metavar="TIME", help="30min, 12h, 7d, 2w, or a local date (default: 7d)")
@with_settings("upstream", "policy", "grant", "state")
@json_flag
def command(settings: Settings, *, file: Path, since: str, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    policy = load(read(file), name=str(file))
    now = SystemClock().now()
    begin = moment(since, "--since", now)
    report = _replay(settings, policy, begin)
    if as_json:
        document(_data(policy, report, begin, now))
    elif report is None:
        say(f"{NO_STATE} (`{settings.state}`)")
    else:
        _show(settings, file, report, since)
    return 0 if report is None or not (report.changed or report.doubtful) else 1


def _replay(settings: Settings, policy: Policy, since: float) -> Report | None:
    judged_by: Policy | None = None
    with suppress(ConfigError):  # nothing is in force: then every call is decided by what the log says of it alone
        judged_by = policy_in_force(settings).policy
    with state(settings.state) as opened, scratch() as counters:
        if opened is None:
            return None
        replay = Replay(
            policy,
            counters,
            since=since,
            catalogue=lists.last(settings.state, settings.server) or published(),
            judged_by=judged_by,
            digest=digests(settings.state),
        )
        begin, seen, server = since - look_back(policy), 0, settings.server
        while entries := opened.audit.since(begin, seen, _BATCH):
            seen = entries[-1].seq
            for entry in entries:
                if entry.record.server == server:
                    replay.take(entry.record)
        return replay.report


# --- for programs -----------------------------------------------------------------------------------------------------


def _data(policy: Policy, report: Report | None, since: float, until: float) -> Mapping[str, object]:
    report = report or Report()
    return {
        "policy": {"name": policy.name, "revision": policy.revision},
        "since": since,
        "until": until,
        "calls": report.calls,
        "by_name": report.by_name,
        "in_part": report.in_part,
        "same": report.same,
        "changed": [_row_data(row, tally) for row, tally in _sorted(report.changed)],
        "cannot_tell": [_row_data(row, tally) for row, tally in _sorted(report.doubtful)],
        "left_out": dict(report.left_out),
        "more": report.more,
    }


def _row_data(row: Row, tally: Tally) -> Mapping[str, object]:
    return {
        "tool": row.tool,
        "was": row.was,
        "was_rule": row.was_rule,
        "would": row.would,
        "rules": list(row.rules),
        "unknown": list(row.unknown),
        "count": tally.count,
        "by_name": tally.by_name,
        "first": tally.first,
        "last": tally.last,
        "decisions": tally.decisions,
    }


def _sorted(rows: Mapping[Row, Tally]) -> Iterable[tuple[Row, Tally]]:
    return sorted(rows.items(), key=lambda item: (-item[1].count, item[0].tool, item[0].rules, item[0].was_rule))


# --- for people -------------------------------------------------------------------------------------------------------


def _show(settings: Settings, file: Path, report: Report, since: str) -> None:
    say(f"{counted(report.calls, 'call')} to {shown(settings.server)} since {shown(since)}, under `{file}`")
    for why, number in sorted(report.left_out.items()):
        say(f"left out: {number} ({why})")
    if not report.calls:
        return
    changed = sum(tally.count for tally in report.changed.values())
    doubtful = sum(tally.count for tally in report.doubtful.values())
    if changed:
        say()
        say(f"{counted(changed, 'call')} would come out otherwise:")
        _rows(report.changed)
    if doubtful:
        say()
        say(f"of {counted(doubtful, 'call')} nobody can tell, because a rule hangs on what is not known:")
        _rows(report.doubtful)
    say()
    say(
        f"{report.same} of {report.calls} come out as they did"
        if changed or doubtful
        else "every call comes out as it did"
    )
    _say_what_is_missing(report)
    if report.more:
        say(f"{counted(report.more, 'call')} more would need more than {MOST_ROWS} rows: ask for a shorter time")


def _say_what_is_missing(report: Report) -> None:
    """What was decided without values, and what is to be done about what nobody can tell."""
    if report.by_name:
        say(f"{report.by_name} replayed by name: the log has no values of their arguments")
    if report.in_part:
        say(f"{report.in_part} replayed by some of their values: the others were left out of the log")
    unknown = " ".join(words for row in report.doubtful for words in row.unknown)
    if NOT_KEPT in unknown:
        tools = sorted({row.tool for row in report.doubtful if any(NOT_KEPT in words for words in row.unknown)})
        more = "" if len(tools) == 1 else ", and so on"
        words = shlex.quote(f"{tools[0]}=values")
        say(f"hint: `run --audit-arguments {shown(words, 80)}`{more} keeps values of the calls to come")
    if "redacted" in unknown:
        say("hint: secrets and contents are never kept, whatever the setting: try such a rule with `policy test`")


def _rows(rows: Mapping[Row, Tally]) -> None:
    for row, tally in _sorted(rows):
        would = _ARROWS.get(row.would, row.would)
        say()
        say(f"{tally.count:>6}  {shown(row.tool, 64)}: {_ARROWS.get(row.was, row.was)} -> {would}")
        verbatim(f"        was  {shown(row.was_rule)}")
        for rule in row.rules:
            verbatim(f"        now  {shown(rule)}")
        if row.unknown:
            verbatim(f"        for want of {shown(', '.join(row.unknown), 160)}")
        verbatim(f"        {_when(tally)}; {_which(tally)}")


def _when(tally: Tally) -> str:
    first, last = local(tally.first), local(tally.last)
    if tally.count == 1:
        return f"{first:%Y-%m-%d %H:%M:%S %Z}"
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} {last:%Z}" + (
        f" ({span(tally.last - tally.first)})" if tally.last > tally.first else ""
    )


def _which(tally: Tally) -> str:
    more = "" if tally.count == len(tally.decisions) else ", …"
    return ", ".join(shown(item, 32) for item in tally.decisions) + more
