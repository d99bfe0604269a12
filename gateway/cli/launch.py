"""How this very program is started again: by a client's config, by the demonstration, in a hint."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

SCRIPT: Final = "keyid-gateway"


def command_words() -> list[str]:
    """The absolute words that start this program: the installed script, or this interpreter with `-m gateway`.

    Absolute, because a client that is started from a desktop does not have the `PATH` of a terminal. The script goes
    first: it says which interpreter it belongs to, and stays where it is when the tool that installed it brings it up
    to date. `-P`, because `-m` alone would look for the program in the folder that the client works in, and start
    whatever an agent has put there under its name.
    """
    for name in (SCRIPT, f"{SCRIPT}.exe"):
        script = Path(sys.executable).parent / name
        if script.is_file():
            return [str(script)]
    return [sys.executable, "-P", "-m", "gateway"]


def client_entry(words: Sequence[str], flags: Sequence[str] = ()) -> str:
    """The entry for a client's config, as JSON."""
    command, *arguments = words
    entry = {"command": command, "args": [*arguments, "run", *flags]}
    return json.dumps({"mcpServers": {"keyid": entry}}, indent=2)
