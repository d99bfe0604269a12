"""The program itself: its version, the Python that runs it, the packages that it needs."""

import platform
import sqlite3
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from gateway import __version__
from gateway.cli.checkup.examination import Examined
from gateway.cli.checkup.finding import Finding, failed, ok

_OLDEST: Final = (3, 11)
_PACKAGES: Final = (
    "click",
    "google-re2",
    "httptools",
    "jsonschema-rs",
    "mcp",
    "platformdirs",
    "pydantic",
    "rich",
    "ruamel.yaml",
    "truststore",
)


def check(_: Examined) -> Iterator[Finding]:
    """The lines about the program."""
    python = platform.python_version()
    says = f"keyid-gateway {__version__}, Python {python}, {platform.system()} {platform.machine()}"
    yield ok("program", says, version=__version__, python=python, sqlite=sqlite3.sqlite_version)
    if sys.version_info < _OLDEST:
        wanted = ".".join(map(str, _OLDEST))
        yield failed("program", f"Python {python} is older than {wanted}", f"install the gateway with Python {wanted}")
    missing = [name for name in _PACKAGES if not _installed(name)]
    if missing:
        cure = f"install it again with the Python that runs it: `{sys.executable} -m pip install keyid-gateway`"
        yield failed("program", f"packages are missing: {', '.join(missing)}", cure)


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False
