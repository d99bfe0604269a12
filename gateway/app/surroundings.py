"""What the interceptor asks of the other rooms: the policies, what is announced and pinned, and the state file."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from gateway.clock import Clock
from gateway.errors import StateError
from gateway.jsonrpc import Message
from gateway.layered import Layered
from gateway.mirror import Mirror
from gateway.pinned import Pinned
from gateway.policies import NoPolicy
from gateway.policy import Facts, InputSchema, Policy
from gateway.settings import Settings
from gateway.state import State
from gateway.upstream import Answer

_REOPEN_SECONDS: Final = 1.0


@dataclass(slots=True)
class OpenState:
    """The state file, opened when it is first needed, and again at most every second while that fails."""

    settings: Settings
    clock: Clock
    state: State | None = None
    failure: StateError | None = None
    tried_at: float = float("-inf")
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self) -> State:
        if self.state is None:
            async with self.opening:
                if self.state is None:
                    self.state = await self._open()
        return self.state

    async def _open(self) -> State:
        if self.failure is not None and self.clock.monotonic() - self.tried_at < _REOPEN_SECONDS:
            raise self.failure
        try:
            return await State.open(self.settings.state, clock=self.clock)
        except StateError as error:
            self.failure = error
            raise
        finally:
            self.tried_at = self.clock.monotonic()


class Rooms:
    """What the interceptor asks of the other rooms."""

    def __init__(self, policies: Layered, mirror: Mirror, pinned: Pinned, state: OpenState, grant: str) -> None:
        self._policies = policies
        self._mirror = mirror
        self._pinned = pinned
        self._state = state
        self._grant = grant
        self._noted: str | None = None

    async def prepare(self) -> Policy | NoPolicy:
        await self._state.get()  # it says which policies there are; and without it nothing can be judged
        policy = await self._policies.current()
        file = self._policies.file
        if not isinstance(policy, NoPolicy) and file is not None and file != self._noted:
            await self.note_policy(file)
        return policy

    def ready(self, tool: str) -> State | None:
        state, policies = self._state.state, self._policies
        if state is None or not policies.loaded or policies.file not in (None, self._noted):
            return None
        waits = self._mirror.wants(tool) or not self._pinned.settled(tool) or self._to_compile(tool) is not None
        return None if waits else state

    async def state(self) -> State:
        return await self._state.get()

    async def look_up(self, tool: str, request: Message) -> Answer | None:
        failed = await self._mirror.ensure(tool, request)
        if failed is None:
            await self._pinned.settle(tool)
            schema = self._to_compile(tool)
            if schema is not None:
                await asyncio.to_thread(lambda: schema.cause)  # the library is loaded with the first of them
        return failed

    def _to_compile(self, tool: str) -> InputSchema | None:
        """The schema that a call of a tool is to be judged by, if that has still to be compiled."""
        policy = self._policies.in_force
        if isinstance(policy, NoPolicy) or not policy.judges_by_schema(tool):
            return None
        schema = self._mirror.catalogue.facts(tool).schema
        return None if schema is None or schema.is_compiled else schema

    def in_force(self) -> Policy | NoPolicy:
        return self._policies.in_force

    def facts(self, tool: str) -> Facts:
        return self._pinned.facts(tool)

    def definition(self, tool: str) -> str:
        return (self._mirror.catalogue.digest(tool) or b"").hex()

    async def note_policy(self, file: str) -> None:
        """Remember that this grant was judged by a file: from now on it never falls back to the built-in pack."""
        state = await self._state.get()
        await state.atomically(lambda tx: state.note_policy(tx, self._grant, file))
        self._noted = file
