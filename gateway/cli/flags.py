"""Flags that are settings: generated from the one table of settings, so that every command says and reads them alike.

A command names the settings that matter to it and is handed the whole `Settings`, by the same rules as `run`: flag,
`KEYID_GATEWAY_*`, profile, settings file, default.
"""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, cast

import click

from gateway.cli.completion import OF_SETTINGS
from gateway.errors import UsageError
from gateway.settings import OPTIONS, Option, load

Callback: TypeAlias = Callable[..., int]

EVERY: Final = tuple(option.name for option in OPTIONS)
REACHING: Final = (
    "upstream",
    "state",
    "header",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_client_key",
    "oauth_flow",
)
"""What a command needs to reach the server as whoever is signed in: which sign-in it is, and how it is renewed."""
_BY_NAME: Final = {option.name: option for option in OPTIONS}

json_flag: Final = click.option("--json", "as_json", is_flag=True, help="print the answer as JSON")


def with_settings(*names: str) -> Callable[[Callback], Callback]:
    """Adds the flags of the named settings and `--profile`, and hands the callback `settings`."""
    names = (*(name for name in names if name != "profile"), "profile")

    def decorate(callback: Callback) -> Callback:
        @functools.wraps(callback)
        def call(**given: object) -> int:
            flags = {name: cast(tuple[str, ...], given.pop(name)) for name in names}
            return callback(settings=load(once(flags), os.environ), **given)

        return with_flags(*names)(call)

    return decorate


def with_flags(*names: str) -> Callable[[Callback], Callback]:
    """Adds the flags of the named settings; the callback is handed their texts as written."""

    def decorate(callback: Callback) -> Callback:
        for name in reversed(names):
            callback = _flag(_BY_NAME[name])(callback)
        return callback

    return decorate


def once(flags: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The flags that were given. Raises `UsageError` for one that stands twice where one value is meant."""
    for name, texts in flags.items():
        option = _BY_NAME[name]
        if len(texts) > 1 and not option.repeatable:
            raise UsageError(f"`{option.flag}` stands {len(texts)} times", "it takes one value: leave one of them out")
    return {name: texts for name, texts in flags.items() if texts}


def _flag(option: Option) -> Callable[[Callback], Callback]:
    if option.switch:
        words = f"{option.help} (default: {option.shown_default})"
        return click.option(option.flag, option.name, is_flag=True, flag_value="true", multiple=True, help=words)
    again = "; may be repeated" if option.repeatable else ""
    return click.option(
        option.flag,
        option.name,
        metavar=option.metavar,
        multiple=True,
        shell_complete=OF_SETTINGS.get(option.name),
        help=f"{option.help}{again} (default: {option.shown_default})",
    )
