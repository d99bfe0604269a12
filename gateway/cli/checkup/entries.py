"""The clients: which of them have an entry for the gateway, and whether it would start. It is started, as they do it.

An entry is started as a desktop program does it (no `PATH` of a terminal, in no folder: a project in which `doctor` is
typed must not have its own `gateway` started), is opened and asked for its tools as a client would, and is ended again.
That is what `run` does at any start: it leaves the line of its start in the state file and in the log, and calls
nothing. Values of an entry's environment are handed on, and never said.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from gateway import __version__, disk
from gateway.cli.checkup.examination import Examined
from gateway.cli.checkup.finding import Finding, failed, ok, unchecked, warning
from gateway.cli.installing.machine import this_machine
from gateway.cli.words import counted, shown
from gateway.clients import CLIENTS, Client, NotEditable, editing, files, jsonc
from gateway.clients.entries import VARIABLE, address, is_ours
from gateway.errors import ConfigError, GatewayError, typed
from gateway.jsonrpc import Json
from gateway.settings import Settings, find, parse_flags
from gateway.settings.model import KEYID

_START_SECONDS: Final = 20.0
_END_SECONDS: Final = 3.0
_AT_ONCE: Final = 2
_HANDED_ON: Final = ("HOME", "USER", "LOGNAME", "SHELL", "LANG", "TMPDIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
_PATH: Final = "/usr/bin:/bin:/usr/sbin:/sbin"
_LONGEST: Final = 300
_HINT: Final = "hint: "


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry that starts this program."""

    client: Client
    file: Path
    name: str
    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)

    @property
    def where(self) -> str:
        """How a sentence names it."""
        return f"entry `{shown(self.name, 60)}` of {self.client.title} (`{self.file}`)"

    @property
    def install(self) -> str:
        """The command that writes it."""
        return typed(
            "keyid-gateway", "install", self.client.name, *(() if self.name == KEYID else ("--name", self.name))
        )


def check(examined: Examined) -> Iterator[Finding]:
    """The lines about the clients."""
    found: list[Entry] = []
    past: list[Finding] = []
    unread = False
    for client, file in _files(examined):
        try:
            ours, others = _entries(client, file)
        except (ConfigError, NotEditable, jsonc.Unreadable) as error:
            says = f"the config of {client.title} cannot be read: {str(error).splitlines()[0]} (`{file}`)"
            yield failed("clients", says, "mend it; the client itself may read nothing of it either")
            unread = True
            continue
        found += ours
        past += [_past(client, file, name) for name, url in others if _same_server(url, examined.known.server)]
    if not (found or unread):
        yield warning(
            "clients",
            "no client that is known here has an entry for the gateway",
            '`keyid-gateway install` writes one; or see the README, "In front of your server"',
        )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(lambda entry: _started(entry, examined.known), found)
    yield from past


def _files(examined: Examined) -> Iterator[tuple[Client, Path]]:
    system = this_machine(examined.environment, examined.home)
    for client in CLIENTS:
        for place in client.places(system):
            if Path(place.file).exists():
                yield client, Path(place.file)
                break


def _entries(client: Client, file: Path) -> tuple[list[Entry], list[tuple[str, str]]]:
    """The entries of a file that start this program, and the addresses that others lead to, by name."""
    document = jsonc.parse(files.read(file).text, client.dialect)
    holder = editing.container(document, client.key)
    ours, others = [], []
    for member in () if holder is None else holder.members:
        value = member.value.value
        if is_ours(value) and isinstance(value, Mapping):
            ours.append(_entry(client, file, member.name, value))
        elif (url := address(value)) is not None:
            others.append((member.name, url))
    return ours, others


def _entry(client: Client, file: Path, name: str, value: Mapping[str, Json]) -> Entry:
    arguments, environment = value.get("args"), value.get("env")
    return Entry(
        client,
        file,
        name,
        str(value.get("command", "")),
        tuple(map(str, arguments)) if isinstance(arguments, list) else (),
        {key: str(item) for key, item in environment.items()} if isinstance(environment, dict) else {},
    )


def _past(client: Client, file: Path, name: str) -> Finding:
    says = f"entry `{shown(name, 60)}` of {client.title} leads to the server past the gateway (`{file}`)"
    command = typed("keyid-gateway", "install", client.name, "--wrap", name)
    return warning("clients", says, f"`{command}` puts the gateway there")


def _same_server(url: str, server: str) -> bool:
    return url.partition("?")[0].rstrip("/") == server.rstrip("/")


# --- starting one -----------------------------------------------------------------------------------------------------


def _started(entry: Entry, settings: Settings) -> Finding:
    if any(VARIABLE.search(word) for word in (entry.command, *entry.arguments, *entry.environment.values())):
        return unchecked("clients", f"{entry.where} has values that only the client knows")
    if Path(entry.command).name == entry.command and sys.platform != "win32":
        return warning(
            "clients",
            f"{entry.where} names its command without a path: a desktop program may not find it",
            f"`{entry.install}` writes the absolute path",
        )
    again, elsewhere = f"`{entry.install}` writes the entry anew", _elsewhere(entry, settings)
    try:
        opened, said = _opened(entry)
    except OSError as error:
        return failed("clients", f"{entry.where} cannot start: `{shown(entry.command)}`: {disk.why(error)}", again)
    name = entry.where
    if opened.failure is not None:
        why, _, cure = opened.failure.partition(_HINT)
        cure = cure or _cure(why, elsewhere)
        return failed("clients", f"{name} starts, and then: {why.strip()}", cure, status=opened.code)
    if opened.tools is None:
        why, _, cure = said.partition(_HINT)
        says = f"{name} gave no answer and ended with code {opened.code}{f': {why.strip()}' if why else ''}"
        return failed("clients", says, cure or again, status=opened.code)
    about = f"; `{elsewhere}` looks at its server" if elsewhere else ""
    return ok("clients", f"{name} starts, and lists {counted(opened.tools, 'tool')}{about}", tools=opened.tools)


def _elsewhere(entry: Entry, settings: Settings) -> str | None:
    """How to look at the server of an entry, if that is not the one that was looked at."""
    flags = parse_flags(entry.arguments[entry.arguments.index("run") + 1 :]) if "run" in entry.arguments else None
    try:
        upstream = str(find(flags or {}, _environment(entry)).of("upstream").value)  # no secret is looked up for it
    except GatewayError:  # what it reads cannot be read from here
        return None
    server = urlsplit(upstream)._replace(query="", fragment="").geturl()
    if server == settings.server:
        return None
    words = [word for text in (flags or {}).get("profile", ()) for word in ("--profile", text)]
    if not words or "upstream" in (flags or {}):
        words += ["--upstream", server]
    return typed("keyid-gateway", "doctor", *words)


def _opened(entry: Entry) -> tuple["_Opened", str]:
    """What came of starting it, and what it said last on standard error. Raises `OSError` where it cannot start."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - the very words that the client would start
            [entry.command, *entry.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(entry),
            cwd=Path(sys.executable).anchor,
        )
        if process.stdin is None or process.stdout is None:
            raise OSError("there are no pipes to it")
        opened = _talk(process, process.stdin, process.stdout)
        return opened, _last_words(errors)


def _cure(failure: str, elsewhere: str | None) -> str:
    if "upstream" not in failure:
        return "see the log of the gateway"
    return f"`{elsewhere}` looks at its server" if elsewhere else "see what is said of the server above"


@dataclass(slots=True)
class _Opened:
    """What came of opening it: how many tools it lists (None: it gave no list), or the error it answered with."""

    tools: int | None = None
    failure: str | None = None
    code: int | None = None


def _talk(process: "subprocess.Popen[bytes]", to: IO[bytes], answers: IO[bytes]) -> _Opened:
    """Open it, ask for its tools, and end it; whatever happens it is over after a while."""
    watch = threading.Timer(_START_SECONDS, process.kill)
    watch.start()
    opened = _Opened()
    try:
        _ask(to, answers, opened)
        to.close()
    except BrokenPipeError:
        opened.failure = None  # it has ended: its code says why
    except ValueError:
        opened.failure = "its answer is no JSON-RPC message"
    try:
        opened.code = process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        opened.code = process.wait()
    finally:
        watch.cancel()
        answers.close()
        with suppress(BrokenPipeError):  # what it did not read any more
            to.close()
    return opened


def _ask(to: IO[bytes], answers: IO[bytes], opened: _Opened) -> None:
    me: Json = {"name": "keyid-gateway-doctor", "version": __version__}
    opening: Json = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": me}
    _send(to, {"id": 1, "method": "initialize", "params": opening})
    if not _answered(answers, 1, opened):
        return
    _send(to, {"method": "notifications/initialized"})
    cursor: Json = None
    tools = 0
    for number in range(2, 1000):
        _send(to, {"id": number, "method": "tools/list", "params": {} if cursor is None else {"cursor": cursor}})
        result = _answered(answers, number, opened)
        if result is None:
            return
        listed = result.get("tools")
        tools += len(listed) if isinstance(listed, list) else 0
        cursor = result.get("nextCursor")
        if cursor is None:
            break
    opened.tools = tools


def _send(to: IO[bytes], message: Mapping[str, Json]) -> None:
    to.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    to.flush()


def _answered(answers: IO[bytes], number: int, opened: _Opened) -> dict[str, Json] | None:
    """The result of that request; None where it ended, or answered with an error. `ValueError` for what is no JSON."""
    for line in answers:
        message = json.loads(line)
        if not isinstance(message, dict) or "method" in message or message.get("id") != number:
            continue
        error = message.get("error")
        if isinstance(error, dict):
            opened.failure = shown(" ".join(str(error.get("message", "")).split()), _LONGEST)
            return None
        result = message.get("result")
        return result if isinstance(result, dict) else {}
    return None


def _environment(entry: Entry) -> dict[str, str]:
    """What a desktop program hands on, and what the entry sets."""
    if sys.platform == "win32":
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KEYID_GATEWAY_")}
    else:
        kept = {name: os.environ[name] for name in _HANDED_ON if name in os.environ} | {"PATH": _PATH}
    return {**kept, **entry.environment}


def _last_words(errors: IO[bytes]) -> str:
    """The last complaint, and the hint that follows it."""
    errors.seek(0)
    lines = errors.read(65536).strip().splitlines()
    at = max((number for number, line in enumerate(lines) if line.startswith(b"error:")), default=len(lines) - 1)
    found = lines[at : at + 1] + [line for line in lines[at + 1 :] if line.startswith(b"hint:")][:1]
    return " ".join(shown(line.decode("utf-8", "replace"), _LONGEST) for line in found)
