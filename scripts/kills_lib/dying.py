"""A gateway that is killed at one step of its work: `python -m scripts.kills_lib.dying STEP run …`.

A step is whatever outlives the process or leaves it: before and after each statement to SQLite, also between those of
one that is made for many rows, before and after what is written to the server and to the client, and when something
comes from the server. Steps count from the first call on; where STEP is negative, from the start of the process, so
that the state file is being opened. `kill -9` is what a process can do least about; 0 is never.
"""

import os
import runpy
import signal
import sqlite3
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from gateway.relay import Relay
from gateway.stdio.writing import Output
from gateway.upstream.connection import Connection

P = ParamSpec("P")
R = TypeVar("R")


class _Steps:
    def __init__(self, last: int) -> None:
        self._left = abs(last)
        self._counts = last < 0

    def begin(self) -> None:
        """From here on, steps count."""
        self._counts = True

    def step(self) -> None:
        """One step; the last one is not survived."""
        if self._counts and self._left:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


def fatal(last: int) -> None:
    """Have this process die at the step `last`."""
    steps = _Steps(last)

    def around(work: Callable[P, R]) -> Callable[P, R]:
        def stepped(*words: P.args, **more: P.kwargs) -> R:
            steps.step()
            found = work(*words, **more)
            steps.step()
            return found

        return stepped

    class Statements(sqlite3.Connection):
        execute = around(sqlite3.Connection.execute)
        executemany = around(sqlite3.Connection.executemany)

    connect = sqlite3.connect

    def traced(connection: sqlite3.Connection) -> sqlite3.Connection:
        connection.set_trace_callback(lambda _: steps.step())
        return connection

    vars(sqlite3)["connect"] = lambda *words, **more: traced(connect(*words, **more, factory=Statements))
    for of, name in ((Connection, "write"), (Connection, "data_received"), (Output, "_try")):
        setattr(of, name, around(vars(of)[name]))
    take = Relay.take

    def taking(relay: Relay, line: bytes) -> None:
        if b'"tools/call"' in line:
            steps.begin()
        take(relay, line)

    setattr(Relay, "take", taking)  # noqa: B010 - a method, for this process alone


if __name__ == "__main__":
    fatal(int(sys.argv[1]))
    sys.argv[1:] = sys.argv[2:]
    runpy.run_module("gateway", run_name="__main__", alter_sys=True)
