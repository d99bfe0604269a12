"""From plans to what was done: shown, asked, written, said. `install` and `uninstall` differ in the plans only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import click

from gateway.cli.consent import answered
from gateway.cli.installing.machine import Target
from gateway.cli.installing.planning import Plan, What
from gateway.cli.installing.view import difference, place
from gateway.cli.screen import console, document, note, say, styled
from gateway.cli.words import counted, named, shown
from gateway.errors import GatewayError

_SAID: Final[dict[What, str]] = {
    "added": "{entry} is in {client}'s config",
    "updated": "{entry} in {client}'s config is brought up to date",
    "wrapped": "{entry} in {client}'s config goes through the gateway",
    "there": "{entry} is in {client}'s config already",
    "removed": "{entry} is taken out of {client}'s config",
    "restored": "{entry} in {client}'s config is what it was before",
    "absent": "the gateway is not in {client}'s config",
}
_STARTS: Final = frozenset({"added", "updated", "wrapped"})
_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True, slots=True)
class Done:
    """One plan, and what became of it; `backup` is where the file is kept as it was."""

    plan: Plan
    written: bool
    backup: Path | None = None
    notes: tuple[str, ...] = ()


Act: TypeAlias = Callable[[Plan], Done]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def go(
    targets: Sequence[Target], plan: Callable[[Target], Plan], act: Act, *, yes: bool, dry_run: bool, as_json: bool
) -> int:
    """Plan, show, ask, write, say; the exit code. One file that cannot be changed does not keep the others from it."""
    errors: list[GatewayError] = []
    plans = _each(targets, plan, errors)
    changing = [found for found in plans if found.changes]
    if not as_json:
        for found in changing:
            _preview(found)
    refused = bool(changing) and not (yes or dry_run) and not _agreed(changing)
    writes = not (refused or dry_run)
    done = [Done(found, written=False) for found in plans if found not in changing or not writes]
    if writes:
        done += _each(changing, act, errors)
    if as_json:
        document([_data(each) for each in done])
    elif refused:
        say("nothing is written")
        return 1
    else:
        for each in done:
            _say(each, dry_run=dry_run)
        if any(each.written and each.plan.what in _STARTS for each in done):
            say("then `keyid-gateway doctor` starts it as the client does, and says what keeps it from working")
    return errors[-1].exit_code if errors else 0


def _each(items: Sequence[_Item], work: Callable[[_Item], _Result], errors: list[GatewayError]) -> list[_Result]:
    """The work on each; an error of one among several is said, and the others go on."""
    found = []
    for item in items:
        try:
            found.append(work(item))
        except GatewayError as error:
            if len(items) == 1 and not errors:
                raise
            note(f"error: {error}")
            errors.append(error)
    return found


def _preview(plan: Plan) -> None:
    say(f"{plan.client.title}: {shown(str(plan.content.named))}")
    lines = difference(plan.client, plan.content.text if plan.content.data is not None else "", plan.text)
    for line in lines[2:]:
        console().print(styled(f"  {line}", _STYLES.get(line[:1], "")), soft_wrap=True)
    if not lines:
        say("  what changes is not shown: it may be a secret")
    if plan.profile is not None:
        headers = "".join(f", header {shown(name)} (in a file of its own)" for name in plan.profile.headers)
        say(f"  new profile {shown(plan.profile.name)}: {shown(place(plan.profile.upstream))}{headers}")
    say()


def _agreed(plans: Sequence[Plan]) -> bool:
    with answered("`--yes` writes without asking, `--dry-run` only shows"):
        return click.confirm(f"write {counted(len(plans), 'file')}?", default=False, err=True)


def _data(done: Done) -> dict[str, object]:
    plan = done.plan
    return {
        "client": plan.client.name,
        "file": str(plan.content.named),
        "entries": list(plan.names),
        "what": plan.what,
        "written": done.written,
        "backup": None if done.backup is None else str(done.backup),
        "afterwards": _afterwards(plan) if done.written else None,
        "notes": [*plan.notes, *done.notes],
    }


def _say(done: Done, *, dry_run: bool) -> None:
    plan = done.plan
    entry = ", ".join(named(name) for name in plan.names)
    if dry_run and plan.changes:
        say(f"{plan.client.title}: nothing is written (--dry-run)")
    else:
        say(_SAID[plan.what].format(entry=entry, client=plan.client.title))
    if done.backup is not None:
        say(f"  as it was: {shown(str(done.backup))}")
    for words in (*plan.notes, *done.notes):
        say(f"  note: {words}")
    if done.written:
        say(f"  next: {_afterwards(plan)}")


def _afterwards(plan: Plan) -> str:
    if plan.what in ("removed", "restored"):
        return f"start {plan.client.title} anew, so that it lets go of the gateway"
    return plan.client.afterwards
