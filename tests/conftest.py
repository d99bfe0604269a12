"""What holds for the whole suite: the processes of the tests find their modules compiled.

Where Python is told to write no bytecode, as in many containers, each of more than a thousand processes would compile
every module anew, and each worker every test. While the suite runs they share what was compiled once, in a folder that
goes away with it; the tree stays as clean as it was to be.
"""

import os
import shutil
import sys
import tempfile

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if sys.dont_write_bytecode:
        folder = tempfile.mkdtemp(prefix="keyid-gateway-bytecode-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))  # a process may still be writing
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
