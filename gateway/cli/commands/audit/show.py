"""`audit show`: the whole story of one call."""

from collections.abc import Sequence
from typing import Final

import click

from gateway.cli import calls
from gateway.cli.evidence import evidence, missing
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.screen import document, say
from gateway.cli.words import latency, local, named, shown
from gateway.errors import UsageError
from gateway.settings import Settings
from gateway.state import Entry, Record
from gateway.state.audit import OF_NO_CALL
from gateway.state.evidence import Evidence

_MOST: Final = 5

HELP: Final = """Tell the whole story of one call: what was decided and why, what came of it, every round of it; and
where a person was asked, the question and the answer.

ID is the id of the decision: the agent reads it in the `_meta` of a denial, the log and `audit query` show it. The id
of a question does as well. Its beginning is enough.

\b
--json: {"decision_id", "newest", "records": [what `audit tail --json`
  has, and "hash"]}; "newest" is the number of the newest record"""


@click.command("show", help=HELP, short_help="tell the whole story of one call")
@click.argument("decision", metavar="ID")
@with_settings("state")
@json_flag
def command(settings: Settings, *, decision: str, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    with evidence(settings.state) as found:
        if found is None:
            raise missing(settings.state)
        records = found.story(_whole(found, decision))
        newest = found.newest()
    if as_json:
        data = [{**calls.as_data(entry), "hash": linked} for entry, linked in records]
        document({"decision_id": records[0][0].record.decision_id, "newest": newest, "records": data})
        return 0
    _tell(records, newest)
    return 0


def _whole(found: Evidence, text: str) -> str:
    """The id that is meant. Raises `UsageError`."""
    ids = found.beginning_with(text, _MOST + 1) if text else []
    if text in ids or len(ids) == 1:
        return text if text in ids else ids[0]
    name = shown(text, 40)
    if not ids:
        raise UsageError(f"no call has the id `{name}`", "`keyid-gateway audit query` shows ids with --json, or widely")
    some = ", ".join(f"`{shown(each, 40)}`" for each in ids[:_MOST])
    raise UsageError(
        f"several calls have an id that begins with `{name}`", f"{some}{', …' if len(ids) > _MOST else ''}"
    )


def _tell(records: Sequence[tuple[Entry, str]], newest: int) -> None:
    first = next((entry.record for entry, _ in records if entry.record.kind not in OF_NO_CALL), records[0][0].record)
    say(f"call       {shown(first.decision_id)}: {named(first.tool) if first.tool else shown(first.method)}")
    for entry, _ in records:
        _tell_one(entry.record, first)
    if first.kind == "decided" and records[-1][0].record.kind == "decided":
        say("settled    not (yet, or ever: a gateway that was killed cannot say what came of a call)")
    say(f"by         grant {shown(first.grant)}, session {shown(first.session)}, {_client(first)}")
    say(f"at         {shown(first.server)}")
    say(f"policy     revision {shown(first.policy_revision) or '(none)'}")
    say(f"arguments  {', '.join(map(shown, first.argument_names)) or '(none)'}")
    if first.values is not None:
        say(f"values     {shown(first.values)}")
    if first.argument_digest:
        say(f"digest     {shown(first.argument_digest)}")
    for entry, linked in records:
        say(f"record     {entry.seq} of {newest}, hash {linked}")
    say("next: `keyid-gateway audit verify` says whether the log is what was written")


def _tell_one(record: Record, first: Record) -> None:
    moment = f"{local(record.at):%Y-%m-%d %H:%M:%S %Z}"
    if record.kind == "settled":
        status = "" if record.upstream_status is None else f", HTTP {record.upstream_status}"
        say(f"settled    {moment}  {shown(record.outcome or '')}{status}, took {latency(record.latency_ms)}")
        return
    again = "" if record.decision_id == first.decision_id else f" (decision {shown(record.decision_id)})"
    say(f"{record.kind:<9}  {moment}  {record.effect} by {shown(record.rule)} ({shown(record.reason)}){again}")
    if record.message:
        say(f"           {shown(record.message)}")


def _client(record: Record) -> str:
    name = f"{shown(record.client_name)} {shown(record.client_version)}".strip()
    return f"client {name}" if name else "a client without a name"
