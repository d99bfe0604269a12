"""One raw driver for everything that speaks MCP on standard input and output: JSON lines over pipes, no library.

The same few lines of code drive the gateway and every peer, so that what differs is what is driven.
"""

import json
import os
import select
import subprocess
from collections.abc import Mapping
from time import perf_counter

from scripts.bench_lib.processes import BenchError

VERSION = "2025-11-25"
OPENING: dict[str, object] = {
    "protocolVersion": VERSION,
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}
TIMEOUT = 60.0


def request(identifier: int, method: str, params: object = None) -> bytes:
    """One request as a line."""
    body = {"jsonrpc": "2.0", "id": identifier, "method": method, **({} if params is None else {"params": params})}
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


def fault(answer: object) -> str | None:
    """Why an answer is not the result that was hoped for."""
    if not isinstance(answer, dict) or "result" not in answer:
        return json.dumps(answer)[:300]
    result = answer["result"]
    return json.dumps(result)[:300] if isinstance(result, dict) and result.get("isError") else None


class Lines:
    """A client of one child process."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdin is None or child.stdout is None:
            raise BenchError("a child without pipes")
        self._sink, self._source = child.stdin.fileno(), child.stdout.fileno()
        os.set_blocking(self._sink, False)
        self._poll = select.poll()
        self._poll.register(self._source, select.POLLIN)
        self._buffer = b""
        self._count = 0

    def open(self) -> float:
        """Do the handshake; the moment at which `initialize` was answered."""
        self.ask("initialize", OPENING)
        answered = perf_counter()
        self._write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        return answered

    def ask(self, method: str, params: object = None) -> dict[str, object]:
        """One request and its answer."""
        self._count += 1
        return self._exchange(request(self._count, method, params), {self._count})[self._count]

    def call(self, tool: str, arguments: object) -> float:
        """The seconds that one call takes. Raises `BenchError` where it does not succeed."""
        self._count += 1
        line = request(self._count, "tools/call", {"name": tool, "arguments": varied(arguments, self._count)})
        began = perf_counter()
        answers = self._exchange(line, {self._count})
        took = perf_counter() - began
        _check(answers)
        return took

    def burst(self, tool: str, arguments: object, count: int) -> float:
        """The seconds that `count` calls take which are all written before any answer is waited for."""
        identifiers = range(self._count + 1, self._count + count + 1)
        self._count += count
        lines = b"".join(
            request(number, "tools/call", {"name": tool, "arguments": varied(arguments, number)})
            for number in identifiers
        )
        began = perf_counter()
        answers = self._exchange(lines, set(identifiers))
        took = perf_counter() - began
        _check(answers)
        return took

    def send(self, method: str, params: object = None) -> int:
        """Write a request and wait for nothing; its id, for `wait`."""
        self._count += 1
        self._write(request(self._count, method, params))
        return self._count

    def wait(self, *identifiers: int) -> dict[int, dict[str, object]]:
        """The answers to what was sent; those to anything else are dropped."""
        return self._exchange(b"", set(identifiers))

    def flight(self, tool: str, arguments: object, depth: int, count: int, seconds: float) -> list[float]:
        """The seconds of each of `count` calls, `depth` of them always on their way; after `seconds` no more begin."""
        begun: dict[int, float] = {}
        taken: list[float] = []
        unsent = b""
        until = perf_counter() + seconds
        while begun or (len(taken) < count and perf_counter() < until):
            while len(begun) < depth and len(begun) + len(taken) < count and perf_counter() < until:
                self._count += 1
                params = {"name": tool, "arguments": varied(arguments, self._count)}
                unsent += request(self._count, "tools/call", params)
                begun[self._count] = perf_counter()
            unsent, messages = self._turn(unsent, perf_counter() + TIMEOUT)
            for identifier, message in messages:
                if identifier in begun:
                    taken.append(perf_counter() - begun.pop(identifier))
                    _check({identifier: message})
        return taken

    def _exchange(self, unsent: bytes, wanted: set[int]) -> dict[int, dict[str, object]]:
        answers: dict[int, dict[str, object]] = {}
        deadline = perf_counter() + TIMEOUT
        unsent = self._write_some(unsent)
        while wanted or unsent:
            unsent, messages = self._turn(unsent, deadline)
            for identifier, message in messages:
                if identifier in wanted:
                    wanted.discard(identifier)
                    answers[identifier] = message
        return answers

    def _turn(self, unsent: bytes, deadline: float) -> tuple[bytes, list[tuple[int, dict[str, object]]]]:
        """Write what can be written, wait until something can be done: what is left, and the answers that came."""
        unsent = self._write_some(unsent)
        if unsent:
            self._poll.register(self._sink, select.POLLOUT)
        ready = self._poll.poll(max(0.0, deadline - perf_counter()) * 1000)
        if unsent:
            self._poll.unregister(self._sink)
        if not ready:
            raise BenchError(f"no answer within {TIMEOUT:g} s")
        if not any(descriptor == self._source for descriptor, _ in ready):
            return unsent, []
        read = [(message.get("id"), message) for message in self._read() if "method" not in message]
        return unsent, [(identifier, message) for identifier, message in read if isinstance(identifier, int)]

    def _read(self) -> list[dict[str, object]]:
        chunk = os.read(self._source, 2**16)
        if not chunk:
            raise BenchError("it ended")
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        return [json.loads(line) for line in lines if line.strip()]

    def _write(self, data: bytes) -> None:
        while data:
            data = self._write_some(data)
            if data:
                select.select([], [self._sink], [], TIMEOUT)

    def _write_some(self, data: bytes) -> bytes:
        try:
            return data[os.write(self._sink, data) :] if data else b""
        except BlockingIOError:
            return data
        except OSError as error:
            raise BenchError("it ended") from error


def varied(arguments: object, number: int) -> object:
    """The arguments with a number behind the first text: an agent that calls the same again and again is stopped."""
    if not isinstance(arguments, Mapping):
        return arguments
    key = next((key for key, value in arguments.items() if isinstance(value, str)), None)
    return arguments if key is None else {**arguments, key: f"{arguments[key]} {number}"}


def _check(answers: dict[int, dict[str, object]]) -> None:
    for answer in answers.values():
        reason = fault(answer)
        if reason is not None:
            raise BenchError(f"a call did not succeed: {reason}")
