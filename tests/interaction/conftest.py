"""Pairs of clients, shared by the tests of a module: a process costs more than what it is asked."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.standin import Standin, StandinOptions
from tests.e2e.process import Home
from tests.interaction.peers import AUTO, LEGACY, Pair, StandingClock, paired

WAYS = ("legacy-stream", "legacy-json", "modern-stream", "modern-json")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home for the gateways of one module."""
    path: Path = tmp_path_factory.mktemp("home")
    return Home(path)


@pytest.fixture(scope="module", params=WAYS)
async def pair(request: pytest.FixtureRequest, home: Home) -> AsyncIterator[Pair]:
    """A client directly and one through the gateway: in both eras, with stand-ins that answer with streams or JSON."""
    era, _, way = request.param.partition("-")
    options = StandinOptions(json_response=way == "json")
    async with paired(home, options, LEGACY if era == "legacy" else AUTO, log_level="info") as clients:
        yield clients


@pytest.fixture(scope="module")
def standin() -> Iterator[Standin]:
    """A stand-in that answers with streams, as KeyID does."""
    with Standin(StandinOptions(), clock=StandingClock()) as running:
        yield running
