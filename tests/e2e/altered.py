"""The gateway with something changed for a test: `python -m tests.e2e.altered patient,noisy run …`."""

import ctypes
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway import __main__ as program
from gateway import app, mirror, policies, replies
from gateway.crowd import Crowd
from gateway.jsonrpc import Message
from gateway.state import State, database
from gateway.stdio import writing
from gateway.upstream import wire

NOISE: Final = ("a stray print", "a stray write", "a stray child", "a stray library")


def patient() -> None:
    """What is in flight when the input ends may take as long as it needs."""
    vars(app)["_PATIENCE_SECONDS"] = 20.0


def lasting() -> None:
    """The end may take long, so that a test can see what it waits for."""
    vars(app)["_END_SECONDS"] = 20.0


def hasty() -> None:
    """A state file that another process holds is given up at once."""
    vars(database)["PATIENCE_SECONDS"] = 0.05
    (State.atomically.__kwdefaults__ or {})["patience"] = 0.05


def watchful() -> None:
    """The policy file is looked at often, so that tests need not wait for it."""
    vars(policies)["_LOOK_SECONDS"] = 0.02


def crowded() -> None:
    """Two requests in flight are many, and three that wait fill the room."""
    (Crowd.__init__.__kwdefaults__ or {}).update(most=2, most_waiting=3)


def terse() -> None:
    """Two notifications or responses on their way are many."""
    (Crowd.__init__.__kwdefaults__ or {}).update(most_said=2)


def brief() -> None:
    """A list of tools of a few thousand bytes is too long."""
    vars(mirror)["_MAX_BYTES"] = 4096


def few() -> None:
    """Two connections are all that requests get."""
    vars(wire)["most_connections"] = lambda: 2


def narrow() -> None:
    """Little may wait for a client that does not read."""
    vars(writing)["BACKLOG"] = 2**16


def unprivileged() -> None:
    """Modes of files hold for this process, also where root runs the tests: it has no capabilities (capset(2))."""
    if os.geteuid() == 0:
        version_3, whole_process = 0x20080522, 0
        head, none = (ctypes.c_uint32 * 2)(version_3, whole_process), (ctypes.c_uint32 * 6)()
        assert ctypes.CDLL(None).capset(head, none) == 0


def traced() -> None:
    """Every statement to SQLite is said on standard error, on a line that begins with `sql: `."""
    connect = sqlite3.connect

    def connected(*words: Any, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*words, **more)
        connection.set_trace_callback(lambda statement: print(f"sql: {statement}", file=sys.stderr, flush=True))
        return connection

    vars(sqlite3)["connect"] = connected


def noisy() -> None:
    """Whatever answers a judged call also prints."""
    relayed = replies.relayed

    def shout(message: Message) -> bytes:
        print(NOISE[0], flush=True)
        os.write(1, f"{NOISE[1]}\n".encode())
        subprocess.run([sys.executable, "-c", f"print({NOISE[2]!r})"], check=True)
        library = ctypes.CDLL(None)
        library.puts(NOISE[3].encode())
        library.fflush(None)
        return relayed(message)

    vars(replies)["relayed"] = shout


ALTERATIONS: Final[Mapping[str, Callable[[], None]]] = {
    "patient": patient,
    "lasting": lasting,
    "hasty": hasty,
    "watchful": watchful,
    "crowded": crowded,
    "terse": terse,
    "brief": brief,
    "few": few,
    "narrow": narrow,
    "unprivileged": unprivileged,
    "traced": traced,
    "noisy": noisy,
}


if __name__ == "__main__":
    for name in sys.argv[1].split(","):
        ALTERATIONS[name]()
    sys.exit(program.main(sys.argv[2:]))
