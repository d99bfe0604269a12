"""A clock that is moved by hand, and a state file in a folder of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.state import Record, State
from tests.unit.state.manual import MIDNIGHT, ManualClock


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyid" / "state.db"


@pytest.fixture
async def state(path: Path, clock: ManualClock) -> AsyncIterator[State]:
    opened = await State.open(path, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def record() -> Record:
    return Record(
        kind="decided",
        decision_id="0123456789abcdef",
        at=MIDNIGHT,
        grant="default",
        session="s1",
        client_name="claude-ai",
        client_version="0.1.0",
        server="https://keyid.example/mcp",
        method="tools/call",
        tool="send_email",
        policy_revision="c0ffee",
        effect="allow",
        rule="/tools/send_email",
        reason="allowed",
        message="",
        argument_names=("body", "to"),
        argument_digest="ab" * 32,
    )
