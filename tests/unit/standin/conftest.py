"""A stand-in to talk to, a clock to move, and clients of both eras."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from gateway.clock import SystemClock
from gateway.standin import Standin, StandinOptions
from gateway.standin.identity import Identity

Start = Callable[[StandinOptions], Standin]


@dataclass
class MovedClock:
    """A clock that stands still until a test moves it."""

    time: float = 1_800_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def identity(clock: MovedClock) -> Identity:
    return Identity(clock)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda options: stack.enter_context(Standin(options, clock=SystemClock()))


@pytest.fixture
def standin(start: Start) -> Standin:
    return start(StandinOptions())


@pytest.fixture(params=[False, True], ids=["sse", "json"])
def either(start: Start, request: pytest.FixtureRequest) -> Standin:
    """A stand-in that answers with streams, then one that answers with JSON."""
    return start(StandinOptions(json_response=request.param))


@pytest.fixture(params=["legacy", "2026-07-28"])
def era(request: pytest.FixtureRequest) -> str:
    """How a client connects: with a handshake, or stateless."""
    return str(request.param)
