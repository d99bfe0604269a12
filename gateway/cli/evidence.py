"""What the commands of `audit` look at: the log of the state file that `run` would use, as it is at one moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.cli.in_force import NO_STATE, state
from gateway.errors import StateError
from gateway.settings import Settings
from gateway.state.evidence import Evidence, examining

KEY_FILE = "audit-key.pem"


@contextmanager
def evidence(path: Path) -> Iterator[Evidence | None]:
    """The log, to be read; None where there is no state file yet. Raises `StateError`."""
    with state(path) as there:
        if there is None:
            yield None
            return
    with examining(path) as found:
        yield found


def missing(path: Path) -> StateError:
    """Why there is nothing to look at, where that is not an answer."""
    return StateError(
        f"{NO_STATE} (`{path}`)",
        "check `--state`; a gateway makes the file when it first judges a call (`keyid-gateway demo` shows how)",
    )


def key_file(settings: Settings) -> Path:
    """Where the key is that signs heads, if there is one."""
    return settings.config_dir / KEY_FILE
