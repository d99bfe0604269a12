"""One client of the official SDK twice: connected directly, and through the gateway to an identical stand-in.

The stand-ins' clocks stand still, so that what is done on both gives equal results; `Pair.same` does it on both and
says where they differ.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client import ClientRequestContext
from mcp.client.session import IncomingMessage
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
    ListRootsResult,
    LoggingLevel,
    LoggingMessageNotificationParams,
    Root,
    TextContent,
)
from pydantic import BaseModel, FileUrl

from gateway.standin import Standin, StandinOptions
from gateway.standin.journal import Entry
from tests.e2e.process import ALLOW_ALL, PATIENCE, Home

Json = Any
LEGACY, AUTO = "legacy", "auto"
MODERN = "2026-07-28"
REFUSED = ErrorData(code=-1, message="the person refused", data={"why": "busy"})
_ROOT = Path(__file__).parents[2]


class StandingClock:
    """A clock that stands still."""

    def now(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return 0.0


@dataclass
class Seen:
    """What the server said of its own accord, by kind, in order; and how the client answers what it is asked."""

    said: list[tuple[str, Json]] = field(default_factory=list)
    refuse: bool = False
    news: anyio.Event = field(default_factory=anyio.Event)

    def note(self, kind: str, value: Json) -> None:
        self.said.append((kind, value))
        self.news.set()
        self.news = anyio.Event()

    def of(self, kind: str) -> list[Json]:
        return [value for said, value in self.said if said == kind]

    async def wait(self, kind: str, count: int) -> list[Json]:
        """The first `count` things of a kind, as soon as they have come."""
        with anyio.fail_after(PATIENCE):
            while len(self.of(kind)) < count:
                await self.news.wait()
        return self.of(kind)

    # --- the client's callbacks ---------------------------------------------------------------------------------------

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.note("progress", [progress, total, message])

    async def log(self, params: LoggingMessageNotificationParams) -> None:
        self.note("log", plain(params))

    async def message(self, message: IncomingMessage) -> None:
        if isinstance(message, Exception):
            self.note("fault", repr(message))
        else:
            shown = plain(message)
            self.note(shown["method"], shown.get("params"))

    async def sample(
        self, context: ClientRequestContext, params: CreateMessageRequestParams
    ) -> CreateMessageResult | ErrorData:
        assert context.session.protocol_version
        self.note("sampling", plain(params))
        content = TextContent(type="text", text="Ünïcode \u2028")
        return REFUSED if self.refuse else CreateMessageResult(role="assistant", model="m", content=content)

    async def elicit(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult | ErrorData:
        assert context.session.protocol_version
        self.note("elicitation", plain(params))
        return REFUSED if self.refuse else ElicitResult(action="accept", content={"answer": "blue"})

    async def roots(self, context: ClientRequestContext) -> ListRootsResult | ErrorData:
        assert context.session.protocol_version
        self.note("roots", None)
        return REFUSED if self.refuse else ListRootsResult(roots=[Root(uri=FileUrl("file:///srv/x%20y"), name="x")])


def plain(model: BaseModel) -> Json:
    """A message as JSON: what was set, under its name on the wire."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


@dataclass
class Peer:
    """A connected client, the stand-in it reaches, and what came of its own accord."""

    client: Client
    standin: Standin
    seen: Seen
    since: int = 0
    """The number of the last journal entry before this test."""

    async def call(self, tool: str, arguments: dict[str, Json] | None = None, **rest: Json) -> Json:
        """The result of a call as JSON, or the error."""
        return await outcome(self.client.call_tool(tool, arguments, **rest))

    async def happened(self, event: str, tool: str) -> Entry:
        """The entry of the stand-in's journal that says that a tool ran, or was cancelled."""
        return await self.arrived(lambda entry: entry.get("event") == event and entry.get("name") == tool)

    async def arrived(self, wanted: Callable[[Entry], bool]) -> Entry:
        """The first entry of the stand-in's journal since this test began that is wanted, as soon as it has come."""
        fresh = partial(_fresh, self.since, wanted)
        entry = await anyio.to_thread.run_sync(self.standin.wait_for, fresh, PATIENCE)
        assert entry is not None, "it never arrived"
        return entry

    async def begin(self) -> None:
        """Back to the start: the identity, the tools, and what was seen."""
        self.seen.said.clear()
        self.seen.refuse = False
        await self.client.call_tool("standin_destructive_1")
        await self.client.call_tool("standin_write_2", {"present": False})
        if self.client.protocol_version != MODERN:
            await self.seen.wait("notifications/tools/list_changed", 1)
        self.seen.said.clear()
        self.since = len(self.standin.journal)


def _fresh(since: int, wanted: Callable[[Entry], bool], entry: Entry) -> bool:
    return cast(int, entry["n"]) > since and wanted(entry)


async def outcome(answer: Awaitable[BaseModel]) -> Json:
    """What an SDK request came to, as JSON: its result, or code, message and data of its error."""
    try:
        return plain(await answer)
    except MCPError as error:
        return {"error": [error.error.code, error.error.message, error.error.data]}


Scenario = Callable[[Peer], Awaitable[Json]]


@dataclass
class Pair:
    """The same client, directly and through the gateway."""

    direct: Peer
    through: Peer
    mode: str

    async def same(self, scenario: Scenario) -> Json:
        """Do the same on both and check that the same came of it: what was returned."""
        await self.begin()
        with anyio.fail_after(2 * PATIENCE):
            expected = await scenario(self.direct)
            found = await scenario(self.through)
        assert found == expected, "\n".join(differences(found, expected))
        assert self.through.seen.of("fault") == []
        return found

    async def begin(self) -> None:
        for peer in (self.direct, self.through):
            await peer.begin()


@asynccontextmanager
async def connected(
    home: Home,
    standin: Standin,
    *,
    mode: str,
    gateway: bool,
    answers: bool = True,
    log_level: LoggingLevel | None = None,
) -> AsyncIterator[Peer]:
    """A client of the SDK: directly, or over standard input and output through a gateway that allows everything."""
    seen = Seen()
    log = home.path / "stderr.log"
    async with AsyncExitStack() as stack:
        errors = stack.enter_context(log.open("a", encoding="utf-8"))
        client = Client(
            stdio_client(gateway_process(home, standin.url), errlog=errors) if gateway else standin.url,
            mode=mode,
            cache=None,
            read_timeout_seconds=PATIENCE,
            log_level=log_level,
            logging_callback=seen.log,
            message_handler=seen.message,
            sampling_callback=seen.sample if answers else None,
            elicitation_callback=seen.elicit if answers else None,
            list_roots_callback=seen.roots if answers else None,
        )
        await stack.enter_async_context(client)
        yield Peer(client, standin, seen)


def gateway_process(home: Home, upstream: str) -> StdioServerParameters:
    """How a client starts the gateway."""
    words = ["-m", "gateway", "run", "--upstream", upstream, "--policy", str(home.policy(ALLOW_ALL))]
    return StdioServerParameters(command=sys.executable, args=words, env=home.variables(), cwd=_ROOT)


@asynccontextmanager
async def paired(home: Home, options: StandinOptions, mode: str, **rest: Json) -> AsyncIterator[Pair]:
    """Two clients that must not be able to tell the difference."""
    async with AsyncExitStack() as stack:
        one, other = (stack.enter_context(Standin(options, clock=StandingClock())) for _ in range(2))
        direct = await stack.enter_async_context(connected(home, one, mode=mode, gateway=False, **rest))
        through = await stack.enter_async_context(connected(home, other, mode=mode, gateway=True, **rest))
        if mode == LEGACY:  # what the server says of its own accord takes this stream
            for peer in (direct, through):
                await peer.arrived(lambda entry: entry.get("http") == "GET")
        yield Pair(direct, through, mode)


def differences(found: Json, expected: Json, path: str = "$") -> Iterator[str]:
    """Where two JSON values differ, a line each."""
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        for key in found:
            yield from differences(found[key], expected[key], f"{path}.{key}")
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif found != expected:
        yield f"{path}: {found!r:.500} through the gateway, {expected!r:.500} directly"


def tools_that_ran(journal: Sequence[Entry]) -> list[tuple[Json, Json]]:
    """Name and arguments of every tool that ran on a stand-in, in order."""
    return [(entry["name"], entry["arguments"]) for entry in journal if entry.get("event") == "tool"]
