"""The policy that is a grant's own: which file that is stands in the state file, and may change while a gateway runs.

It is one more layer (`layered`): the calls of the grant need it beside the policy that the gateway was given. It was
assigned to keep this grant in bounds, so a file that is missing or broken when it is first read refuses every call with
the cause. Where nobody knows whether there is one, because the state file cannot be read, there is no policy at all;
then nothing could be recorded either. Afterwards the rules of `policies` hold: an edit is taken whole or not at all.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from gateway.errors import StateError
from gateway.policies import Changed, NoPolicy, Policies, Rejected, Source
from gateway.policy import Policy
from gateway.policy.layers import unrestricted

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 0.1


class Assigned:
    """The layer of one grant. `look` gives the path of its file, None where it has none; it raises `StateError`."""

    def __init__(self, look: Callable[[], Awaitable[str | None]], *, changed: Changed, rejected: Rejected) -> None:
        self._look = look
        self._changed = changed
        self._rejected = rejected
        self._none = unrestricted("grant")
        self._unknown: NoPolicy | None = NoPolicy("it is being loaded")
        self._path: str | None = None
        self._policies: Policies | None = None
        self._following: asyncio.Task[None] | None = None
        self._looking = asyncio.Lock()

    @property
    def in_force(self) -> Policy | NoPolicy:
        if self._unknown is not None:
            return self._unknown
        return self._none if self._policies is None else self._policies.in_force

    async def current(self) -> Policy | NoPolicy:
        """What is in force, loaded if it never was."""
        if self._unknown is not None:
            try:
                await self._look_again()
            except StateError as error:
                self._unknown = NoPolicy(f"{error.told}, so nobody knows whether the grant has a policy of its own")
        return self.in_force

    async def watch(self) -> None:
        """Follow the file, and which file it is, for ever."""
        try:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                try:
                    await self._look_again()
                except (
                    StateError
                ) as error:  # what is in force stays so; calls are refused, because none can be recorded
                    _LOG.debug("which policy is the grant's own cannot be looked up: %s", error)
        finally:
            if self._following is not None:
                self._following.cancel()

    async def _look_again(self) -> None:
        async with self._looking:
            path = await self._look()
            if self._unknown is None and path == self._path:
                return
            policies = None if path is None else self._made(path)
            if policies is not None:
                await policies.current()  # before it takes the place of the other one
            old, known = self.in_force, self._unknown is None
            if self._following is not None:
                self._following.cancel()
            self._path, self._policies, self._unknown = path, policies, None
            self._following = None if policies is None else asyncio.create_task(policies.watch())
            if known:
                _LOG.info("the grant's own policy is %s now", "none" if path is None else path)
                self._changed(old, self.in_force)

    def _made(self, path: str) -> Policies:
        async def choose() -> Source:
            return Source(Path(path))

        return Policies(choose, lambda: self._none, changed=self._changed, rejected=self._rejected, layer="grant")
