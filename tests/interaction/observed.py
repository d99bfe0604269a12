"""The gateway, watched: `python -m tests.interaction.observed run …` writes to a file (`PLACE`) what was imported.

One line when the first message goes to the client, one at the end: the top-level names of the loaded modules as a JSON
list. The policy is not loaded meanwhile just because the machine is slow.
"""

import json
import os
import sys
from pathlib import Path

from gateway import app
from gateway.__main__ import main
from gateway.stdio import Stdio

PLACE = "OBSERVED_MODULES"
"""The environment variable that names the file."""
_send = Stdio.send
_said: list[str] = []


def say_what_is_loaded() -> None:
    names = sorted({name.partition(".")[0] for name in sys.modules})
    _said.append(json.dumps(names))
    Path(os.environ[PLACE]).write_text("".join(f"{line}\n" for line in _said), encoding="utf-8")


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
