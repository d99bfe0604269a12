"""The whole program on a platform that lacks what Windows lacks, as far as that can be had on another one.

Nothing of POSIX is there that Python does not have on Windows: modules, functions of `os`, `poll`; the loop watches no
pipes and knows no signals, as the one of Windows does. What is left is this platform's: paths, sockets, how processes
end. So this shows that the program asks for nothing that is not there, not that Windows does the rest.

    python -m tests.e2e.windows_like import      imports every module of the program, and says how many there are
    python -m tests.e2e.windows_like run …       is the program
"""

import asyncio
import importlib
import os
import pkgutil
import select
import signal
import sys
import types
from typing import Any, NoReturn

import gateway

_MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
_OF_OS = frozenset(
    {
        "chown",
        "chroot",
        "fchdir",
        "fchmod",
        "fchown",
        "fork",
        "forkpty",
        "geteuid",
        "getegid",
        "getgid",
        "getgroups",
        "getpgid",
        "getpgrp",
        "getsid",
        "getuid",
        "initgroups",
        "kill",
        "killpg",
        "lchown",
        "mkfifo",
        "mknod",
        "nice",
        "openpty",
        "posix_spawn",
        "sched_getaffinity",
        "setegid",
        "seteuid",
        "setgid",
        "setpgid",
        "setsid",
        "setuid",
        "statvfs",
        "sync",
        "ttyname",
        "uname",
        "wait",
        "wait3",
        "wait4",
        "O_NOFOLLOW",
        "O_NONBLOCK",
        "O_CLOEXEC",
        "O_NOCTTY",
    }
)
_SIGNALS = ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGUSR1", "SIGWINCH")


def modules() -> list[str]:
    """Every module of the program, but the one that runs when it is imported."""
    found = [module.name for module in pkgutil.walk_packages(gateway.__path__, "gateway.")]
    return [name for name in found if not name.endswith("__main__")]


def take_away() -> None:
    """From here on it is not there. What others have imported meanwhile stays theirs."""
    for name in modules():
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "gateway"]:
        del sys.modules[name]
    sys.platform = "win32"
    for name in _MODULES:
        sys.modules[name] = None  # type: ignore[assignment] # an import of it fails
    for name in _OF_OS:
        if hasattr(os, name):
            delattr(os, name)
    for name in _SIGNALS:
        if hasattr(signal, name):
            delattr(signal, name)
    for name in ("poll", "epoll", "kqueue", "PIPE_BUF"):
        if hasattr(select, name):
            delattr(select, name)
    locking: Any = types.ModuleType("msvcrt")
    locking.LK_NBLCK, locking.locking = 2, lambda *_: None
    sys.modules["msvcrt"] = locking
    asyncio.new_event_loop = _Loop


class _Loop(asyncio.SelectorEventLoop):
    """It waits for sockets and timers only, as the proactor of Windows does for us."""

    def add_reader(self, *_: object) -> NoReturn:
        raise NotImplementedError

    def add_writer(self, *_: object) -> NoReturn:
        raise NotImplementedError

    def add_signal_handler(self, *_: object) -> NoReturn:
        raise NotImplementedError


if __name__ == "__main__":
    take_away()
    if sys.argv[1] == "import":
        names = modules()
        for each in names:
            importlib.import_module(each)
        print(len(names))
    else:
        sys.exit(importlib.import_module("gateway.__main__").main(sys.argv[1:]))
