"""Whether a process that somebody noted is still there, and still the same: a number is given again to another one.

| where | how a process is known again | whether it is there |
|---|---|---|
| Linux | boot, PID namespace and start, as in /proc (proc(5), `starttime`) | exactly; not from another container |
| other POSIX | its number | the number is in use, and it was seen not long ago |
| Windows | not at all: looking at a process by its number can end it there (`os.kill`) | it was seen not long ago |

Whoever is known exactly need not say again and again that it is there, so an idle gateway writes nothing at all. Where
it must, it does so every `BEAT_SECONDS`: one page into the write-ahead log, which waits for no disk. A minute is often
enough for people, and nothing against what else a machine that is awake writes.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

Life: TypeAlias = Literal["running", "gone", "unknown"]

BEAT_SECONDS: Final = 60.0
_SILENT_SECONDS: Final = 150.0
"""Two beats that were missed, and a little for a machine that has much to do."""
_FORGOTTEN_SECONDS: Final = 7 * 86_400.0
"""When somebody of whom nothing is known counts as gone."""
_START_FIELD: Final = 19
"""`starttime` is the 22nd field of /proc/PID/stat; the third is the first behind the name in parentheses."""
_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A process by its number, and what tells it from an earlier or later one of that number; empty: nothing does."""

    pid: int
    mark: str

    @property
    def exact(self) -> bool:
        """Whether it can be known again without having been seen lately."""
        return bool(self.mark)


def mine() -> Process:
    """This process."""
    return Process(os.getpid(), _mark(os.getpid()))


def life(process: Process, seen: float, now: float) -> Life:
    """Whether a process that said last at the moment `seen` that it is there still is. Moments in seconds."""
    silent = now - seen
    if process.exact and sys.platform == "linux":
        here, theirs = _mark(os.getpid()).split(), process.mark.split()
        if here[:1] != theirs[:1]:
            return "gone"  # the machine was started again
        if here[:2] != theirs[:2]:
            return "gone" if silent > _FORGOTTEN_SECONDS else "unknown"
        return "running" if _mark(process.pid) == process.mark else "gone"
    if sys.platform != "win32" and not _in_use(process.pid):
        return "gone"
    return "running" if silent <= _SILENT_SECONDS else "gone"


def _mark(pid: int) -> str:
    """`BOOT NAMESPACE START` of a process of this machine; empty where there is none, or where nothing says so."""
    if sys.platform != "linux":
        return ""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = (_PROC / "self/ns/pid").readlink()
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return f"{boot} {space} {fields[_START_FIELD]}"
    except (OSError, ValueError, IndexError):
        return ""


def _in_use(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's, so it is there
        return True
    return True
