"""A home for the gateway's files, and a stand-in to guard."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.standin import Standin, StandinOptions
from tests.e2e.process import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home(tmp_path)


@pytest.fixture
def standin() -> Iterator[Standin]:
    """A stand-in that answers with streams, as KeyID does."""
    with Standin(StandinOptions(), clock=SystemClock()) as running:
        yield running


@pytest.fixture(params=["stream", "json"])
def either(request: pytest.FixtureRequest) -> Iterator[Standin]:
    """A stand-in in each of the two ways of answering."""
    with Standin(StandinOptions(json_response=request.param == "json"), clock=SystemClock()) as running:
        yield running
