"""A clock that is moved by hand, and a state file in a folder of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.state import Record, State
from tests.unit.state.manual import RECORD, ManualClock


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
    return RECORD
