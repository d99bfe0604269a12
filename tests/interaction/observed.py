"""The gateway, watched: `python -m tests.interaction.observed run …` says on standard error what was imported.

One line when the first message goes to the client, one at the end: `MARK`, then the top-level names of the loaded
modules as a JSON list. The policy is not loaded meanwhile just because the machine is slow.
"""

import json
import os
import sys

from gateway import app
from gateway.__main__ import main
from gateway.stdio import Stdio

MARK = "loaded modules: "
_send = Stdio.send
_said: list[str] = []


def say_what_is_loaded() -> None:
    names = sorted({name.partition(".")[0] for name in sys.modules})
    _said.append(MARK + json.dumps(names))
    print(_said[-1], file=sys.stderr, flush=True)


async def send(stdio: Stdio, line: bytes) -> None:
    """`Stdio.send`, watched."""
    if not _said:
        say_what_is_loaded()
    await _send(stdio, line)


if __name__ == "__main__":
    app._WARM_UP_SECONDS = 60.0  # type: ignore[misc]  # a slow machine loads the policy before the answer, on purpose
    Stdio.send = send  # type: ignore[assignment, method-assign]  # what is watched is the program itself
    _exit = os._exit

    def watched_exit(code: int) -> None:
        say_what_is_loaded()
        _exit(code)

    os._exit = watched_exit  # type: ignore[assignment]  # the gateway ends by it
    main(sys.argv[1:])
