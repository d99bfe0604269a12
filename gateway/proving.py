"""The self-test: before a policy judges a call, it has shown that what it refuses is refused (threat B33).

A policy that was loaded and is not enforced looks like one that is. So before the first call is judged, and again
whenever another policy comes into force, a call goes through the interceptor that serves the client, as any call does:
of a tool with a name that was drawn a moment ago, by the policy at hand, compiled together with that name under `hide`.
It has to come back as `(hidden)`, nothing of it may be on its way to the server, and its record (kind `self-test`) has
to stand in the log. Whatever else comes of it is a fault of the gateway: then every call is refused, and the log says
why. A policy that has not shown it yet is not in force.

It costs one transaction, after `initialize` was answered, and again with each edit. What cannot be tried (there is no
policy, the state file cannot be used) is tried with the next call, which is refused for that very reason. It counts for
nothing: no limit, no tally, no last call.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Final

from gateway.case import Client, Forward, Surroundings
from gateway.errors import StateError
from gateway.interceptor import Interceptor
from gateway.jsonrpc import Json, Message, loads, serialise
from gateway.policies import NoPolicy
from gateway.policy import Decision, Facts, Policy, refuse_no_policy, refuse_state
from gateway.state import State
from gateway.upstream import Answer, Still

_LOG = logging.getLogger(__name__)
_IDENTIFIER: Final = "gw-self-test"
_LOOKED_AT: Final = 64
"""Records: others may be written between that of the test and the look for it."""


class Proven:
    """The surroundings of an interceptor, but for the policy: in force is the newest that has passed its test."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._passed: Policy | None = None
        self._tested: Policy | None = None
        self._name: str | None = None

    async def prepare(self) -> Policy | NoPolicy:
        return await self._around.prepare()

    async def look_up(self, tool: str, request: Message) -> Answer | None:
        return None if tool == self._name else await self._around.look_up(tool, request)

    def ready(self, tool: str) -> State | None:
        return None if tool == self._name else self._around.ready(tool)

    async def state(self) -> State:
        return await self._around.state()

    def in_force(self) -> Policy | NoPolicy:
        """While another one is put to the test, calls that had begun before are judged by that one as well."""
        policy = self._around.in_force()
        if policy is self._passed or isinstance(policy, NoPolicy):
            return policy
        return self._tested or self._passed or NoPolicy("it has not passed its self-test yet")

    def facts(self, tool: str) -> Facts:
        return Facts(mirrored=True) if tool == self._name else self._around.facts(tool)

    def definition(self, tool: str) -> str:
        return self._around.definition(tool)

    @contextmanager
    def testing(self, policy: Policy, name: str) -> Iterator[None]:
        """Meanwhile, a tool of this name is announced and hidden."""
        self._passed, self._tested, self._name = None, policy.hiding(name), name
        try:
            yield
        finally:
            self._tested = self._name = None

    def passed(self, policy: Policy) -> None:
        """It did as it was to."""
        self._passed = policy


class Proving:
    """An interceptor that judges only by policies that have passed their test."""

    def __init__(self, interceptor: Interceptor, around: Proven) -> None:
        self._interceptor = interceptor
        self._around = around
        self._wanted = True
        self._asked = 0
        self._fault: str | None = None
        self._unavailable: Decision | None = None
        self._running: asyncio.Task[None] | None = None

    def intercept(self, request: Message, client: Client, forward: Forward) -> Awaitable[bytes]:
        """As the interceptor does, or a refusal because it cannot be relied on."""
        if self._wanted or self._fault is not None or self._unavailable is not None:
            return self._doubted(request, client, forward)
        return self._interceptor.intercept(request, client, forward)

    async def _doubted(self, request: Message, client: Client, forward: Forward) -> bytes:
        if self._wanted:
            try:
                await self.prove()
            except asyncio.CancelledError:
                await asyncio.shield(self._interceptor.withdrawn(request, client))
                raise
        refusal = refuse_no_policy(self._fault) if self._fault is not None else self._unavailable
        if refusal is not None:
            return await self._interceptor.refuse(request, client, refusal)
        return await self._interceptor.intercept(request, client, forward)

    async def withdrawn(self, request: Message, client: Client) -> None:
        """As the interceptor does."""
        await self._interceptor.withdrawn(request, client)

    async def halted(self) -> Decision | None:
        """As the interceptor says."""
        return await self._interceptor.halted()

    def changed(self) -> None:
        """Another policy is to come into force."""
        self._wanted = True
        self._asked += 1
        self._start()

    async def prove(self) -> None:
        """Put the policy to the test, if it was not yet. All who wait for it share one."""
        await asyncio.shield(self._start())

    def _start(self) -> asyncio.Task[None]:
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._prove())
        return self._running

    async def _prove(self) -> None:
        while self._wanted:
            asked, self._unavailable = self._asked, None
            try:
                policy = await self._around.prepare()
                if isinstance(policy, NoPolicy):
                    self._unavailable = refuse_no_policy(policy.cause)
                found = None if isinstance(policy, NoPolicy) else await self._test(policy)
            except StateError as error:
                _LOG.error("the self-test has to wait: %s", error)
                self._unavailable, found = refuse_state(error.told), None
            if found is None:  # whoever calls now is refused for what was in the way, and the next call tries again
                return
            self._fault = found or None
            if found:
                _LOG.critical("every call is refused: %s", found)
            self._wanted = self._asked != asked  # it may have been replaced meanwhile

    async def _test(self, policy: Policy) -> str | None:
        """What is wrong, nothing (an empty text), or None where nobody can tell."""
        sent: list[bytes] = []

        async def forward(body: bytes, _still: Still) -> Answer:
            sent.append(body)
            return Answer("not sent", failure="the self-test sends nothing")

        name = f"gw-self-test-{secrets.token_hex(8)}"
        with self._around.testing(policy, name):
            line = await self._interceptor.intercept(_call(name), Client("keyid-gateway"), forward, "self-test")
        if sent:
            return _fault("a call of a hidden tool was let through")
        said = _decision(line)
        if said.get("rule") == "(state)":
            self._unavailable = refuse_state("the state file could not be used")
            return None
        if str(said.get("rule")).rpartition(":")[2] != "(hidden)":  # of whichever layer says so first
            return _fault(f"a call of a hidden tool was answered with {said.get('rule') or 'no refusal'}")
        if not await self._recorded(said.get("decision_id"), name):
            return _fault("the refusal of a hidden tool left no record")
        self._around.passed(policy)
        _LOG.debug("the self-test was passed")
        return ""

    async def _recorded(self, decision_id: Json, name: str) -> bool:
        state = await self._around.state()
        newest = await state.atomically(lambda tx: tx.audit.newest(_LOOKED_AT))
        wanted = ("self-test", decision_id, name, "deny")
        found = [entry.record for entry in newest]
        return any((each.kind, each.decision_id, each.tool, each.effect) == wanted for each in found)


def _fault(what: str) -> str:
    return f"the gateway failed its self-test ({what}), so nothing it decides can be relied on; restart it"


def _call(name: str) -> Message:
    body: dict[str, Json] = {
        "jsonrpc": "2.0",
        "id": _IDENTIFIER,
        "method": "tools/call",
        "params": {"name": name, "arguments": {}},
    }
    return Message("request", _IDENTIFIER, "tools/call", body, serialise(body))


def _decision(line: bytes) -> dict[str, Json]:
    """The decision in an answer; empty where there is none."""
    value: Json = loads(line.decode())
    for key in ("result", "_meta", "keyid-gateway/decision"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
