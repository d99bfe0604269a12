"""`pins diff`: what waits, beside what was accepted. What is shown here is what can be accepted."""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Final

import click

from gateway.authoring.trust import Change, changes
from gateway.authoring.trust.drift import pieces
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import state
from gateway.cli.owner import act
from gateway.cli.screen import console, document, say, styled
from gateway.cli.waiting_pins import Pinned, chosen, definition, elsewhere, gathered, risks_of, value
from gateway.cli.words import counted, local, shown
from gateway.jsonrpc import Json
from gateway.settings import Settings
from gateway.state.pins import INSTRUCTIONS, Key, Pin

_WAITS: Final = 1
_BLANKS: Final = 8

HELP: Final = """Show what is different of what waits: each member of a definition, texts by line and sentence.

Lines with `!` say what of it is a risk: a new argument that reads like a recipient, a hint that turned, words that give
orders. Whatever could act on your terminal, or hide, is written as its escape. `keyid-gateway pins accept` accepts what
was shown here last, and nothing that came since. It exits with 1 where something waits.

TOOL is the name of a tool, or `(instructions)`; without one, everything that waits is shown.

\b
--json: {"server", "waiting": [{"kind", "name", "standing", "digest",
  "accepted_digest", "first_seen", "risks": [texts],
  "changes": [{"place", "before", "after"}]}]}; a side that a member lacks is
  left out; it shows nothing to a person, so nothing can be accepted after it"""


@click.command("diff", help=HELP, short_help="what is different, and what of it is a risk")
@click.argument("tools", nargs=-1, metavar="[TOOL]...")
@with_settings("upstream", "state")
@json_flag
def command(settings: Settings, *, tools: Sequence[str], as_json: bool) -> int:
    """The command; its help is `HELP`."""
    with state(settings.state) as opened:
        found = [] if opened is None else gathered(opened.pins.of(settings.server))
        others = () if opened is None else elsewhere(opened.pins, settings.server)
    waiting = [each for each in chosen(found, tools) if each.waiting is not None]
    if as_json:
        told = risks_of(found)
        document({"server": settings.server, "waiting": [_data(each, told[each.key]) for each in waiting]})
        return _WAITS if waiting else 0
    if not waiting:
        say(f"nothing of {shown(settings.server)} waits{'' if found else ': nothing is pinned yet'}")
        for server, number in others:
            does = "waits" if number == 1 else "wait"
            say(f"of {shown(server)} {counted(number, 'definition')} {does}: `--upstream`, or `--profile`, names it")
        return 0
    _show(waiting, risks_of(found), settings)
    seen = [each.waiting for each in waiting if each.waiting is not None]
    act(settings.state, lambda tx, now: tx.pins.show(settings.server, seen, now))
    say("next: `keyid-gateway pins accept TOOL…`, or `--all`, accepts what you have just seen")
    return _WAITS


def _data(pinned: Pinned, told: Sequence[str]) -> Mapping[str, object]:
    waiting, accepted = pinned.waiting, pinned.accepted
    return {
        "kind": pinned.key[0],
        "name": pinned.key[1],
        "standing": pinned.standing,
        "digest": None if waiting is None else waiting.digest.hex(),
        "accepted_digest": None if accepted is None else accepted.digest.hex(),
        "first_seen": None if waiting is None else waiting.first_seen,
        "risks": list(told),
        "changes": [_change(change) for change in _changes(pinned)],
    }


def _change(change: Change) -> Mapping[str, object]:
    sides = {} if change.added else {"before": _plain(change.before)}
    return {"place": change.place, **sides, **({} if change.removed else {"after": _plain(change.after)})}


def _plain(found: Json) -> object:
    """A value as Python's own writer takes it: a number that is no integer by its text, which loses nothing."""
    return json.loads(json.dumps(found, default=str))


def _changes(pinned: Pinned) -> Sequence[Change]:
    if pinned.key == INSTRUCTIONS:
        before = None if pinned.accepted is None else value(pinned.accepted)
        return (Change("instructions", before, value(pinned.waiting), added=before is None),)
    return changes(definition(pinned.accepted), definition(pinned.waiting))


def _show(waiting: Sequence[Pinned], told: Mapping[Key, Sequence[str]], settings: Settings) -> None:
    verb = "waits" if len(waiting) == 1 else "wait"
    say(f"{counted(len(waiting), 'definition')} of {shown(settings.server)} {verb}")
    screen = console()
    for each in waiting:
        say()
        say(f"{each.label}: {each.standing}{_when(each.waiting)}")
        for risk in told[each.key]:
            screen.print(styled(f"  ! {risk}", "red"), soft_wrap=True)
        for change in _changes(each):
            say(f"  {shown(change.place, 200)}")
            for line in _lines(change):
                style = {"+": "green", "-": "red"}.get(line[:1], "")
                screen.print(styled(f"    {line}", style), soft_wrap=True)
    say()


def _when(pin: Pin | None) -> str:
    return "" if pin is None else f", first seen {local(pin.first_seen):%Y-%m-%d %H:%M}, digest {pin.digest.hex()[:12]}"


def _lines(change: Change) -> Iterator[str]:
    """The two sides of a change; texts piece by piece."""
    before, after = change.before, change.after
    if isinstance(before, str) and isinstance(after, str):
        old, new = pieces(before), pieces(after)
        for kind, low, high, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if kind == "equal":
                yield from (f"  {_seen(piece)}" for piece in old[low:high])
                continue
            yield from (f"- {_seen(piece)}" for piece in old[low:high])
            yield from (f"+ {_seen(piece)}" for piece in new[first:last])
        return
    if not change.added:
        yield from (f"- {line}" for line in _written(before))
    if not change.removed:
        yield from (f"+ {line}" for line in _written(after))


def _written(found: Json) -> Iterator[str]:
    if isinstance(found, str):
        yield from (_seen(piece) for piece in pieces(found) or [""])
        return
    text = json.dumps(found, default=str, ensure_ascii=False)
    whole = text if len(text) <= 100 else json.dumps(found, default=str, ensure_ascii=False, indent=2)
    yield from (shown(line) for line in whole.split("\n"))


def _seen(piece: str) -> str:
    """A piece of text with everything in it visible: also many blanks, which would push text out of the window."""
    out: list[str] = []
    rest = piece.removesuffix("\n")
    rest = rest[1:] if rest[:1] == " " != rest[1:2] else rest  # the one behind the sentence before
    while rest:
        word = rest.lstrip(" ")
        blanks = len(rest) - len(word)
        out.append(f"[{blanks} blanks]" if blanks >= _BLANKS else " " * blanks)
        end = word.find(" ")
        out.append(shown(word if end < 0 else word[:end]))
        rest = "" if end < 0 else word[end:]
    return "".join(out)
