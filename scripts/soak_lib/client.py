"""One gateway of a soak, and the client that drives it: any number of calls in flight, each answered once or not."""

import asyncio
import json
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from scripts.soak_lib.kinds import MALFORMED_ID, Asked

Json: TypeAlias = Any
PATIENCE = 60.0
"""Seconds after which an answer is missing."""
_LONGEST_LINE = 2**20


class Client:
    """Keeps every answer by the number of its call; what is wrong with them is said by `accounts`."""

    def __init__(self, process: Process, errors: Path) -> None:
        self._process = process
        self._errors = errors
        self._waiting: dict[Json, asyncio.Future[Json]] = {}
        self.answers: dict[int, Json] = {}
        self.twice: list[int] = []
        self.strays: list[str] = []
        self.unreadable = 0
        """Errors without an id: the answers to lines that were no messages."""
        self.missing: list[int] = []
        self._own = 0
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, words: Sequence[str], cwd: Path, environment: Mapping[str, str], errors: Path) -> "Client":
        with errors.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=PIPE, stdout=PIPE, stderr=sink, cwd=cwd, env=environment, limit=_LONGEST_LINE
            )
        client = cls(process, errors)
        info = {"name": "soak", "version": "1"}
        opening = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info}
        await client.ask("initialize", opening)
        await client.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        return client

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def descriptors(self) -> int | None:
        """How many files the gateway has open; None where the system does not tell."""
        folder = Path(f"/proc/{self.pid}/fd")
        return len(list(folder.iterdir())) if folder.exists() else None

    async def ask(self, method: str, params: Json = None) -> Json:
        """A request of the soak's own, and its answer."""
        self._own += 1
        identifier = f"own-{self._own}"
        body = {"jsonrpc": "2.0", "id": identifier, "method": method, **({} if params is None else {"params": params})}
        return await self.exchange(identifier, json.dumps(body).encode())

    async def call(self, asked: Asked) -> None:
        """Make one call: its answer is kept, or that it is missing."""
        try:
            if asked.kind.cancelled:
                await self._cancelled(asked)
            else:
                await self.exchange(asked.n, asked.line)
        except TimeoutError:
            self.missing.append(asked.n)

    async def write(self, line: bytes) -> None:
        if self._process.stdin is None:
            raise RuntimeError("a process without an input")
        self._process.stdin.write(line + b"\n")
        await self._process.stdin.drain()

    async def close(self) -> int:
        """End the input; the exit code. A gateway that does not end is killed, and its code tells."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reader
        return self._process.returncode or 0

    def kill(self) -> None:
        """Where a run is over before its end."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def exchange(self, identifier: Json, line: bytes) -> Json:
        """Send a request, and wait for its answer. Raises `TimeoutError` where there will be none."""
        if self._reader.done():
            raise TimeoutError
        future = asyncio.get_running_loop().create_future()
        self._waiting[identifier] = future
        await self.write(line)
        async with asyncio.timeout(PATIENCE):
            return await future

    async def _cancelled(self, asked: Asked) -> None:
        """Call, wait a little, cancel; the answer may have come before, or never comes."""
        future = asyncio.get_running_loop().create_future()
        self._waiting[asked.n] = future
        await self.write(asked.line)
        await asyncio.wait([future], timeout=asked.patience)
        params = {"requestId": asked.n, "reason": "changed my mind"}
        body = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
        await self.write(json.dumps(body).encode())

    async def _read(self) -> None:
        source = self._process.stdout
        if source is None:
            raise RuntimeError("a process without an output")
        while line := await source.readline():
            self._take(line)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(TimeoutError())
                future.exception()

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            self.strays.append(line[:200].decode("utf-8", "replace"))
            return
        if "method" in message:
            return
        identifier = message.get("id")
        if identifier is None or identifier == MALFORMED_ID:
            self.unreadable += 1
            return
        future = self._waiting.pop(identifier, None)
        if future is None:
            self.twice.append(identifier)
            return
        if isinstance(identifier, int):
            self.answers[identifier] = message
        if not future.done():
            future.set_result(message)


async def settle(condition: Callable[[], bool], patience: float = PATIENCE) -> bool:
    """Whether a condition comes true in time; it is looked at now and then."""
    until = time.monotonic() + patience
    while not condition():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.05)
    return True
