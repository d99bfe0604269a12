"""`pins list`: what is pinned of a server, since when and how, and what waits."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import click

from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import state
from gateway.cli.screen import Row, document, say, table
from gateway.cli.waiting_pins import Pinned, gathered
from gateway.cli.words import counted, local, shown, tally
from gateway.settings import Settings

HELP: Final = """List what is pinned of a server: each tool and the instructions, since when and how they were accepted.

`first sight`: as the server announced it when a gateway saw it for the first time; `accepted`: by a person. What waits
is `changed` or `new`.

\b
--json: {"server", "mode", "pins": [{"kind" ("tool", "instructions"),
  "name", "standing", "digest", "how", "accepted_at", "accepted_variants",
  "waiting": {"digest", "first_seen", "met_at", "shown_at"} or null}],
  "other_servers": [urls]}; moments in seconds since the epoch"""


@click.command("list", help=HELP, short_help="what is pinned, since when, and what waits")
@with_settings("upstream", "state", "pins")
@json_flag
def command(settings: Settings, *, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    with state(settings.state) as opened:
        found = [] if opened is None else gathered(opened.pins.of(settings.server))
        servers = [] if opened is None else list(opened.pins.servers())
    others = [server for server in servers if server != settings.server]
    if as_json:
        data = [_data(each) for each in found]
        document({"server": settings.server, "mode": settings.pins, "pins": data, "other_servers": others})
        return 0
    _show(found, settings)
    if others:
        say(f"other servers that are pinned (--upstream): {', '.join(shown(other, 100) for other in others)}")
    return 0


def _data(pinned: Pinned) -> Mapping[str, object]:
    accepted, waiting = pinned.accepted, pinned.waiting
    return {
        "kind": pinned.key[0],
        "name": pinned.key[1],
        "standing": pinned.standing,
        "digest": None if accepted is None else accepted.digest.hex(),
        "how": None if accepted is None else accepted.how,
        "accepted_at": None if accepted is None else accepted.accepted_at,
        "accepted_variants": pinned.variants,
        "waiting": None
        if waiting is None
        else {
            "digest": waiting.digest.hex(),
            "first_seen": waiting.first_seen,
            "met_at": waiting.met_at,
            "shown_at": waiting.shown_at,
        },
    }


def _show(found: Sequence[Pinned], settings: Settings) -> None:
    where = shown(settings.server)
    if not found:
        say(f"nothing is pinned of {where}: no gateway has seen its list of tools yet, or `pins` was `off`")
        return
    rows: list[Row] = [(each.label, _since(each), _waits(each)) for each in found]
    table(("pinned", "accepted", "waits"), rows)
    say()
    waiting = Counter(each.standing for each in found if each.waiting is not None)
    if not waiting:
        say(f"nothing of {where} waits; `pins` is `{settings.pins}`")
        return
    does = {
        "enforce": "calls of them are refused, and they are not listed",
        "warn": "`pins` is `warn`: they are said and recorded, and nothing is refused",
        "off": "`pins` is `off`: nothing is compared any more",
    }
    say(f"{tally({'changed': waiting['changed'], 'new': waiting['new']})}: {does[settings.pins]}")
    say("next: `keyid-gateway pins diff` shows what is different")


def _since(pinned: Pinned) -> str:
    if pinned.accepted is None or pinned.accepted.accepted_at is None:
        return "never"
    said = f"{local(pinned.accepted.accepted_at):%Y-%m-%d %H:%M}, {pinned.accepted.how}"
    return said if pinned.variants == 1 else f"{said}; {counted(pinned.variants, 'variant')}"


def _waits(pinned: Pinned) -> tuple[str, str]:
    if pinned.waiting is None:
        return "", ""
    return f"{pinned.standing}, since {local(pinned.waiting.first_seen):%Y-%m-%d %H:%M}", "yellow"
