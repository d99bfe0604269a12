"""What the commands look at: the policy and the state file that `run` would use, without changing either."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.cli.screen import note
from gateway.disk import why
from gateway.errors import StateError
from gateway.keyid import recommended
from gateway.policies import Source, choose, exists, load_source, read
from gateway.policy import Policy, compose, load
from gateway.policy.compiled import Entry
from gateway.policy.decision import Limit
from gateway.settings import Settings
from gateway.state import Transaction, reading

NO_STATE: Final = "there is no state file yet"


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy in force; `file` is None for the built-in pack."""

    policy: Policy
    file: Path | None

    @property
    def name(self) -> str:
        """How a sentence names it."""
        return f"`{self.file}`" if self.file is not None else "the built-in pack"

    def place(self, line: int | None) -> str:
        """Where a line of it is to be found; empty if nowhere."""
        if line is None:
            return ""
        return f"{self.file}:{line}" if self.file is not None else f"line {line} of `keyid-gateway policy init -`"


def policy_in_force(settings: Settings, *, quiet: bool = False) -> InForce:
    """The policy that `run` would judge by, chosen as `run` chooses. Raises `ConfigError`, `StateError`.

    Where `run` would refuse every call because the grant's file is not given, it is that file, and a note says so:
    looking loosens nothing. `quiet`: without the note.
    """
    with state(settings.state) as opened:
        used = None if opened is None else opened.grants.policy_used(settings.grant)
        own = None if opened is None else opened.grants.own_policy(settings.grant)
    source = choose(settings.policy, settings.user_policy, used, settings.grant)
    if source.blocked is not None and used is not None:
        if not quiet:
            note(
                f"note: looking at `{used}`, which judged grant `{settings.grant}` last; "
                "`run` refuses every call unless a policy is given"
            )
        source = Source(Path(used))
    user = load_source(source, recommended.policy)
    return InForce(compose(user, _overlays(settings, own)), source.file)


def _overlays(settings: Settings, own: str | None) -> list[Policy]:
    """The documents of the other layers, where they are. Raises `ConfigError`: with a broken one, no call passes."""
    found = [load(read(file), name=str(file), layer=layer) for file, layer in settings.overlays if exists(file)]
    return found if own is None else [load(read(Path(own)), name=own, layer="grant"), *found]


@contextmanager
def state(path: Path) -> Iterator[Transaction | None]:
    """The state file, to be read; None where there is none yet. Raises `StateError`."""
    try:
        there = path.exists()
    except OSError as error:
        raise StateError(
            f"the state file `{path}` cannot be looked at: {why(error)}", "check the mode of its folder"
        ) from None
    if not there:
        yield None
        return
    with reading(path) as transaction:
        yield transaction


def limits_of(policy: Policy) -> tuple[Limit, ...]:
    """Every limit of each layer: those of the tools in the order of the document, then those of all tools."""
    return tuple(limit for layer in policy.layers for entry in _entries(layer) for limit in entry.limits)


def _entries(policy: Policy) -> tuple[Entry, ...]:
    return (*policy.entries.values(), *(pattern.entry for pattern in policy.patterns), policy.all_tools)
