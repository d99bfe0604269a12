"""One entry of a client's file: whether it starts this program, where it leads otherwise, and how ours is written.

An entry that leads to a remote server is understood in the forms of the clients (`url`, `httpUrl`, `serverUrl`, with
`headers`) and in the one of the bridge that many use, `npx mcp-remote URL --header …`. What cannot be understood to the
last word is not wrapped: a filter or a credential that is lost on the way would be worse than an error.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PureWindowsPath
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from gateway.clients.known import Client
from gateway.jsonrpc import Json

Fields: TypeAlias = Mapping[str, "Json"]

PROGRAM: Final = "keyid-gateway"
VARIABLE: Final = re.compile(r"\$\{[^}]*\}|\$[A-Za-z_][A-Za-z0-9_]*")
"""What a client, or the bridge, puts a value in for."""
_OF_STDIO: Final = ("command", "args", "env")
_ADDRESSES: Final = ("httpUrl", "serverUrl", "url")
_OF_REMOTE: Final = (*_ADDRESSES, "headers", "type", "transport", "transportType", "source")
_STREAMABLE: Final = frozenset({"http", "streamable-http", "streamableHttp", "streamable_http"})
_SIGN_INS: Final = frozenset({"oauth", "auth", "authProviderType", "OAuth"})
_PROGRAMS: Final = frozenset({"headersHelper", "requestInit"})
_BRIDGE: Final = re.compile(r"mcp-remote(@[^/\s]+)?$")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_RUNNERS: Final = frozenset({"npx", "bunx", "pnpx"})
_RUNNER_FLAGS: Final = frozenset({"-y", "--yes", "-q", "--quiet", "--silent"})
_BRIDGE_SWITCHES: Final = frozenset({"--allow-http", "--debug", "--silent"})
_BRIDGE_TRANSPORTS: Final = frozenset({"http-only", "http-first"})
_BRIDGE_VALUES: Final = frozenset({"--host", "--auth-timeout", "--resource"})


class NotWrappable(ValueError):
    """An entry that the gateway cannot stand in for; `hint` says what to do instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Remote:
    """Where an entry leads, with what headers. Values of headers may be secrets."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    kept: Fields = field(repr=False)
    """What the client reads of the entry, whatever server stands behind it."""
    notes: tuple[str, ...] = ()


def is_ours(value: "Json | Fields") -> bool:
    """Whether an entry starts this program, in whatever way."""
    words = _words(value)
    if not words:
        return False
    if _name(words[0]) == PROGRAM:
        return True
    rest = [word for word in words[1:] if word not in ("-I", "-P")]
    return rest[:2] == ["-m", "gateway"] or (_name(words[0]) in ("uvx", "uv", "pipx") and PROGRAM in rest)


def address(value: "Json | Fields") -> str | None:
    """The URL that an entry leads to, past the gateway; None where it leads to none that is known here."""
    try:
        return None if is_ours(value) else remote(value).url
    except NotWrappable:
        pass  # it may lead somewhere all the same, in a form that only has no place in a profile
    if not isinstance(value, Mapping):
        return None
    named = [value[name] for name in _ADDRESSES if isinstance(value.get(name), str)]
    found = [word for word in [*named, *_words(value)] if isinstance(word, str) and _is_url(word)]
    return found[0] if found else None


def remote(value: "Json | Fields") -> Remote:
    """An entry that leads to a remote server, directly or by the bridge. Raises `NotWrappable`."""
    if not isinstance(value, Mapping):
        raise NotWrappable("it is not an object", "mend it by hand")
    if "command" in value:
        return _bridged(value)
    named = [name for name in _ADDRESSES if name in value]
    if len(named) != 1 or not isinstance(value[named[0]], str):
        raise NotWrappable("it has no address", "only an entry with an `url`, or one of `mcp-remote`, can be wrapped")
    kind = value.get("type", value.get("transport", value.get("transportType")))
    if kind is not None and kind not in _STREAMABLE:
        raise NotWrappable(
            f"it is of the type `{kind}`, and the gateway speaks streamable HTTP",
            "give the server's address for streamable HTTP: `install --upstream URL`",
        )
    helpers = sorted(_PROGRAMS & value.keys())
    if helpers:
        raise NotWrappable(f"`{helpers[0]}` makes its headers", "write them as `headers`, or sign in with `login`")
    notes = tuple(f"`{name}` is left out: the gateway signs in by itself" for name in sorted(_SIGN_INS & value.keys()))
    kept = {name: item for name, item in value.items() if name not in {*_OF_REMOTE, *_OF_STDIO, *_SIGN_INS}}
    return Remote(_url(str(value[named[0]])), _headers(value.get("headers", {})), kept, notes)


def ours(
    client: Client, words: Sequence[str], arguments: Sequence[str], env: Mapping[str, str], kept: Fields
) -> Fields:
    """The entry that starts this program, as this client writes one."""
    command, *rest = words
    entry: dict[str, Json] = {**client.fields, "command": command, "args": [*rest, *arguments]}
    if env:
        entry["env"] = dict(env)
    return {**entry, **{name: item for name, item in kept.items() if name not in entry and name not in _OF_STDIO}}


def arguments_of(value: "Json | Fields") -> list[str]:
    """What follows the words that start this program, in an entry of ours."""
    words = _words(value)
    return words[words.index("run") :] if "run" in words else []


def env_of(value: "Json | Fields") -> dict[str, str]:
    """The environment of an entry; what is no text in it is left out, as clients do."""
    env = value.get("env") if isinstance(value, Mapping) else None
    return {name: item for name, item in env.items() if isinstance(item, str)} if isinstance(env, Mapping) else {}


def members_of(value: "Json | Fields") -> Fields:
    """What else an entry of ours has: what its person or its client wrote beside what starts the program."""
    return {name: item for name, item in value.items() if name not in _OF_STDIO} if isinstance(value, Mapping) else {}


def same_place(one: str, other: str) -> bool:
    """Whether two URLs lead to the same server: their queries do not count."""
    return _place(one) == _place(other)


def _place(url: str) -> tuple[str, str | None, int | None, str]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:  # it leads nowhere
        return "", None, None, url
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/")


def _words(value: "Json | Fields") -> list[str]:
    """The command line of an entry; none where it has not the form of one."""
    if not isinstance(value, Mapping) or not isinstance(value.get("command"), str):
        return []
    args = value.get("args", [])
    if not isinstance(args, list) or not all(isinstance(word, str) for word in args):
        return []
    return [str(value["command"]), *(str(word) for word in args)]


def _name(command: str) -> str:
    """The name of a program, on whatever platform its path was written."""
    return PureWindowsPath(command).name.lower().removesuffix(".exe").removesuffix(".cmd")


def _is_url(word: str) -> bool:
    return word.startswith(("http://", "https://"))


def _url(text: str) -> str:
    if VARIABLE.search(text):
        raise NotWrappable("its address has a variable in it", "`install --upstream URL` takes the address itself")
    try:
        usable = _is_url(text) and bool(urlsplit(text).hostname) and urlsplit(text).port != 0
    except ValueError:
        usable = False
    if not usable:
        raise NotWrappable("its address cannot be read", "`install --upstream URL` takes another one")
    return text


def _headers(value: "Json") -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
        raise NotWrappable("its headers are not texts", "mend them by hand")
    return _checked([(name, str(item)) for name, item in value.items()])


def _checked(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Headers as they can be sent; their names also become those of files. Raises `NotWrappable`."""
    for name, value in headers:
        if not _HEADER.fullmatch(name):
            raise NotWrappable("a header of it has a name that no header has", "mend it by hand")
        if not value.strip() or not value.isascii() or not value.isprintable():
            raise NotWrappable(f"its header `{name}` has a value that no header has", "mend it by hand")
    if len({name.lower() for name, _ in headers}) < len(headers):
        raise NotWrappable("it has a header twice", "take one of them out")
    return dict(headers)


# --- the bridge -------------------------------------------------------------------------------------------------------


def _bridged(value: Fields) -> Remote:
    words = _words(value)
    if words and _name(words[0]) == "cmd" and [word.lower() for word in words[1:2]] == ["/c"]:
        words = words[2:]
    if not words or _name(words[0]) not in _RUNNERS:
        raise _other()
    rest = words[1:]
    while rest and rest[0] in _RUNNER_FLAGS:
        rest.pop(0)
    if not rest or not _BRIDGE.match(rest[0]):
        raise _other()
    url, texts = _bridge_words(rest[1:])
    env = env_of(value)
    headers = _checked([_bridge_header(text, env) for text in texts])
    used = set().union(*(VARIABLE.findall(text) for text in texts)) if texts else set()
    left = {name: item for name, item in env.items() if f"${{{name}}}" not in used}
    if left:
        raise NotWrappable(
            f"its environment has `{min(left)}`, which only the bridge reads",
            "take it out, or install the gateway beside it: `install --upstream URL --name NAME`",
        )
    return Remote(
        _url(url), headers, {name: item for name, item in members_of(value).items() if name not in _OF_REMOTE}
    )


def _bridge_words(words: Sequence[str]) -> tuple[str, list[str]]:
    """The address and the headers of the bridge's command line. Raises `NotWrappable` at a word that means more."""
    rest, plain, headers = list(words), list[str](), list[str]()
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            plain.append(word)
        elif word in _BRIDGE_SWITCHES:
            continue
        elif word == "--header" and rest:
            headers.append(rest.pop(0))
        elif rest and (word in _BRIDGE_VALUES or (word == "--transport" and rest[0] in _BRIDGE_TRANSPORTS)):
            rest.pop(0)
        else:
            raise NotWrappable(
                f"`mcp-remote` is told `{word}`, for which the gateway has nothing that is the same",
                "install the gateway with `--upstream URL`, and take this entry out",
            )
    if not plain or len(plain) > 2 or not all(word.isdigit() for word in plain[1:]):  # after the address: its own port
        raise NotWrappable("the address of `mcp-remote` cannot be told", "mend it by hand")
    return plain[0], headers


def _bridge_header(text: str, env: Mapping[str, str]) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise NotWrappable("a header of it is not `Name: value`", "mend it by hand")
    for variable in VARIABLE.findall(value):
        known = env.get(variable[2:-1]) if variable.startswith("${") else None
        if known is None:
            raise NotWrappable(
                f"its header `{name.strip()}` has a variable that the entry does not set", "write its value under `env`"
            )
        value = value.replace(variable, known)
    return name.strip(), value.strip()


def _other() -> NotWrappable:
    return NotWrappable(
        "it starts another program", "only an entry with an `url`, or one of `mcp-remote`, can be wrapped"
    )
