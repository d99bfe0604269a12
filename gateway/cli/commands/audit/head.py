"""`audit head`: what to keep elsewhere."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import click

from gateway.cli.evidence import evidence, key_file, missing
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.screen import record, say
from gateway.cli.words import local
from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.state import signing
from gateway.state.heads import Head

HELP: Final = """Print the newest record's number and hash: the head of the audit log, to be kept elsewhere.

The hash stands for every record so far. Whoever can write the state file could write a whole new log into it; a head
that they cannot reach tells. So send it away regularly: to another machine, a mailbox, a printer, a colleague.

\b
  keyid-gateway audit head --json >> /somewhere/else/heads.jsonl
  keyid-gateway audit verify --head /somewhere/else/heads.jsonl

\b
--json: one line, {"log", "seq", "hash", "at", "time", "signature",
  "key"}; the two last are empty where there is no key (`audit key`)"""


@click.command("head", help=HELP, short_help="what to keep elsewhere: the newest record and its hash")
@with_settings("state")
@json_flag
def command(settings: Settings, *, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    with evidence(settings.state) as found:
        if found is None:
            raise missing(settings.state)
        head = found.head(round(SystemClock().now(), 3))
    key = key_file(settings)
    if key.exists():
        head = signing.sign(head, key)
    if as_json:
        record(_data(head))
        return 0
    say(f"record   {head.seq}")
    say(f"hash     {head.hash}")
    say(f"taken    {local(head.at):%Y-%m-%d %H:%M:%S %Z}")
    say(f"signed   {f'by {head.key}' if head.key else 'no (`keyid-gateway audit key` makes a key)'}")
    say("next: keep it where nobody on this machine can change it; `keyid-gateway audit verify --head HASH` compares")
    return 0


def _data(head: Head) -> Mapping[str, object]:
    time = datetime.fromtimestamp(head.at, UTC).isoformat(timespec="milliseconds")
    return {
        "log": head.log,
        "seq": head.seq,
        "hash": head.hash,
        "at": head.at,
        "time": time,
        "signature": head.signature,
        "key": head.key,
    }
