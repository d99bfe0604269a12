"""Processes that a run starts: their surroundings, what they weigh, and their end. Only by handle, never by name."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_LEFT_OUT = ("KEYID_GATEWAY_", "PYTHON", "XDG_", "FASTMCP_", "MCP_", "npm_", "NODE_")
_PATIENCE = 3.0


class BenchError(Exception):
    """A contestant that cannot go on; the text says why."""


def surroundings(home: Path, **more: str) -> dict[str, str]:
    """The environment of a child: ours without proxies and settings, with a home folder of its own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_LEFT_OUT) and not name.lower().endswith("_proxy")
    }
    return {**kept, "HOME": str(home), "NO_COLOR": "1", **more}


@contextmanager
def running(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], complaints: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A child with pipes and a process group of its own, ended when the block ends, however it ends."""
    with (
        complaints.open("ab") as errors,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            start_new_session=True,
        ) as child,
    ):
        try:
            yield child
        finally:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        with suppress(OSError):
            child.stdin.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)  # the group is the child's own, and the child is not reaped yet
        with suppress(subprocess.TimeoutExpired):
            child.wait(_PATIENCE)
            break


def last_words(complaints: Path) -> str:
    """The end of what a child wrote to standard error."""
    text = complaints.read_text(encoding="utf-8", errors="replace").strip() if complaints.exists() else ""
    return " | ".join(text.splitlines()[-3:])[-400:]


def resident(pid: int) -> int:
    """The resident memory of a process and all its descendants, in KiB. Pages they share count in each."""
    table = _table()
    return sum(table[member][1] for member in _family(pid, table) if member in table)


def busy(pid: int) -> float | None:
    """The processor time of a process and all its descendants so far, in seconds; None where that is not told."""
    if not Path("/proc/self/stat").exists():
        return None
    ticks = 0
    for member in _family(pid, _table()):
        with suppress(OSError):
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _family(pid: int, table: Mapping[int, tuple[int, int]]) -> set[int]:
    family, known = {pid}, 0
    while len(family) != known:
        known = len(family)
        family |= {child for child, (parent, _) in table.items() if parent in family}
    return family


def _table() -> dict[int, tuple[int, int]]:
    """Process → (parent, resident KiB)."""
    if not Path("/proc/self/status").exists():
        listed = subprocess.run(["ps", "-axo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout
        rows = [[int(word) for word in line.split()] for line in listed.splitlines()]
        return {pid: (parent, size) for pid, parent, size in rows}
    found = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            facts = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            size = facts.get("VmRSS", "0 kB").split()[0]  # a zombie has none
            found[int(status.parent.name)] = (int(facts["PPid"]), int(size))
    return found
