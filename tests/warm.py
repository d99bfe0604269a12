"""A warm start: programs of this tree are forked from a process that has imported it, once for each worker.

Most of what a short program costs is its imports. `Popen` and `run` take the place of those of `subprocess` where a
test starts `python -m …` of this tree and how it starts is not the matter. The program is a process of its own all the
same, with its own arguments, environment, standard streams, signals and end; only, more than it asked for is imported
by then. What Python reads at its own start has to be as it is here: else, and where it cannot be done, the program is
started as ever.
"""

import atexit
import gc
import inspect
import io
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, AnyStr, Final

ROOT: Final = Path(__file__).parents[1]
_LONGEST: Final = 2**17
"""Bytes of a job; a longer one is started as ever."""
_WORD: Final = struct.Struct("q")
"""How the pid is written, and then how it ended."""
_READ_AT_START: Final = ("PYTHON", "LANG", "LC_", "TZ", "LD_", "MALLOC_", "OPENSSL", "SSL_")
_READ_LATER: Final = ("PYTHON_KEYRING_BACKEND",)
_GATEWAY: Final = ("gateway.app", "gateway.cli.commands", "gateway.cli.run")
_PROGRAMS: Final[Mapping[str, tuple[str, ...]]] = {
    "gateway": _GATEWAY,
    "tests.e2e.altered": _GATEWAY,
    "tests.e2e.clocked": _GATEWAY,
    "tests.e2e.helped": ("gateway.credentials.child.main",),
    "tests.e2e.naive": _GATEWAY,
    "tests.unit.state.hammer": _GATEWAY,
    "tests.unit.state.old": _GATEWAY,
    "tests.unit.state.scribe": _GATEWAY,
}
"""What is started warm, and what is imported for it. Not those that watch or alter what is imported."""

# --- who asks ---------------------------------------------------------------------------------------------------------

_STREAMS: Final = ("p2cread", "c2pwrite", "errwrite")
_PIPES: Final = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
_USED: Final = {*_PIPES, "args", "cwd", "env", "start_new_session", "close_fds", "restore_signals"}
_PRIVATE: Final = ("_execute_child", "_internal_poll", "_wait", "_close_pipe_fds")
_NAMES: Final = tuple(inspect.signature(getattr(subprocess.Popen, _PRIVATE[0], lambda: None)).parameters)[1:]
_POSSIBLE: Final = (
    sys.platform == "linux"  # elsewhere a process that was forked and not replaced may be no sound one
    and set(_NAMES) >= _USED
    and all(hasattr(subprocess.Popen, name) for name in _PRIVATE)
)


class Popen(subprocess.Popen[AnyStr]):
    """A program, started warm where that can be done."""

    _told: int | None = None
    """Where its end is told; None for one that was started as ever."""
    _looking: threading.Lock

    @property
    def is_warm(self) -> bool:
        return self._told is not None

    def _execute_child(self, *given: Any) -> None:
        sound: Any = super()
        named = dict(zip(_NAMES, given, strict=False))
        job = _job(named) if _POSSIBLE else None
        if job is None:
            sound._execute_child(*given)
            return
        streams = [standard if named[end] == -1 else named[end] for standard, end in enumerate(_STREAMS)]
        self._looking = threading.Lock()
        self.pid, self._told = _server(_PROGRAMS[named["args"][2]]).start(job, streams)
        self._child_created = True
        sound._close_pipe_fds(*(named[end] for end in _PIPES))

    def _internal_poll(self, *given: Any, **named: Any) -> int | None:
        sound: Any = super()
        return sound._internal_poll(*given, **named) if self._told is None else self._look(0)

    def _wait(self, timeout: float | None) -> int:
        sound: Any = super()
        code = sound._wait(timeout=timeout) if self._told is None else self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return int(code)

    def _look(self, timeout: float | None) -> int | None:
        if self._looking.acquire(timeout=-1 if timeout is None else timeout):
            try:
                if self.returncode is None and self._told and select.select([self._told], [], [], timeout)[0]:
                    self.returncode = os.waitstatus_to_exitcode(_read(self._told))
                    os.close(self._told)
            finally:
                self._looking.release()
        return self.returncode


def start(
    words: list[str],
    *,
    env: Mapping[str, str] | None,
    stdin: int | None = subprocess.PIPE,
    start_new_session: bool = False,
    cold: bool = False,
) -> "subprocess.Popen[str]":
    """Start a program of this tree that goes on, with pipes for what it says."""
    kind: type[subprocess.Popen[str]] = subprocess.Popen if cold else Popen
    pipe = subprocess.PIPE
    return kind(
        words,
        env=env,
        cwd=ROOT,
        stdin=stdin,
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=start_new_session,
    )


def run(
    words: list[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: int | None = None,
    told: str | None = None,
    timeout: float,
    cold: bool = False,
) -> "subprocess.CompletedProcess[str]":
    """Run a program of this tree to its end; it is `told` something, or has that standard input."""
    with start(words, env=env, stdin=subprocess.PIPE if told is not None else stdin, cold=cold) as process:
        try:
            out, err = process.communicate(told, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def _job(named: Mapping[str, Any]) -> bytes | None:
    """What the server is asked for; None for what it could not do faithfully."""
    words = list(map(str, named["args"])) if isinstance(named["args"], list) else []
    environment = dict(os.environ if named["env"] is None else named["env"])
    others = [named[name] for name in _NAMES if name not in _USED]
    if (
        words[:2] != [sys.executable, "-m"]
        or words[2] not in _PROGRAMS
        or named["cwd"] is None
        or Path(named["cwd"]) != ROOT
        or not (named["close_fds"] and named["restore_signals"])
        or any(value not in (None, False, (), -1) for value in others)
        or _read_at_start(environment) != _read_at_start(os.environ)
    ):
        return None
    job = {"words": words, "environment": environment, "session": named["start_new_session"]}
    data = json.dumps(job).encode()
    return data if len(data) < _LONGEST else None


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_READ_AT_START) and name not in _READ_LATER
    }


class _Server:
    """The process that has imported everything. It ends when this one does."""

    def __init__(self, imported: Sequence[str]) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-m", "tests.warm", str(number), *imported]
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[number])
        atexit.register(self._end)

    def start(self, job: bytes, streams: Sequence[int]) -> tuple[int, int]:
        """The pid of a program, and where its end is told."""
        told, telling = os.pipe()
        socket.send_fds(self._line, [job], [*streams, telling])
        os.close(telling)
        return _read(told), told

    def _end(self) -> None:
        self._line.close()
        self._process.wait()


@cache
def _server(imported: tuple[str, ...]) -> _Server:
    return _Server(imported)


def _read(told: int) -> int:
    word = os.read(told, _WORD.size)
    assert word, "the process that starts programs has ended"
    return int(_WORD.unpack(word)[0])


# --- who does it ------------------------------------------------------------------------------------------------------


def _serve(line: socket.socket, imported: Sequence[str]) -> Sequence[str] | None:
    """Fork as asked: None when nobody asks any more, and in a forked process the words of its program."""
    for name in imported:
        import_module(name)
    gc.collect()
    gc.freeze()
    keepers = 0
    while True:
        data, ends, _, _ = socket.recv_fds(line, _LONGEST, 4)
        while keepers and os.waitpid(-1, os.WNOHANG)[0]:
            keepers -= 1
        if not data:
            return None
        if os.fork() == 0:
            line.close()
            return _keep(json.loads(data), ends)
        keepers += 1
        for end in ends:
            os.close(end)


def _keep(job: Mapping[str, Any], ends: Sequence[int]) -> Sequence[str]:
    """Fork once more, wait, and tell how it ended. This returns in the program."""
    pid = os.fork()
    if pid == 0:
        return _become(job, ends)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for end in (0, 1, 2, *ends[:3]):
        os.close(end)
    _, status = os.waitpid(pid, 0)
    os.write(ends[3], _WORD.pack(status))
    os._exit(0)


def _become(job: Mapping[str, Any], ends: Sequence[int]) -> Sequence[str]:
    if job["session"]:
        os.setsid()
    for standard in range(3):
        os.dup2(ends[standard], standard)
    os.environ.clear()
    os.environ.update(job["environment"])
    for standard, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        stream = _standard(standard, mode, getattr(sys, name))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.write(ends[3], _WORD.pack(os.getpid()))
    for end in ends:
        os.close(end)
    words = list(job["words"])
    sys.orig_argv[:] = words
    sys.argv[:] = words[2:]
    return words


def _standard(number: int, mode: str, before: Any) -> IO[str]:
    """A standard stream, as Python makes it at its start."""
    raw = open(number, f"{mode}b", buffering=0 if before.write_through else -1, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(
        raw,
        before.encoding,
        before.errors,
        newline=None if mode == "r" else "\n",
        line_buffering=number == 2 or raw.isatty(),
        write_through=before.write_through,
    )


if __name__ == "__main__":
    program = _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
    if program is not None:
        runpy.run_module(program[2], run_name="__main__", alter_sys=True)
