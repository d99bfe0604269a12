"""What follows from a list of tools: it is kept for the commands, and names of the policy that it lacks are said.

A tool whose schema the policy looks at, and whose schema is none, is said as well.

A misspelt name under `tools` opens nothing and under `hide` hides nothing, and nobody notices: so the log says it, once
for each policy and set of names.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.catalogue import Catalogue
from gateway.errors import StateError, meant
from gateway.policy import Policy
from gateway.policy.problem import quoted
from gateway.state import lists

_LOG = logging.getLogger(__name__)
_SAID: Final = 5


def not_announced(policy: Policy, names: Collection[str]) -> list[str]:
    """The names that a policy speaks of and that the server does not have: perhaps misspelt, and then not in force."""
    spoken_of = {name for layer in policy.layers for name in (*layer.entries, *layer.hide)}
    return sorted(name for name in spoken_of if name not in names and "*" not in name)


def unjudgeable(policy: Policy, catalogue: Catalogue) -> dict[str, str]:
    """The tools whose arguments the policy wants to fit a schema that cannot be used, and why: every call is denied."""
    found = {}
    for name in tuple(catalogue.definitions()):
        if policy.judges_by_schema(name):
            schema = catalogue.facts(name).schema
            cause = None if schema is None or schema.is_plain else schema.cause
            if cause is not None:
                found[name] = cause
    return found


@dataclass(slots=True)
class Announced:
    """Follows the lists of one server. `opened` waits for the state file, beside which they are kept."""

    state: Path
    server: str
    opened: Callable[[], Awaitable[object]]
    _said: tuple[str, list[str]] | None = None
    _busy: set[asyncio.Task[None]] = field(default_factory=set)

    def listed(self, catalogue: Catalogue, policy: Policy | None) -> None:
        """A whole list is there."""
        self._start(self._keep(catalogue))
        self.judged(catalogue, policy)

    def judged(self, catalogue: Catalogue, policy: Policy | None) -> None:
        """A policy is in force, or another than before; None: there is none yet."""
        if policy is None or not catalogue.complete:
            return
        missing = not_announced(policy, catalogue.definitions())
        if missing and self._said != (policy.revision, missing):
            self._said = policy.revision, missing
            self._start(asyncio.to_thread(_say, missing, catalogue))
        self._start(asyncio.to_thread(_say_unjudgeable, policy, catalogue))

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _keep(self, catalogue: Catalogue) -> None:
        try:
            await self.opened()
        except StateError:  # every call is refused and told so; the next list is kept
            return
        tools = dict(catalogue.definitions())
        kept = await asyncio.to_thread(lists.keep, self.state, self.server, tools)
        _LOG.debug("the list of tools is %s for `policy check`", "kept" if kept else "not kept")


def _say(missing: list[str], catalogue: Catalogue) -> None:
    _LOG.warning("%s", "; ".join(_words(missing, tuple(catalogue.definitions()))))


def _say_unjudgeable(policy: Policy, catalogue: Catalogue) -> None:
    """On a thread, because compiling schemas takes time; what is made here is kept for the calls.

    Those that are plain are compiled before the first call that needs them.
    """
    for name, cause in unjudgeable(policy, catalogue).items():
        _LOG.warning("every call of %s is denied, because its input schema cannot be used: %s", quoted(name), cause)


def _words(missing: list[str], names: Collection[str]) -> Iterator[str]:
    yield f"the policy names {len(missing)} tool{'s' * (len(missing) != 1)} that this server does not announce"
    for name in missing[:_SAID]:
        close = meant(name, names)
        yield quoted(name) if close is None else f"{quoted(name)} (did you mean {quoted(close)}?)"
    if len(missing) > _SAID:
        yield f"and {len(missing) - _SAID} more: see `keyid-gateway tools`"
