"""The public face of the room."""

import subprocess
import sys


def test_importing_the_room_imports_neither_pydantic_nor_re2() -> None:
    program = "import sys, gateway.policy; print(sorted({'pydantic', 'pydantic_core', 're2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
