"""What can go wrong, said once: a message, a hint, and the exit code of the program.

Messages are lower case, without a final period, with back-ticks round the words of the user; the
hint says what to do. The exit codes are part of the interface (README, "Exit codes").
"""

from collections.abc import Collection
from typing import ClassVar, Final

_LONGEST: Final = 128
_MOST: Final = 5000
"""Names that a word is compared with, and their length: more would take seconds."""


def meant(word: str, known: Collection[str], *, cutoff: float = 0.6) -> str | None:
    """The name that was probably meant by a word that is none of them; None where no name is like it."""
    if len(word) > _LONGEST or len(known) > _MOST:
        return None
    from difflib import get_close_matches  # only for a mistake

    return next(iter(get_close_matches(word, [name for name in known if len(name) <= _LONGEST], 1, cutoff)), None)


def typed(*words: str) -> str:
    r"""Words of a command line as a person can type them: what a shell would read otherwise is quoted.

    Words come from files and servers too: what would act on a terminal, or hide, is an escape that shells read
    (`$'\x1b'`).
    """
    import shlex  # only where somebody has to type it

    return " ".join(shlex.quote(word) if word.isprintable() else f"$'{_escapes(word)}'" for word in words)


def _escapes(word: str) -> str:
    plain = word.replace("\\", "\\\\").replace("'", "\\'")
    return "".join(char if char.isprintable() else _bytes(char) for char in plain)


def _bytes(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))


class GatewayError(Exception):
    """An error a person is told about: `message`, and a `hint` that says what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class UsageError(GatewayError):
    """The command line does not make sense."""

    exit_code: ClassVar[int] = 2


class ConfigError(GatewayError):
    """A policy document or a settings file cannot be accepted."""

    exit_code: ClassVar[int] = 3


class UpstreamError(GatewayError):
    """The upstream server cannot be reached, or did not answer as the protocol says."""

    exit_code: ClassVar[int] = 4


class StateError(GatewayError):
    """The state file cannot be read or written. `told` is what an agent may read of it: the cause, and no place."""

    exit_code: ClassVar[int] = 5

    def __init__(self, message: str, hint: str | None = None, *, told: str = "the state file cannot be used") -> None:
        super().__init__(message, hint)
        self.told = told
