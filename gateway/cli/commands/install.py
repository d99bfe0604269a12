"""`install`: the gateway becomes an entry in a client's config."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from gateway.cli.consent import answered
from gateway.cli.flags import json_flag, once, with_flags
from gateway.cli.installing import applying, carrying, planning
from gateway.cli.installing.going import Done, go
from gateway.cli.installing.machine import Target, chosen, there, this_machine
from gateway.cli.installing.planning import Plan, Wanted
from gateway.cli.screen import note, say
from gateway.cli.words import shown
from gateway.clients import BY_NAME
from gateway.clients.files import check_writable, read
from gateway.disk import make_private, why
from gateway.errors import ConfigError, UsageError
from gateway.settings import config_dir, load

ENTRY: Final = "keyid"

HELP: Final = f"""Put the gateway into a client's config, as the entry `keyid` (or --name).

CLIENT is one or more of {", ".join(f"`{name}`" for name in BY_NAME)}. Without one, the clients on this machine are
listed, and you say which.

What would change is shown first, without other entries' secrets, and written only if you agree. Everything else in the
file stays as it is, comments and order included; what was there is kept in the folder `backups` of the config folder. A
file that cannot be read to its end is left alone. The command in the entry is absolute, because clients that are
started from a desktop do not have the PATH of a terminal; run this again after the gateway has moved.

With --wrap the gateway takes the place of an entry that leads to a server directly, or by `mcp-remote`: its address and
headers become a profile, and tokens go into files that only you can read. `uninstall` puts the entry back.

\b
Examples:
  keyid-gateway install claude-desktop
  keyid-gateway install cursor --wrap github
  keyid-gateway install vscode --project . --profile github

\b
--json: [{{"client", "file", "entries", "what", "written", "backup" or null,
  "afterwards" or null, "notes"}}], with --yes or --dry-run;
  "what" is "added", "updated", "wrapped" or "there" """


@click.command("install", help=HELP, short_help="put the gateway into a client's config")
@click.argument("clients", nargs=-1, metavar="[CLIENT]...", type=click.Choice(list(BY_NAME)))
@click.option("--all", "everywhere", is_flag=True, help="every client that is on this machine")
@click.option("--name", metavar="ENTRY", help=f"the name of the entry (default: {ENTRY})")
@click.option("--wrap", metavar="ENTRY", help="take the place of this entry, which leads to a server")
@click.option("--project", metavar="FOLDER", help="the file of the project in this folder, not the one of the user")
@click.option("--ask-in-client", "asks", is_flag=True, help="let the client ask you for approvals")
@click.option("--create", is_flag=True, help="make the client's folder where there is none")
@click.option("--dry-run", is_flag=True, help="only show what would change")
@click.option("--yes", is_flag=True, help="do not ask")
@with_flags("profile", "policy", "upstream")
@json_flag
def command(
    *,
    clients: tuple[str, ...],
    everywhere: bool,
    name: str | None,
    wrap: str | None,
    project: str | None,
    asks: bool,
    create: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **texts: tuple[str, ...],
) -> int:
    """The command; its help is `HELP`."""
    _check(clients, name, wrap, asks=not (yes or dry_run), as_json=as_json, everywhere=everywhere)
    given = dict(once(texts))
    targets = _targets(clients, None if project is None else Path(project).absolute(), everywhere=everywhere)
    if not targets:
        raise UsageError("no client was found on this machine", "`keyid-gateway install CLIENT --create` names one")
    if wrap is not None and (len(targets) > 1 or "upstream" in given):
        raise UsageError("`--wrap` takes one client, and its server is the one of the entry", "leave the rest out")
    wanted = _wanted(wrap or name or ENTRY, given, wrapping=wrap is not None)
    folder = config_dir(os.environ)

    def plan(target: Target) -> Plan:
        said = _asking(target, wanted) if asks else wanted
        return _plan(target, said, folder, wrapping=wrap is not None, create=create)

    def act(plan: Plan) -> Done:
        _make_folder(plan.content.file.parent, private=create)
        return Done(plan, written=True, backup=applying.apply(plan, folder))

    return go(targets, plan, act, yes=yes, dry_run=dry_run, as_json=as_json)


def _check(
    clients: Sequence[str], name: str | None, wrap: str | None, *, asks: bool, as_json: bool, everywhere: bool
) -> None:
    if name is not None and wrap is not None:
        raise UsageError("`--wrap` names the entry already", "leave out `--name`")
    if "" in (name, wrap):
        raise UsageError("an entry needs a name", None)
    if as_json and asks:
        raise UsageError("`--json` cannot ask", "add `--yes`, or `--dry-run`")
    if clients and everywhere:
        raise UsageError("`--all` and the name of a client say two things", "leave out one of them")
    if not (clients or everywhere) and not asks:
        raise UsageError("which client?", "name one or more, or say `--all`")


def _targets(clients: Sequence[str], project: Path | None, *, everywhere: bool) -> list[Target]:
    system = this_machine(os.environ)
    if clients:
        return chosen(clients, system, project)
    found = there(system)
    if project is not None:
        return chosen([target.client.name for target in found if target.client.project], system, project)
    return found if everywhere or not found else _asked(found)


def _asked(found: Sequence[Target]) -> list[Target]:
    say("clients on this machine:")
    for target in found:
        say(f"  {target.client.name:<16} {shown(str(target.file))}")
    known = {target.client.name: target for target in found}
    while True:
        with answered("name one or more, or say `--all`"):
            answer = click.prompt("which? (names, or `all`)", default="all" if len(found) == 1 else None, err=True)
        names = str(answer).replace(",", " ").split()
        if names == ["all"]:
            return list(found)
        if names and all(name in known for name in names):
            return [known[name] for name in dict.fromkeys(names)]
        note("only names of this list, please")


def _wanted(entry: str, given: Mapping[str, Sequence[str]], *, wrapping: bool) -> Wanted:
    """The entry that was asked for. Raises `UsageError` for a policy that is not there."""
    for text in given.get("policy", ()):
        if not text.startswith("builtin:") and not Path(text).expanduser().is_file():
            raise UsageError(
                f"there is no policy `{text}`", "`keyid-gateway policy init FILE` writes one to begin with"
            )
    upstream = load({} if wrapping else given, os.environ).upstream  # what cannot be in force is no entry either
    env, left = carrying.variables(os.environ, {*given, "profile"} if wrapping else given)
    for variable in left:
        note(f"note: {variable} is not written into the entry: it is a secret; put it where the client keeps secrets")
    passing = carrying.passing_note()
    if passing is not None:
        note(f"note: {passing}")
    profile = next(iter(given.get("profile", ())), None)
    flags = carrying.flags({name: texts for name, texts in given.items() if not (wrapping and name == "profile")})
    return Wanted(entry, carrying.words(), flags, env, upstream, profile if wrapping else None)


def _asking(target: Target, wanted: Wanted) -> Wanted:
    """The entry with the client named as one that asks. Raises `UsageError` for one that is not known to.

    It takes a person to say so. Even the clients that show questions can be told to answer them by themselves, and an
    agent that can write files may be able to tell them.
    """
    client = target.client
    if not client.asks:
        able = ", ".join(f"`{each.name}`" for each in BY_NAME.values() if each.asks)
        raise UsageError(f"{client.title} is not known to show a server's questions to a person", f"these are: {able}")
    flags = carrying.flags({"approve_in_client": client.announces})
    return replace(wanted, flags=(*wanted.flags, *flags))


def _plan(target: Target, wanted: Wanted, folder: Path, *, wrapping: bool, create: bool) -> Plan:
    if not (target.there or create or target.file.parent.is_dir()):
        raise ConfigError(
            f"{target.client.title} is not on this machine: there is no folder `{target.file.parent}`",
            "start it once, or let `--create` make the folder",
        )
    content = read(target.file, shared=target.shared)
    plan = (planning.wrap if wrapping else planning.install)(target.client, content, wanted)
    if plan.profile is not None:
        applying.check_profile(plan.profile, folder)
    if plan.changes and (content.file.parent.is_dir() or not (create or target.shared)):
        check_writable(content)
    return plan


def _make_folder(folder: Path, *, private: bool) -> None:
    """The folder of a new file, where somebody asked for it, or it is one of a project."""
    if folder.is_dir():
        return
    try:
        if private:
            make_private(folder)
        else:
            folder.mkdir()
    except OSError as error:
        raise ConfigError(f"`{folder}` cannot be made: {why(error)}", "check the folder it would be in") from None
