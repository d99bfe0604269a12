"""The newest whole list of tools of each server, kept beside the state file: for commands that look without asking.

What an upstream announced, and no more trusted than that: no decision is made by it, only hints are. So it is written
without ceremony (whole, mode 0600, moved into its place), and one that cannot be written or read is as good as none.
"""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final

from gateway import disk
from gateway.catalogue import Catalogue, Definition
from gateway.jsonrpc import Json, loads, serialise

LARGEST: Final = 16 * 2**20
"""Bytes of a list that is kept; a larger one is not."""


def place(state: Path, server: str) -> Path:
    """Where the list of `server` (its URL without query) is kept."""
    digest = blake2b(server.encode(), digest_size=8).hexdigest()
    return state.with_name(f"{state.name}.tools-{digest}.json")


def keep(state: Path, server: str, tools: Mapping[str, Definition]) -> bool:
    """Keep a whole list; whether it is kept now. One that is the same as before is not written again."""
    text = serialise({"server": server, "tools": [dict(tool) for tool in tools.values()]})
    file = place(state.absolute(), server)
    if len(text) > LARGEST:
        return False
    try:
        if file.is_file() and file.stat().st_size == len(text) and file.read_bytes() == text:
            return True
        disk.make_private(file.parent)
        disk.write(file, text, durable=False)
    except OSError:
        return False
    return True


def last(state: Path, server: str) -> Catalogue | None:
    """The newest whole list of `server` that was kept; None where there is none, or none that can be read."""
    file = place(state.absolute(), server)
    try:
        if not file.is_file() or file.stat().st_size > LARGEST:
            return None
        kept = loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, ArithmeticError, RecursionError):
        return None
    tools: Json = kept.get("tools") if isinstance(kept, dict) and kept.get("server") == server else None
    if not isinstance(tools, list):
        return None
    catalogue = Catalogue()
    catalogue.page(None, {"tools": tools})
    return catalogue
