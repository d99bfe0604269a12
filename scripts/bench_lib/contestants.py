"""Who takes part. Each is opened once a mode, asked for calls and bursts in turn with the others, and closed.

The SDK's client stands in two places: connected directly, which is what a user would have without a gateway, and over
standard input and output through the gateway, so that the same client can be compared with itself.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Protocol, Self, cast

import aiohttp
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from scripts.bench_lib.bounds import GATEWAY, HTTP, SDK, SDK_GATEWAY
from scripts.bench_lib.lines import OPENING, VERSION, Lines, fault, request, varied
from scripts.bench_lib.peers import PEERS
from scripts.bench_lib.processes import BenchError, busy, last_words, resident, running, surroundings


@dataclass(frozen=True, slots=True)
class Call:
    """What is called, over and over."""

    tool: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Flight:
    """So many calls, `depth` of them always on their way; after `seconds` no more begin."""

    depth: int
    count: int
    seconds: float


class Line(Protocol):
    """One open contestant. Seconds; `BenchError` where a call does not succeed.

    `resident` (KiB) and `busy` (seconds of processor time so far) are None where it is no process of its own.
    """

    async def call(self, call: Call) -> float: ...

    async def burst(self, call: Call, count: int) -> float | None: ...

    async def flight(self, call: Call, flight: "Flight") -> list[float] | None: ...

    def resident(self) -> int | None: ...

    def busy(self) -> float | None: ...


class Contestant(Protocol):
    """One that can be opened."""

    @property
    def name(self) -> str: ...

    def open(self, address: str) -> AbstractAsyncContextManager[Line]: ...


# --- over standard input and output -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Program:
    """A gateway that is started: its words, and where and how it runs."""

    name: str
    words: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    complaints: Path

    def child(self) -> "Child":
        return Child(self)


class Child:
    """One running gateway, and the raw lines to it. A plain context manager: nothing in it awaits."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._running = running(
            program.words, cwd=program.cwd, environment=program.environment, complaints=program.complaints
        )
        self.started = 0.0

    def __enter__(self) -> Self:
        self.started = perf_counter()
        process = self._running.__enter__()
        self.pid = process.pid
        self.lines = Lines(process)
        return self

    def __exit__(self, *failure: object) -> None:
        self._running.__exit__(None, None, None)

    def explain(self, error: BenchError) -> BenchError:
        """The error with what the child last said."""
        words = last_words(self._program.complaints)
        return BenchError(f"{error}; it said: {words}" if words else str(error))


class _Raw:
    def __init__(self, child: Child) -> None:
        self._child = child

    async def call(self, call: Call) -> float:
        return self._child.lines.call(call.tool, call.arguments)

    async def burst(self, call: Call, count: int) -> float | None:
        return self._child.lines.burst(call.tool, call.arguments, count)

    async def flight(self, call: Call, flight: Flight) -> list[float] | None:
        return self._child.lines.flight(call.tool, call.arguments, flight.depth, flight.count, flight.seconds)

    def resident(self) -> int | None:
        return resident(self._child.pid)

    def busy(self) -> float | None:
        return busy(self._child.pid)


@dataclass(frozen=True, slots=True)
class OverLines:
    """A gateway, driven by raw lines."""

    programs: "Programs"
    name: str

    @asynccontextmanager
    async def open(self, address: str) -> AsyncIterator[Line]:
        with self.programs.program(self.name, address).child() as child:
            try:
                child.lines.open()
                child.lines.ask("tools/list")
            except BenchError as error:
                raise child.explain(error) from error
            yield _Raw(child)


@dataclass(frozen=True, slots=True)
class Programs:
    """How the gateway and the peers are started."""

    root: Path
    folder: Path
    peers: Path
    python: str
    policy: Path

    def program(self, name: str, address: str) -> Program:
        """`name` is `gateway` or that of a peer."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        complaints = self.folder / f"{name}.txt"
        if name == GATEWAY:
            return Program(name, self._gateway(address), self.root, surroundings(home), complaints)
        peer = next(peer for peer in PEERS if peer.name == name)
        quiet = {"FASTMCP_CHECK_FOR_UPDATES": "off", "FASTMCP_HOME": str(home), "FASTMCP_LOG_LEVEL": "ERROR"}
        return Program(name, peer.command(self.peers, address), home, surroundings(home, **quiet), complaints)

    def _gateway(self, address: str) -> list[str]:
        return [
            *(self.python, "-m", "gateway", "run", "--upstream", address, "--policy", str(self.policy)),
            *("--state", str(self.folder / "state.db"), "--log-file", str(self.folder / "gateway.log")),
            *("--grant", "bench"),
        ]


# --- the SDK's client -------------------------------------------------------------------------------------------------


class _Sdk:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._count = 0

    def _varied(self, call: Call) -> dict[str, object]:
        self._count += 1
        return dict(cast("Mapping[str, object]", varied(call.arguments, self._count)))

    async def call(self, call: Call) -> float:
        arguments = self._varied(call)
        began = perf_counter()
        result = await self._client.call_tool(call.tool, arguments)
        took = perf_counter() - began
        if result.is_error:
            raise BenchError(f"a call did not succeed: {result.content}")
        return took

    async def burst(self, call: Call, count: int) -> float | None:
        began = perf_counter()
        await asyncio.gather(*(self._client.call_tool(call.tool, self._varied(call)) for _ in range(count)))
        return perf_counter() - began

    async def flight(self, call: Call, flight: Flight) -> list[float] | None:
        left = iter(range(flight.count))
        until = perf_counter() + flight.seconds
        taken: list[float] = []

        async def fly() -> None:
            while perf_counter() < until and next(left, None) is not None:
                taken.append(await self.call(call))

        async with asyncio.TaskGroup() as flying:
            for _ in range(flight.depth):
                flying.create_task(fly())
        return taken

    def resident(self) -> int | None:
        return None

    def busy(self) -> float | None:
        return None


@dataclass(frozen=True, slots=True)
class SdkDirectly:
    """The SDK's client, connected to the upstream."""

    name: str = SDK

    @asynccontextmanager
    async def open(self, address: str) -> AsyncIterator[Line]:
        async with Client(address, mode="legacy") as client:
            await client.list_tools()
            yield _Sdk(client)


@dataclass(frozen=True, slots=True)
class SdkThroughGateway:
    """The SDK's client over standard input and output, with the gateway between."""

    programs: Programs
    name: str = SDK_GATEWAY

    @asynccontextmanager
    async def open(self, address: str) -> AsyncIterator[Line]:
        program = self.programs.program(GATEWAY, address)
        command, *words = program.words
        server = StdioServerParameters(command=command, args=words, env=dict(program.environment), cwd=program.cwd)
        with program.complaints.open("a") as complaints:
            async with Client(stdio_client(server, errlog=complaints), mode="legacy") as client:
                await client.list_tools()
                yield _Sdk(client)


# --- the floor --------------------------------------------------------------------------------------------------------


class _Http:
    def __init__(self, http: aiohttp.ClientSession, address: str) -> None:
        self._http = http
        self._address = address
        self._count = 0

    async def call(self, call: Call) -> float:
        self._count += 1
        params = {"name": call.tool, "arguments": varied(call.arguments, self._count)}
        line = request(self._count, "tools/call", params)
        began = perf_counter()
        body = await self.post(line)
        took = perf_counter() - began
        if reason := fault(_parsed(body)):
            raise BenchError(f"a call did not succeed: {reason}")
        return took

    async def burst(self, _: Call, __: int) -> float | None:
        return None

    async def flight(self, _: Call, __: Flight) -> list[float] | None:
        """One connection carries one call at a time."""
        return None

    def resident(self) -> int | None:
        return None

    def busy(self) -> float | None:
        return None

    async def post(self, line: bytes) -> bytes:
        async with self._http.post(self._address, data=line) as response:
            if "Mcp-Session-Id" in response.headers:
                self._http.headers["Mcp-Session-Id"] = response.headers["Mcp-Session-Id"]
            return await response.read()


@dataclass(frozen=True, slots=True)
class RawHttp:
    """Bare requests on one connection that is kept: what no gateway and no client can be quicker than."""

    name: str = HTTP

    @asynccontextmanager
    async def open(self, address: str) -> AsyncIterator[Line]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION,
        }
        connector = aiohttp.TCPConnector(limit=1, keepalive_timeout=60)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
            line = _Http(http, address)
            await line.post(request(0, "initialize", OPENING))
            await line.post(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
            yield line


def _parsed(body: bytes) -> object:
    text = body.decode()
    for field in text.splitlines():
        if field.startswith("data:") and field[5:].strip():
            text = field[5:]
    return json.loads(text)
