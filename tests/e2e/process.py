"""The real program, driven by hand: lines in, lines out, and what it left in its state file and on standard error."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from gateway.state import Record, reading
from tests.warm import Popen

Json = Any
"""A parsed JSON value, as it came."""
PATIENCE = 20.0
SETTLING = 2.0
"""Seconds after which something that should have come is missing."""
ALLOW_ALL = {"version": "1", "default": "allow"}
_ROOT = Path(__file__).parents[2]


@dataclass
class Home:
    """A home for gateways of one test: their state, settings and logs, and a clock that the test moves."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.path / "state.db"

    @property
    def config(self) -> Path:
        return self.path / "config"

    def variables(self) -> dict[str, str]:
        """The environment of a gateway process of this home."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KEYID_GATEWAY_")}
        return {
            **kept,
            "KEYID_GATEWAY_STATE": str(self.state),
            "KEYID_GATEWAY_CONFIG_DIR": str(self.config),
            "KEYID_GATEWAY_LOG_FILE": str(self.path / "gateway.log"),
            "KEYID_GATEWAY_APPROVE_DESKTOP": "off",
            **self.environment,
        }

    def policy(self, document: Mapping[str, Json] | str) -> Path:
        """Write a policy document; the same path every time."""
        file = self.path / "policy.json"
        fresh = file.with_suffix(".new")
        fresh.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        fresh.replace(file)
        return file

    def records(self) -> list[Record]:
        """The audit log so far, call by call, the oldest first.

        What came of a call is written behind its answer, so this waits for it: for a moment, because of a call that is
        still in flight, or whose process was killed, nothing comes. In the log it may stand behind the next decision.
        """
        waiting, deadline = threading.Event(), time.monotonic() + SETTLING
        while not all_settled(records := self.records_now()) and time.monotonic() < deadline:
            waiting.wait(0.005)
        return by_call(records)

    def records_now(self) -> list[Record]:
        """The audit log so far, oldest first, without what the gateway tried on itself."""
        return [record for record in self.every_record() if record.kind != "self-test"]

    def every_record(self) -> list[Record]:
        """The audit log so far, oldest first."""
        with reading(self.state) as transaction:
            return [entry.record for entry in transaction.audit.tail(0, 1_000_000)]

    def move_clock(self, seconds: float) -> None:
        """Move the clock of every gateway that was started with `clocked=True`."""
        file = self.path / "clock"
        before = float(file.read_text(encoding="utf-8")) if file.exists() else 0.0
        fresh = file.with_suffix(".new")
        fresh.write_text(str(before + seconds), encoding="utf-8")
        fresh.replace(file)


def by_call(records: Sequence[Record]) -> list[Record]:
    """Records, all of a call together."""
    first = {record.decision_id: place for place, record in reversed(list(enumerate(records)))}
    return sorted(records, key=lambda record: first[record.decision_id])


class Gateway:
    """One gateway process. Use it as a context manager; `close` ends its input and gives its exit code.

    It works in `folder`.
    """

    def __init__(
        self,
        home: Home,
        upstream: str,
        *arguments: str,
        policy: Mapping[str, Json] | Path | None = None,
        clocked: bool = False,
        altered: str | None = None,
        naive: str | None = None,
        folder: Path = _ROOT,
    ) -> None:
        self.home = home
        module = ("tests.e2e.clocked", str(home.path / "clock")) if clocked else ("gateway",)
        if altered is not None:
            module = ("tests.e2e.altered", altered)
        if naive is not None:
            module = ("tests.e2e.naive", naive, *module)
        if policy is not None:
            file = policy if isinstance(policy, Path) else home.policy(policy)
            arguments = ("--policy", str(file), *arguments)
        self.process: subprocess.Popen[bytes] = Popen(
            self.command(upstream, *arguments, module=module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=home.variables() if folder == _ROOT else {**home.variables(), "PYTHONPATH": str(_ROOT)},
            cwd=folder,
        )
        self.others: list[Json] = []
        """Notifications and requests of the server that came while an answer was awaited."""
        self._arrived: queue.Queue[bytes | None] = queue.Queue()
        self._errors: list[str] = []
        self._complained = threading.Condition()
        self._ids = 0
        self._ended = False
        self._threads = [self._start(self._read, self.process.stdout), self._start(self._listen, self.process.stderr)]

    @staticmethod
    def command(upstream: str, *arguments: str, module: Sequence[str] = ("gateway",)) -> list[str]:
        """The command line of a gateway."""
        return [sys.executable, "-m", *module, "run", "--upstream", upstream, *arguments]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended:
            self.close()

    # --- talking ------------------------------------------------------------------------------------------------------

    def send(self, message: Json | bytes) -> None:
        """Write one message, or raw bytes as they are (then with their own line feed)."""
        assert self.process.stdin is not None
        data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def receive(self) -> Json:
        """The next message, whatever it is. Fails the test if none comes, or if it is not JSON."""
        line = self._arrived.get(timeout=PATIENCE)
        assert line is not None, f"the gateway ended: {self.errors}"
        return json.loads(line)

    def answer(self, identifier: Json) -> Json:
        """The response with this id; what comes before it is kept in `others`."""
        while True:
            message = self.receive()
            if "method" not in message and message.get("id") == identifier:
                return message
            self.others.append(message)

    def answers(self, identifiers: Sequence[Json]) -> list[Json]:
        """The responses with these ids, in whatever order they come; in the order of the ids."""
        found: dict[Json, Json] = {}
        while missing := set(identifiers) - set(found):
            message = self.receive()
            if "method" not in message and message.get("id") in missing:
                found[message["id"]] = message
            else:
                self.others.append(message)
        return [found[identifier] for identifier in identifiers]

    def hear(self, method: str) -> Json:
        """Wait for a notification or request of the server with this method; it is taken out of `others`."""
        for message in self.others:
            if message.get("method") == method:
                self.others.remove(message)
                return message
        while (message := self.receive()).get("method") != method:
            self.others.append(message)
        return message

    def request(self, method: str, params: Json = None, **extra: Json) -> Json:
        """Send a request and wait for its response."""
        return self.answer(self.begin(method, params, **extra))

    def begin(self, method: str, params: Json = None, **extra: Json) -> int:
        """Send a request; its id."""
        self._ids += 1
        body = {"jsonrpc": "2.0", "id": self._ids, "method": method, **extra}
        self.send(body if params is None else {**body, "params": params})
        return self._ids

    def notify(self, method: str, params: Json = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params})})

    def initialize(self, capabilities: Mapping[str, Json] | None = None, version: str = "2025-06-18") -> Json:
        """Open a handshake session; the answer to `initialize`."""
        answer = self.request(
            "initialize",
            {
                "protocolVersion": version,
                "capabilities": dict(capabilities or {}),
                "clientInfo": {"name": "test-client", "version": "1.2.3"},
            },
        )
        if "result" in answer:
            self.notify("notifications/initialized")
        return answer

    def call(self, tool: str, arguments: Mapping[str, Json] | None = None, **params: Json) -> Json:
        """Call a tool and wait: its result, or the error."""
        body = {"name": tool, **params} if arguments is None else {"name": tool, "arguments": dict(arguments), **params}
        answer = self.request("tools/call", body)
        return answer.get("result", answer.get("error"))

    # --- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> int:
        """End the input and wait for the process; its exit code."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            self._errors.append("(the gateway had closed its input)")
        return self.wait()

    def wait(self) -> int:
        """Wait for the process to end; its exit code."""
        self._ended = True
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            for thread in self._threads:
                thread.join(PATIENCE)
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                assert stream is not None
                with suppress(BrokenPipeError):  # what was not yet read by the gateway when it ended
                    stream.close()
        return code

    def rest(self) -> list[Json]:
        """Every message that is left, after the process has ended."""
        messages = []
        while (line := self._arrived.get(timeout=PATIENCE)) is not None:
            messages.append(json.loads(line))
        return messages

    @property
    def errors(self) -> str:
        """What the gateway has said on standard error so far."""
        return "".join(self._errors)

    def wait_for_error(self, text: str) -> None:
        """Wait until standard error has said this."""
        with self._complained:
            assert self._complained.wait_for(lambda: text in self.errors, PATIENCE), f"not said: {text}\n{self.errors}"

    def _start(self, work: Callable[[IO[bytes]], None], stream: IO[bytes] | None) -> threading.Thread:
        assert stream is not None
        thread = threading.Thread(target=work, args=(stream,), daemon=True)
        thread.start()
        return thread

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._arrived.put(line)
        self._arrived.put(None)

    def _listen(self, stream: IO[bytes]) -> None:
        for line in stream:
            with self._complained:
                self._errors.append(line.decode("utf-8", "replace"))
                self._complained.notify_all()


def all_settled(records: Sequence[Record]) -> bool:
    """Whether it is known of every call that was relayed what came of it."""
    settled = {record.decision_id for record in records if record.kind == "settled"}
    return all(record.decision_id in settled for record in records if record.kind == "decided")


def decision(result: Json) -> Json:
    """The gateway's decision in a denial; fails the test if there is none."""
    return result["_meta"]["keyid-gateway/decision"]


def called_tools(journal: Sequence[Json]) -> list[str]:
    """The tools that really ran on the stand-in, in order."""
    return [entry["name"] for entry in journal if entry.get("event") == "tool"]
