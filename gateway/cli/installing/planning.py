"""The new text of one client's file, and what else has to be kept or forgotten for it. Nothing is written here."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from gateway.cli.installing.view import place
from gateway.cli.words import named, shown
from gateway.clients import Client, NotEditable, Text, editing, entries, originals
from gateway.clients.files import Content
from gateway.clients.jsonc import Document, Node, Unreadable, parse
from gateway.clients.originals import Original
from gateway.errors import ConfigError, typed
from gateway.jsonrpc import Json
from gateway.settings.options import KEYID_URL

What: TypeAlias = Literal["added", "updated", "wrapped", "there", "removed", "restored", "absent"]

_PROFILE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_VARIABLE: Final = re.compile(r"[^A-Za-z0-9]+")
_LONGEST: Final = 64
_LOGIN: Final = ("keyid-gateway", "login")
_NO_POLICY: Final = "without a policy of yours only tools that are called as KeyID's are permitted"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The entry that somebody wants: its name, what starts it, and the address that it guards."""

    name: str
    words: Sequence[str]
    flags: Sequence[str]
    env: Mapping[str, str]
    upstream: str
    profile: str | None = None
    """Of an entry that is wrapped: how its profile is to be called, if not like itself."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile that has to be there before the entry is. Values of headers may be secrets."""

    name: str
    upstream: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of one file."""

    client: Client
    content: Content
    names: tuple[str, ...]
    what: What
    text: str
    profile: Profile | None = None
    keep: Original | None = None
    forget: tuple[Original, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything is to be written."""
        return self.what not in ("there", "absent")


def install(client: Client, content: Content, wanted: Wanted) -> Plan:
    """The entry put in, or brought up to date. Raises `ConfigError` where another one has its name."""
    document = _document(client, content)
    path = (client.key, wanted.name)
    with _Explained(content):
        node = editing.found(document, path)
        old = None if node is None else node.value
        if node is not None and not entries.is_ours(old):
            raise _taken(content, wanted, old)
        kept = entries.members_of(old)
        arguments = ["run", *wanted.flags]
        if node is not None and not wanted.flags:
            arguments = entries.arguments_of(old) or arguments
        entry = entries.ours(client, wanted.words, arguments, {**entries.env_of(old), **wanted.env}, kept)
        notes = (*_of_an_address(wanted), *_ways_round(client, document, wanted))
        if old is not None and _same(old, entry):
            return Plan(client, content, (wanted.name,), "there", content.text, notes=notes)
        text = editing.put(document, client.dialect, path, entry)
    return Plan(client, content, (wanted.name,), "added" if node is None else "updated", text, notes=notes)


def wrap(client: Client, content: Content, wanted: Wanted) -> Plan:
    """An entry that leads to a server becomes the gateway's, and its address and headers a profile."""
    document = _document(client, content)
    path = (client.key, wanted.name)
    with _Explained(content):
        node = editing.found(document, path)
        if node is None:
            raise ConfigError(f"`{content.named}` has no entry {named(wanted.name)}", _entries_hint(client, document))
        if entries.is_ours(node.value):
            return install(client, content, wanted)
        try:
            remote = entries.remote(node.value)
        except entries.NotWrappable as error:
            raise ConfigError(f"the entry {named(wanted.name)} cannot be wrapped: {error}", error.hint) from None
        name = wanted.profile or _PROFILE.sub("-", wanted.name)[:_LONGEST].strip("-") or "server"
        filled = any(entries.VARIABLE.search(value) for value in remote.headers.values())
        flags, env = _by_variables(remote.headers) if filled else ((), {})
        profile = Profile(name, remote.url, {} if filled else remote.headers)
        arguments = ["run", "--profile", name, *flags, *wanted.flags]
        entry = entries.ours(client, wanted.words, arguments, {**wanted.env, **env}, remote.kept)
        text = editing.put(document, client.dialect, path, entry)
    raw = document.text[node.start : node.end]
    original = Original(str(content.file), client.key, wanted.name, raw, name)
    guarded = Wanted(wanted.name, wanted.words, wanted.flags, wanted.env, remote.url)
    signs_in = () if remote.headers else _of_a_sign_in("--profile", name)
    notes = (*remote.notes, *signs_in, *_of_a_policy(profile, wanted), *_ways_round(client, document, guarded))
    return Plan(client, content, (wanted.name,), "wrapped", text, profile, original, notes=notes)


def uninstall(client: Client, content: Content, kept_in: Path, name: str | None) -> Plan:
    """Our entries taken out, or put back to what they were. Raises `ConfigError` for one that is not ours."""
    document = _document(client, content)
    with _Explained(content):
        names = _ours(client, document) if name is None else [name]
        text, forget, notes = content.text, list[Original](), list[str]()
        for each in names:
            document = parse(text, client.dialect)
            node = editing.found(document, (client.key, each))
            if node is None:
                continue
            if not entries.is_ours(node.value):
                ours = ", ".join(map(named, _ours(client, document)))
                raise ConfigError(
                    f"the entry {named(each)} in `{content.named}` does not start this program",
                    f"`--name` takes one that does: {ours}" if ours else "there is nothing to take out",
                )
            original = originals.find(kept_in, str(content.file), client.key, each)
            if original is None:
                text = editing.drop(document, client.dialect, (client.key, each))
            else:
                text = editing.put(document, client.dialect, (client.key, each), Text(original.text))
                forget.append(original)
                notes.append(f"{named(each)} leads to its server directly again, past every policy")
    if content.data is None or text == content.text:
        return Plan(client, content, tuple(names), "absent", content.text)
    what: What = "restored" if forget else "removed"
    return Plan(client, content, tuple(names), what, text, forget=tuple(forget), notes=tuple(notes))


def _document(client: Client, content: Content) -> Document:
    try:
        return parse(content.text, client.dialect)
    except Unreadable as error:
        raise ConfigError(
            f"`{content.named}` cannot be read ({error}): it is left alone",
            f"mend it; {client.title} may not read it either",
        ) from None


class _Explained:
    """What cannot be edited becomes an error about its file."""

    def __init__(self, content: Content) -> None:
        self.content = content

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, NotEditable):
            raise ConfigError(
                f"`{self.content.named}` is left alone: {error}", "change it by hand, then try again"
            ) from None


def _taken(content: Content, wanted: Wanted, old: Json) -> ConfigError:
    leads = entries.address(old)
    again = typed("--wrap", wanted.name)
    if leads is not None:
        return ConfigError(
            f"the entry {named(wanted.name)} in `{content.named}` leads to {place(leads)} directly",
            f"`{again}` puts the gateway in front of it",
        )
    return ConfigError(
        f"`{content.named}` has another entry {named(wanted.name)}", "`--name OTHER` gives the gateway's another name"
    )


def _ways_round(client: Client, document: Document, wanted: Wanted) -> Iterator[str]:
    """Entries that lead to the same server, past the gateway: the agent has them as well."""
    for project, holder in _holders(client, document):
        for member in holder.members:
            leads = entries.address(member.value.value)
            if project is None and member.name == wanted.name:
                continue
            if member.name == wanted.name and not entries.is_ours(member.value.value):
                yield f"in the project `{shown(str(project))}` another entry {named(member.name)} goes before this one"
            elif leads is not None and entries.same_place(leads, wanted.upstream):
                again = typed("--wrap", member.name)
                where = f"`{again}`, or take it out" if project is None else f"take it out of `{shown(project)}`"
                yield (
                    f"{named(member.name)} leads to the same server directly, so that the agent can go round the "
                    f"gateway: {where}"
                )


def _holders(client: Client, document: Document) -> Iterator[tuple[str | None, Node]]:
    """The objects in which servers of a file stand: the user's, and with its folder each of a single project."""
    holder = editing.container(document, client.key)
    if holder is not None:
        yield None, holder
    if client.projects is None or document.root is None:
        return
    for projects in document.root.named(client.projects):
        for project in projects.value.members:
            for inner in project.value.named(client.key):
                yield project.name, inner.value


def _of_an_address(wanted: Wanted) -> Iterator[str]:
    """What is to be done for a server that was named by its address, unless that has a query: it may be a secret."""
    if wanted.flags.count("--upstream") != 1 or "--profile" in wanted.flags or "?" in wanted.upstream:
        return
    yield from _of_a_sign_in("--upstream", wanted.upstream)
    if "--policy" not in wanted.flags and not entries.same_place(wanted.upstream, KEYID_URL):
        words = typed("keyid-gateway", "policy", "init", "--live", "FILE", "--upstream", wanted.upstream)
        yield f"{_NO_POLICY}: `{words}` makes one of its tools, and `--policy FILE` behind `install` puts it in force"


def _of_a_sign_in(*server: str) -> Iterator[str]:
    yield f"if the server wants a sign-in (OAuth), do it before you start the client: `{typed(*_LOGIN, *server)}`"


def _of_a_policy(profile: Profile, wanted: Wanted) -> Iterator[str]:
    """The pack that is in force without a policy names the tools of KeyID only."""
    if "--policy" not in wanted.flags and not entries.same_place(profile.upstream, KEYID_URL):
        words = typed("keyid-gateway", "policy", "init", "--live", "FILE", "--profile", profile.name)
        yield (
            f"{_NO_POLICY}: `{words}` makes one of its tools, "
            'and a line `policy = "FILE"` in the profile, with its whole path, puts it in force'
        )


def _entries_hint(client: Client, document: Document) -> str:
    holder = editing.container(document, client.key)
    names = [member.name for member in holder.members] if holder is not None else []
    return "it has " + ", ".join(map(named, names)) if names else f"it has none: `keyid-gateway install {client.name}`"


def _ours(client: Client, document: Document) -> list[str]:
    holder = editing.container(document, client.key)
    return [member.name for member in holder.members if entries.is_ours(member.value.value)] if holder else []


def _same(old: Json, entry: entries.Fields) -> bool:
    """Whether an entry says this already; an empty environment says nothing."""
    if not isinstance(old, Mapping):
        return False
    return {name: item for name, item in old.items() if (name, item) != ("env", {})} == dict(entry)


def _by_variables(headers: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Headers for which the client puts values in: it does so in the environment of the entry, and goes on doing it."""
    flags: list[str] = []
    env: dict[str, str] = {}
    for header, value in headers.items():
        variable = f"HEADER_{_VARIABLE.sub('_', header).strip('_').upper()}"
        flags += ("--header", f"{header}: env:{variable}")
        env[variable] = value
    return flags, env
