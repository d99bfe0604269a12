"""Programs that a test puts on the PATH of a process."""

import shlex
import sys
from pathlib import Path


def put(file: Path, text: str) -> None:
    """A program of this interpreter; no `#!` line names one whose path has a space, so a shell goes before it."""
    start = f"#!/bin/sh\n'''exec' {shlex.quote(sys.executable)} \"$0\" \"$@\"\n' '''\n"
    file.write_text(start + text, encoding="utf-8")
    file.chmod(0o700)
