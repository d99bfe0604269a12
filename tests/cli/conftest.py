"""A home of its own for every test, and the whole program in this process."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.__main__ import main
from gateway.clock import SystemClock
from gateway.policy import Limit
from gateway.standin import Standin, StandinOptions
from gateway.state import Record, State, charge_for

SERVER = "http://127.0.0.1:1/mcp"
TOKEN = "sesame"


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Home:
    """Where the program keeps its things in this test."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state.db"

    @property
    def policy(self) -> Path:
        return self.folder / "config" / "policy.json"

    @property
    def log(self) -> Path:
        return self.folder / "gateway.log"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "KEYID_GATEWAY_CONFIG_DIR": str(self.policy.parent),
            "KEYID_GATEWAY_STATE": str(self.state),
            "KEYID_GATEWAY_LOG_FILE": str(self.log),
            "KEYID_GATEWAY_UPSTREAM": SERVER,
            "KEYID_GATEWAY_GRANT": "me",
        }

    def write_policy(self, text: str) -> Path:
        self.policy.parent.mkdir(exist_ok=True)
        self.policy.write_text(text, encoding="utf-8")
        return self.policy

    def remember(self, records: Sequence[Record] = (), limits: Sequence[Limit] = (), policy_of_me: str = "") -> None:
        """Write a state file as a gateway would: these records, and one call counted against each of these limits."""

        async def work() -> None:
            clock = SystemClock()
            state = await State.open(self.state, clock=clock)
            charges = [charge_for(limit, server=SERVER, grant="me", session="s1") for limit in limits]
            await state.atomically(lambda tx: tx.counters.reserve(charges, clock.now()))
            for record in records:
                await state.atomically(lambda tx, record=record: tx.audit.append(record))  # type: ignore[misc] # bound
            if policy_of_me:
                await state.atomically(lambda tx: state.note_policy(tx, "me", policy_of_me))
            state.close()

        asyncio.run(work())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    found = Home(tmp_path)
    for name in [name for name in os.environ if name.startswith("KEYID_GATEWAY_")]:
        monkeypatch.delenv(name)
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


Run = Callable[..., Ran]


@pytest.fixture
def run(home: Home, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in this process."""
    assert home.folder.is_dir()

    def call(*words: str) -> Ran:
        code = main(words)
        return Ran(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def standin() -> Iterator[Standin]:
    """A stand-in that wants a token, and lists ten tools a page."""
    with Standin(StandinOptions(token=TOKEN, page_size=10), clock=SystemClock()) as running:
        yield running


def record(**changes: Any) -> Record:
    """A record of an allowed call, or what the changes make of it."""
    base = Record(
        kind="decided",
        decision_id="d1",
        at=1_700_000_000.25,
        grant="me",
        session="s1",
        client_name="client",
        client_version="1",
        server=SERVER,
        method="tools/call",
        tool="get_identity",
        policy_revision="r1",
        effect="allow",
        rule="/tools/get_identity",
        reason="allowed",
        message="",
    )
    return base._replace(**changes)


def relayed(decision_id: str, tool: str, **changes: Any) -> list[Record]:
    """The two records of a relayed call."""
    first = record(decision_id=decision_id, tool=tool)
    said: dict[str, Any] = {"outcome": "ok", "latency_ms": 12.3, "upstream_status": 200}
    return [first, first._replace(kind="settled", **{**said, **changes})]


def refused(decision_id: str, tool: str, **changes: Any) -> Record:
    """The record of a refused call."""
    said = {"rule": "(hidden)", "reason": "hidden", "message": f'Tool "{tool}" is hidden by policy'}
    return record(kind="refused", decision_id=decision_id, tool=tool, effect="deny", **{**said, **changes})
