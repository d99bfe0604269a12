"""`approvals list`: the calls that wait for a person."""

import json
from collections.abc import Mapping
from typing import Final

import click

from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import state
from gateway.cli.screen import document, say, table
from gateway.cli.words import named, shown, span
from gateway.clock import SystemClock
from gateway.jsonrpc import serialise
from gateway.settings import Settings
from gateway.state.approvals import Standing

_COLUMNS: Final = ("id", "tool", "left", "held", "client", "why")
_NAME: Final = 31

HELP: Final = """List the calls that wait for a person's approval, oldest first.

"left" is how long the question is open, "held" how many calls wait for it at this moment: none where the client has
been told to make the call once more.

\b
--json: {"at", "questions": [{"id", "status": "pending", "tool",
  "arguments", "reason", "rule", "grant", "server", "session", "client":
  {"name", "version"}, "policy_revision", "asked_at", "expires_at",
  "waiters", "remember": [{"paths", "seconds"}], "answered_at",
  "answered_by", "note"}]}; moments in seconds since the epoch"""


@click.command("list", help=HELP, short_help="list the calls that wait")
@with_settings("state")
@json_flag
def command(settings: Settings, *, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    return tell(settings, as_json=as_json)


def tell(settings: Settings, *, as_json: bool) -> int:
    """Print the list."""
    now = SystemClock().now()
    with state(settings.state) as tx:
        pending = () if tx is None else tx.approvals.pending(now)
    if as_json:
        document({"at": now, "questions": [as_data(each) for each in pending]})
        return 0
    if not pending:
        say("no call waits for a person")
        return 0
    rows = [
        (
            each.question.id,
            named(each.question.tool, _NAME),
            span(each.question.expires_at - now),
            str(each.waiters),
            shown(each.question.client_name, 24) or "(unnamed)",
            shown(each.question.reason),
        )
        for each in pending
    ]
    table(_COLUMNS, rows)
    say("next: `keyid-gateway approvals approve ID` shows the whole call and asks you; `deny ID` refuses it")
    return 0


def as_data(standing: Standing) -> Mapping[str, object]:
    """A question as JSON."""
    question = standing.question
    return {
        "id": question.id,
        "status": standing.status,
        "tool": question.tool,
        "arguments": json.loads(serialise(dict(question.arguments))),
        "reason": question.reason,
        "rule": question.rule,
        "grant": question.grant,
        "server": question.server,
        "session": question.session,
        "client": {"name": question.client_name, "version": question.client_version},
        "policy_revision": question.policy_revision,
        "asked_at": question.asked_at,
        "expires_at": question.expires_at,
        "waiters": standing.waiters,
        "remember": [{"paths": list(each.paths), "seconds": each.seconds} for each in question.remember],
        "answered_at": standing.answered_at,
        "answered_by": standing.answered_by,
        "note": standing.note,
    }
