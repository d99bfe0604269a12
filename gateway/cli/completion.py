"""What the Tab key offers: what lies on this machine, never the network, and nothing that a shell would act on.

A name of a tool was chosen by a server. What is offered is put into a command line, so only plain names are.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import click
from click.shell_completion import CompletionItem

from gateway.catalogue import Catalogue
from gateway.cli.words import shown
from gateway.clock import SystemClock
from gateway.credentials.client import server_of
from gateway.errors import GatewayError
from gateway.jsonrpc import Json
from gateway.keyid import known_tools
from gateway.settings import OPTIONS, Sources, config_dir, find
from gateway.settings.file import FILE, read
from gateway.settings.sources import names
from gateway.state import Transaction, lists, reading

Completer: TypeAlias = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
_T = TypeVar("_T")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./@+-]{1,128}")
_LONGEST_HELP: Final = 60
_BY_NAME: Final = {option.name: option for option in OPTIONS}


class Completed(click.Command):
    """A command of which all that is typed counts while the value of its last flag is still missing.

    Click would take that for a mistake, and forget the rest.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing and args and args[-1] in self._valued(ctx):
            args = args[:-1]
        return super().parse_args(ctx, args)

    def _valued(self, ctx: click.Context) -> set[str]:
        flags = (item for item in self.get_params(ctx) if isinstance(item, click.Option) and not item.is_flag)
        return {word for flag in flags for word in flag.opts}


def tools(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The tools that the server announced last; those that KeyID publishes, where none was ever asked."""
    catalogue = _catalogue(ctx)
    if catalogue is None:
        return [CompletionItem(name) for name in known_tools() if name.startswith(incomplete)]
    found = ((name, catalogue.definition(name) or {}) for name in catalogue.names() if _fits(name, incomplete))
    return [CompletionItem(name, help=_help(definition.get("description"))) for name, definition in found]


def arguments(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`key=` for every argument of the tool that is not there yet."""
    tool = ctx.params.get("tool")
    if not isinstance(tool, str):
        return []
    given = {str(pair).partition("=")[0] for pair in ctx.params.get("pairs") or ()}
    return [
        CompletionItem(f"{name}=", help=_help(described.get("description") if isinstance(described, dict) else None))
        for name, described in _properties(ctx, tool).items()
        if _fits(name, incomplete) and name not in given
    ]


def profiles(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The profiles that there are."""
    return [CompletionItem(name) for name in _profiles() if _fits(name, incomplete)]


def grants(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The grants that the state file knows."""
    return [CompletionItem(name) for name in _grants(ctx) if _fits(name, incomplete)]


def approvals(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The questions that wait for an answer, each with its tool."""
    waiting = _seen(ctx, lambda transaction: transaction.approvals.pending(SystemClock().now()))
    found = ((each.question.id, each.question.tool) for each in waiting)
    return [
        CompletionItem(number, help=shown(tool, _LONGEST_HELP)) for number, tool in found if _fits(number, incomplete)
    ]


def paths(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files: which there are, the shell knows."""
    return [CompletionItem(incomplete, type="file")]


OF_SETTINGS: Final[Mapping[str, Completer]] = {
    "profile": profiles,
    "grant": grants,
    **{option.name: paths for option in OPTIONS if option.metavar == "FILE"},
}
"""By the name of a setting: what it may be."""


def _fits(name: str, incomplete: str) -> bool:
    return name.startswith(incomplete) and _PLAIN.fullmatch(name) is not None


def _help(text: Json) -> str | None:
    """The first sentence, on one line. A colon is what one shell ends a name with, a comma what another one does."""
    first = shown(text.strip().splitlines()[0], _LONGEST_HELP) if isinstance(text, str) and text.strip() else ""
    return first or None


def _profiles(_: click.Context | None = None) -> Iterator[str]:
    try:
        yield from names(read(config_dir(os.environ) / FILE))
    except GatewayError:  # nobody is told of a mistake while typing; the command that is typed says it
        return


def _grants(ctx: click.Context) -> Iterator[str]:
    return (grant.name for grant in _seen(ctx, lambda transaction: transaction.grants.all()))


def _seen(ctx: click.Context, look: Callable[[Transaction], Iterable[_T]]) -> list[_T]:
    """What somebody sees in the state file; nothing where there is none, or none that can be read now."""
    path = _path(ctx)
    if path is None or not path.exists():
        return []
    try:
        with reading(path, patience=0) as transaction:
            return list(look(transaction))
    except GatewayError:  # as above
        return []


def _path(ctx: click.Context) -> Path | None:
    sources = _sources(ctx)
    try:
        path = None if sources is None else sources.of("state").value
    except GatewayError:  # as above
        return None
    return path if isinstance(path, Path) else None


def _sources(ctx: click.Context) -> Sources | None:
    """The settings by what is typed so far."""
    flags: dict[str, tuple[str, ...]] = {}
    for name, value in ctx.params.items():
        if name in _BY_NAME and isinstance(value, tuple) and value:
            flags[name] = tuple(map(str, value))
    try:
        return find(flags, os.environ)
    except GatewayError:  # as above
        return None


def _catalogue(ctx: click.Context) -> Catalogue | None:
    sources, path = _sources(ctx), _path(ctx)
    if sources is None or path is None:
        return None
    try:
        upstream = str(sources.of("upstream").value)
    except GatewayError:  # as above
        return None
    return lists.last(path, server_of(upstream))


def _properties(ctx: click.Context, tool: str) -> Mapping[str, Json]:
    catalogue = _catalogue(ctx)
    schema: object = catalogue.input_schema(tool) if catalogue is not None else None
    if schema is None and tool in known_tools():
        schema = known_tools()[tool].input_schema
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return properties if isinstance(properties, Mapping) else {}
