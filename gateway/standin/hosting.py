"""Running a stand-in: in this process until a signal comes, or on a thread of its own for a demonstration or a test.

Nothing here configures logging; what the SDK and uvicorn have to complain about goes to standard error, which is
what Python does by default.
"""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

import uvicorn

from gateway.clock import Clock
from gateway.errors import UsageError
from gateway.standin.authority import Authority
from gateway.standin.door import PATH, FrontDoor
from gateway.standin.identity import Identity, Post
from gateway.standin.identity.mailbox import Message
from gateway.standin.journal import Entry
from gateway.standin.options import StandinOptions
from gateway.standin.server import build_app
from gateway.standin.world import World, new_world

Ready = Callable[[str], None]
START_LIMIT, STOP_LIMIT = 10.0, 10.0
"""Seconds that a stand-in on a thread may take to start and to stop."""
LAST_ANSWERS = 0.1
"""Seconds in which a stopped call can still be answered."""
_STOPPING = (signal.SIGINT, signal.SIGTERM)


def serve(options: StandinOptions, *, clock: Clock, ready: Ready) -> None:
    """Serve until SIGINT or SIGTERM, then end all streams and return.

    `ready` is called with the address, such as `http://127.0.0.1:8000/mcp`, as soon as it can be connected to.
    Raises `UsageError` if the port is taken.
    """
    world = new_world(options, clock)
    try:
        _Server(world, ready).host()
    finally:
        world.journal.close()


class Standin:
    """A stand-in on a thread of this process, while the `with` block lasts."""

    def __init__(self, options: StandinOptions | None = None, *, clock: Clock) -> None:
        self._world = new_world(options or StandinOptions(), clock)
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="standin", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server = _Server(self._world, self._ready)
        self._url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(START_LIMIT) or not self._url:
            raise UsageError("the stand-in did not start", hint="is its port free?")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(STOP_LIMIT)
        self._world.journal.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._url

    @property
    def journal(self) -> list[Entry]:
        """What reached it so far, oldest first; see `gateway.standin.journal`."""
        return self._world.journal.entries()

    @property
    def authority(self) -> Authority:
        """Its authorization server. Raises `UsageError` where it has none."""
        if self._world.authority is None:
            raise UsageError("this stand-in has no OAuth")
        return self._world.authority

    @property
    def identity(self) -> Identity:
        """The identity it plays; to be read, since only its own thread may change it."""
        return self._world.identity

    def wait_for(self, wanted: Callable[[Entry], bool], timeout: float = 5.0) -> Entry | None:
        """The first journal entry that is `wanted`, waiting at most `timeout` seconds; None if none came."""
        return self._world.journal.wait_for(wanted, timeout)

    def deliver(self, post: Post) -> Message:
        """A message arrives from the outside world; subscribers are told."""
        if self._loop is None:
            raise UsageError("the stand-in is not running")
        return asyncio.run_coroutine_threadsafe(self._receive(post), self._loop).result(START_LIMIT)

    async def _receive(self, post: Post) -> Message:
        message = self._world.identity.receive(post)
        await self._world.settle()
        return message

    def _ready(self, url: str) -> None:
        self._url, self._loop = url, asyncio.get_running_loop()
        self._started.set()

    def _run(self) -> None:
        try:
            self._server.host()
        finally:
            self._started.set()


class _Server(uvicorn.Server):
    """uvicorn that says where it listens, ends streams when it stops, and does not kill its process by a signal."""

    def __init__(self, world: World, ready: Ready) -> None:
        self._door = FrontDoor(build_app(world), world.options, world.journal, world.hub.leave, world.authority)
        self._options = world.options
        self._calls = world.calls
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                self._door,
                log_config=None,
                access_log=False,
                lifespan="on",
                ws="none",
                timeout_keep_alive=60,
                timeout_graceful_shutdown=2,
            )
        )

    def host(self) -> None:
        """Listen as the options say, until told to stop."""
        listening = _listen(self._options)
        self._door.listens(_url(listening))
        try:
            self.run(sockets=[listening])
        finally:
            listening.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or ():
            self._ready(_url(listening))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop the running calls and let their answers out, then end the streams, then everything else."""
        self._door.shut()
        self._calls.stop()
        await asyncio.sleep(LAST_ANSWERS)
        self._door.end_answers()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on the usual signals; put back who handled them before. Only the main thread can do that."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in _STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, _: int, __: FrameType | None) -> None:
        """Not `handle_exit`: the SDK's SSE library replaces that by one that ends streams for the whole process."""
        self.should_exit = True


def _listen(options: StandinOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # the protocol is named, because asyncio turns Nagle's algorithm off only where it is: 40 ms an answer otherwise
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((options.host, options.port))
    except OSError as error:
        listening.close()
        text = f"cannot listen on `{options.host}:{options.port}`: {error.strerror}"
        raise UsageError(text, hint="choose another port; 0 takes any that is free") from None
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}{PATH}" if ":" in host else f"http://{host}:{port}{PATH}"
