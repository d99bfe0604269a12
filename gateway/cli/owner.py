"""What the owner says with a command, and every gateway heeds from its next decision on: one transaction, one record.

What closes needs nobody's leave, so that a script or a panicking agent may do it as well. What opens again needs a
person: somebody at a terminal. Whoever has a shell as this user can make one up (README, "What it promises, and what it
does not").
"""

import asyncio
import getpass
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from gateway.cli.screen import on_terminal
from gateway.cli.words import shown
from gateway.clock import SystemClock
from gateway.errors import UsageError
from gateway.settings.values import grant as grant_name
from gateway.state import Record, State, Transaction

T = TypeVar("T")
_LONGEST_REASON: Final = 500


def act(path: Path, work: Callable[[Transaction, float], T]) -> T:
    """Run `work` in one transaction of the state file, which is made where there is none. Raises `StateError`.

    It is handed the moment as well, in seconds since the epoch.
    """

    async def opened() -> T:
        clock = SystemClock()
        state = await State.open(path, clock=clock)
        try:
            return await state.atomically(lambda tx: work(tx, clock.now()))
        finally:
            state.close()

    return asyncio.run(opened())


def record(method: str, message: str, now: float, grant: str = "", server: str = "") -> Record:
    """What the audit log is told of it. `method` says what it was: `switch/stop`."""
    return Record(
        kind="owner",
        decision_id=secrets.token_hex(8),
        at=now,
        grant=grant,
        session="",
        client_name="",
        client_version="",
        server=server,
        method=method,
        tool="",
        policy_revision="",
        effect="allow",
        rule="",
        reason="allowed",
        message=message,
    )


def user() -> str:
    """Who says it, as the operating system knows them."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "an unknown user"


def name(text: str) -> str:
    """The name of a grant. Raises `UsageError`."""
    try:
        return grant_name(text)
    except ValueError as error:
        raise UsageError(f"`{shown(text, 40)}` names no grant: {error}") from None


def reason(text: str | None) -> str:
    """A reason as it will be shown to agents and people. Raises `UsageError`."""
    said = (text or "").strip()
    if len(said) > _LONGEST_REASON or not said.isprintable():
        raise UsageError(
            f"`--reason` takes one line of up to {_LONGEST_REASON} printable characters", "agents read it as it stands"
        )
    return said


def ask_for_a_person(command: str) -> None:
    """Raises `UsageError` where nobody is at a terminal."""
    if not on_terminal(sys.stdin):
        raise UsageError(
            f"`keyid-gateway {command}` is for a person: standard input is no terminal",
            "a person types it into a terminal window; an agent asks them to",
        )
