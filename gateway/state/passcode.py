"""The PIN that a person has to know to answer a question, if one was set: a memory-hard hash of it, and who guesses.

scrypt (RFC 7914) with a salt of its own: 32 MiB and some tens of milliseconds a guess. Guesses are counted in the file,
before they are checked, so that they are slowed down whichever processes make them: after `_FREE` wrong ones, each is
only tried so long after the one before it, twice as long every time, up to `_LONGEST` seconds.
"""

import hashlib
import hmac
import sqlite3
from dataclasses import dataclass
from typing import Final, Protocol

_N, _R, _P, _MEMORY = 2**15, 8, 1, 2**26
_FREE: Final = 3
_LONGEST: Final = 300.0


@dataclass(frozen=True, slots=True)
class Passcode:
    """What is kept of a PIN."""

    salt: bytes
    hash: bytes

    @classmethod
    def of(cls, text: str, salt: bytes) -> "Passcode":
        """`salt` is random and used once."""
        return cls(salt, hashlib.scrypt(text.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=_MEMORY))

    def fits(self, text: str) -> bool:
        """Whether it is the one. Takes its time."""
        return hmac.compare_digest(self.of(text, self.salt).hash, self.hash)


class Passcodes(Protocol):
    """The PIN within one transaction. Moments in seconds since the epoch. Failures are `StateError`."""

    def get(self) -> Passcode | None:
        """What is kept of it; None: none was set."""
        ...

    def set(self, passcode: Passcode | None) -> None:
        """Set it, or take it away."""
        ...

    def guess(self, now: float) -> float:
        """Somebody is about to try: counted as wrong until `passed`. For how many seconds they have to wait instead."""
        ...

    def passed(self) -> None:
        """That was right."""
        ...


class SqlitePasscodes:
    """The PIN of one open state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self) -> Passcode | None:
        row = self._connection.execute("SELECT salt, hash FROM passcode").fetchone()
        return None if row is None else Passcode(*row)

    def set(self, passcode: Passcode | None) -> None:
        self._connection.execute("DELETE FROM passcode")
        if passcode is not None:
            self._connection.execute(
                "INSERT INTO passcode (id, salt, hash, guesses, guessed_at) VALUES (1, ?, ?, 0, 0)",
                (passcode.salt, passcode.hash),
            )

    def guess(self, now: float) -> float:
        row = self._connection.execute("SELECT guesses, guessed_at FROM passcode").fetchone()
        guesses, guessed_at = row or (0, 0.0)
        pause = 0.0 if guesses < _FREE else min(2.0 ** (guesses - _FREE), _LONGEST)
        left = min(guessed_at + pause - now, pause)  # a clock that was set back lengthens no pause
        if left > 0:
            return float(left)
        self._connection.execute("UPDATE passcode SET guesses = guesses + 1, guessed_at = ?", (now,))
        return 0.0

    def passed(self) -> None:
        self._connection.execute("UPDATE passcode SET guesses = 0")


TABLE: Final = """CREATE TABLE passcode (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    salt BLOB NOT NULL,
    hash BLOB NOT NULL,
    guesses INTEGER NOT NULL,
    guessed_at REAL NOT NULL)"""
