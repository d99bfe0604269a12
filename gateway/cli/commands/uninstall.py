"""`uninstall`: the gateway's entries are taken out of a client's config, or put back to what they were."""

import os
from pathlib import Path
from typing import Final

import click

from gateway.cli.flags import json_flag
from gateway.cli.installing import applying, planning
from gateway.cli.installing.going import Done, go
from gateway.cli.installing.machine import Target, chosen, there, this_machine
from gateway.cli.installing.planning import Plan
from gateway.clients import BY_NAME
from gateway.clients.files import check_writable, read
from gateway.errors import UsageError
from gateway.settings import config_dir

HELP: Final = """Take the gateway out of a client's config: every entry that starts it, or only --name.

An entry that took the place of another one (`install --wrap`) becomes what it was, to the letter; the profile and the
files that were made of it go as well, unless you have changed the profile. Other entries are never touched. Without
CLIENT, every client on this machine is looked at.

What would change is shown first, and written only if you agree. Policies, records and sign-ins stay.

\b
--json: [{"client", "file", "entries", "what", "written", "backup" or null,
  "afterwards" or null, "notes"}], with --yes or --dry-run;
  "what" is "removed", "restored" or "absent" """


@click.command("uninstall", help=HELP, short_help="take the gateway out of a client's config")
@click.argument("clients", nargs=-1, metavar="[CLIENT]...", type=click.Choice(list(BY_NAME)))
@click.option("--name", metavar="ENTRY", help="only the entry of this name (default: each that starts the gateway)")
@click.option("--project", metavar="FOLDER", help="the file of the project in this folder, not the one of the user")
@click.option("--dry-run", is_flag=True, help="only show what would change")
@click.option("--yes", is_flag=True, help="do not ask")
@json_flag
def command(
    *, clients: tuple[str, ...], name: str | None, project: str | None, dry_run: bool, yes: bool, as_json: bool
) -> int:
    """The command; its help is `HELP`."""
    if as_json and not (yes or dry_run):
        raise UsageError("`--json` cannot ask", "add `--yes`, or `--dry-run`")
    folder = config_dir(os.environ)

    def plan(target: Target) -> Plan:
        content = read(target.file, shared=target.shared)
        found = planning.uninstall(target.client, content, folder / applying.WRAPPED, name)
        if found.changes:
            check_writable(content)
        return found

    def act(plan: Plan) -> Done:
        backup = applying.apply(plan, folder)
        gone = tuple(f"the profile `{each}` that was made of it is removed" for each in applying.forget(plan, folder))
        return Done(plan, written=True, backup=backup, notes=gone)

    return go(_targets(clients, project), plan, act, yes=yes, dry_run=dry_run, as_json=as_json)


def _targets(clients: tuple[str, ...], project: str | None) -> list[Target]:
    system = this_machine(os.environ)
    if clients or project is None:
        return (
            chosen(clients, system, None if project is None else Path(project).absolute()) if clients else there(system)
        )
    names = [name for name, client in BY_NAME.items() if client.project]
    found = chosen(names, system, Path(project).absolute())
    return [target for target in found if target.file.exists()]
