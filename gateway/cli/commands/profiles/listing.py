"""`profiles list`: which profiles there are, and which is in use."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import click

from gateway.cli.flags import json_flag
from gateway.cli.screen import Row as Cells
from gateway.cli.screen import document, note, say, table
from gateway.cli.words import shown
from gateway.settings import PREFIX, Sources, find
from gateway.settings.masks import masked
from gateway.settings.sources import BUILT_IN, names

HELP: Final = """List the profiles: the server, the policy and the grant of each, and which is in use.

Each is shown as the settings file makes it; what a variable of the environment changes in all of them is said below.

\b
--json: {"file", "in_use", "from", "profiles": [{"name", "built_in",
  "in_use", "upstream", "policy" or null, "grant"}]}"""
_COLUMNS: Final = ("upstream", "policy", "grant")


@dataclass(frozen=True, slots=True)
class _Profile:
    name: str
    in_use: bool
    sources: Sources

    def text(self, name: str) -> str | None:
        """What it makes of a setting, as anybody may see it; None where that is a default that is only words."""
        found = self.sources.of(name)
        if found.texts:
            return masked(found.option, found.texts[-1])
        return None if found.option.default is None else str(found.option.default)


@click.command("list", help=HELP, short_help="which profiles there are, and which is in use")
@json_flag
def command(*, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    now = find({}, os.environ)
    place = {PREFIX + "CONFIG_DIR": str(now.config_dir)}
    profiles = [_Profile(name, name == now.profile, find({"profile": [name]}, place)) for name in names(now.file)]
    where = now.of("profile").where
    if as_json:
        document({"file": str(now.file.path), "in_use": now.profile, "from": where, "profiles": _data(profiles)})
        return 0
    table(("", "profile", *_COLUMNS), [_row(profile) for profile in profiles])
    say()
    say(f"in use: {now.profile} ({where})")
    say("next: `keyid-gateway profiles show NAME` says where each of its settings comes from")
    outside = [found.where for found in now.found if found.origin == "environment" and found.option.name in _COLUMNS]
    if outside:
        note(f"note: set for all of them in the environment: {', '.join(outside)}")
    return 0


def _row(profile: _Profile) -> Cells:
    usual = "policy.json, else the built-in pack"
    cells = [shown(text) if (text := profile.text(name)) is not None else usual for name in _COLUMNS]
    return ("*" if profile.in_use else " ", profile.name, *cells)


def _data(profiles: list[_Profile]) -> list[Mapping[str, object]]:
    return [
        {
            "name": profile.name,
            "built_in": profile.name in BUILT_IN,
            "in_use": profile.in_use,
            **{name: profile.text(name) for name in _COLUMNS},
        }
        for profile in profiles
    ]
