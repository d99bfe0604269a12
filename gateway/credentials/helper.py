"""The other process: everything that needs the SDK, the network beyond the upstream, a browser, or the keyring.

The SDK takes a second to import and a person takes minutes, and the relay waits for neither. One request a process: a
JSON object on its standard input, events on its standard output, the last of which is the answer. Nothing secret is on
its command line or in its environment, and none of the gateway's settings are. It ends when its input does, unless it
is just exchanging a refresh token: then it first keeps what it was given, or the sign-in would be lost.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from gateway import elsewhere
from gateway.credentials.client import Client
from gateway.disk import why
from gateway.errors import UpstreamError

_LOG = logging.getLogger(__name__)

Ask: TypeAlias = Literal["no", "browser", "paste"]
"""How a person may be asked: not at all, by opening a browser, by showing an address and taking one back."""
Operation: TypeAlias = Literal["read", "renew", "sign in", "forget"]
_PREFIX: Final = "KEYID_GATEWAY_"
_START: Final = "import sys; sys.path.insert(0, sys.argv[1]); from gateway.credentials.child.main import main; main()"
_LINE_BYTES: Final = 1024 * 1024
_BOUND_SECONDS: Final = 60.0
_PERSON_SECONDS: Final = 330.0


@dataclass(frozen=True, slots=True)
class Request:
    """What the helper is asked to do.

    `renew` gives the valid token there is, or gets one, asking a person only where `ask` says so; `sign in` begins
    anew. `status` and `challenge` are those of the refused request, `refused` the token that it carried.
    """

    operation: Operation
    client: Client
    ask: Ask = "no"
    status: int = 401
    challenge: str = ""
    refused: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Granted:
    """A token, and what is known of it. Times in seconds since the epoch."""

    token: str = field(repr=False)
    expires_at: float | None
    scope: str | None
    issuer: str
    kept: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no token: a word for programs, a sentence, and the cure. `lasting` until somebody does something."""

    code: str
    message: str
    hint: str | None
    lasting: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """A person has to look at this address; `opened` says whether a browser shows it."""

    url: str = field(repr=False)
    opened: bool


class NotIt:
    """What was pasted does not belong to this sign-in."""


class Waiting:
    """Another process is at work on this sign-in."""


NOT_IT: Final = NotIt()
WAITING: Final = Waiting()
Tell: TypeAlias = Callable[[Opened | NotIt | Waiting], None]


Pasted: TypeAlias = Callable[[], Awaitable[str]]


async def ask(request: Request, tell: Tell, pasted: Pasted | None = None) -> Granted | Failed:
    """Ask a fresh helper. `tell` hears of the address that a person has to look at; `pasted` may bring the way back."""
    try:
        process = await _started()
    except OSError as error:  # such as too many processes, or a Python that an upgrade has taken away
        said = why(error)
        return Failed("helper", f"the process that signs in cannot be started: {said}", None, lasting=False)
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    forwarding: asyncio.Task[None] | None = None
    try:
        with suppress(ConnectionError):  # it died at once: the missing answer says so
            process.stdin.write(_written(request))
            await process.stdin.drain()
        if pasted is not None:
            forwarding = asyncio.create_task(_forward(pasted, process.stdin))
        async with asyncio.timeout(_BOUND_SECONDS if request.ask == "no" else _PERSON_SECONDS):
            answer = await _answer(process, tell)
            await process.wait()  # it ends by itself; a loop that is closed before would complain to the terminal
            return answer
    except TimeoutError:
        return Failed("timeout", "signing in took too long", None, lasting=False)
    finally:
        if forwarding is not None:
            forwarding.cancel()
        process.stdin.close()


async def _started() -> asyncio.subprocess.Process:
    """In a session of its own: neither Ctrl-C nor a client that ends the gateway's group is meant for an exchange."""
    return await asyncio.create_subprocess_exec(
        *_command(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
        limit=_LINE_BYTES,
        start_new_session=True,
    )


async def _answer(process: asyncio.subprocess.Process, tell: Tell) -> Granted | Failed:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    with suppress(ValueError):  # a line beyond all measure, or no JSON
        while line := await process.stdout.readline():
            event = json.loads(line)
            match event.pop("event"):
                case "open":
                    tell(Opened(**event))
                case "not it":
                    tell(NOT_IT)
                case "waiting":
                    tell(WAITING)
                case "granted":
                    return Granted(**event)
                case "failed":
                    return Failed(**event)
    _LOG.error("the process that signs in ended without an answer")
    return Failed("helper", "the process that signs in ended without an answer", "try again", lasting=False)


async def _forward(pasted: Pasted, stdin: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while True:
            stdin.write(json.dumps({"redirect": await pasted()}).encode() + b"\n")
            await stdin.drain()


def _command() -> Sequence[str]:
    """This interpreter with this very package, whatever folder the gateway was started in."""
    return [sys.executable, "-P", "-c", _START, str(Path(__file__).parents[2])]


def _environment() -> Mapping[str, str]:
    """Without the gateway's settings: some are secrets, and a browser would inherit them.

    What opens the browser is not looked for in the project that the agent works in.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}
    return {**kept, "PATH": elsewhere.search_path()}


def _written(request: Request) -> bytes:
    client = request.client
    document = {
        "operation": request.operation,
        "ask": request.ask,
        "status": request.status,
        "challenge": request.challenge,
        "refused": request.refused,
        "client": {name: getattr(client, name) for name in Client.__dataclass_fields__}
        | {"folder": str(client.folder)},
    }
    return json.dumps(document).encode() + b"\n"


def read_request(line: bytes) -> Request:
    """The other side of `_written`. Raises `ValueError`, `TypeError` or `KeyError` for anything else."""
    document = json.loads(line)
    client = document.pop("client")
    return Request(client=Client(**{**client, "folder": Path(client["folder"])}), **document)


def failure(error: Failed) -> UpstreamError:
    """What a command says of it."""
    return UpstreamError(error.message, error.hint)
