"""What a person types to run this program: its name, or its whole path where a terminal would not find the name.

Whoever is told a command has nothing but that line. A client's config starts the program by its path, from a virtual
environment as a rule, and the name alone would be "not found" in a terminal.
"""

import shutil
import sys
from pathlib import Path
from typing import Final

from gateway.errors import typed

NAME: Final = "keyid-gateway"


def program() -> str:
    """The first word of a command line for a person on this machine, quoted where a shell needs that."""
    script = Path(sys.argv[0])
    if script.name not in (NAME, f"{NAME}.exe") or not script.is_absolute():
        return NAME
    found = shutil.which(NAME)
    if found is not None and Path(found).resolve() == script.resolve():
        return NAME
    if sys.platform == "win32":  # its shells take nothing in single quotes, and a backslash as it is
        return f'"{script}"' if " " in str(script) else str(script)
    return typed(str(script))
