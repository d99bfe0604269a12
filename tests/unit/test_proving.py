"""The self-test: what passes it is in force, what fails it serves nobody, what cannot be tried is tried again."""

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway import replies
from gateway.case import Client, Forward, Surroundings
from gateway.errors import StateError
from gateway.interceptor import Interceptor
from gateway.jsonrpc import Message, serialise
from gateway.policies import NoPolicy
from gateway.policy import Decision, Facts, Policy, ToolCall, decide, load
from gateway.proving import Proven, Proving
from gateway.upstream import Answer

OPEN = load(b'{"version": "1", "default": "allow"}', name="open")
BODY: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "one"}}
REQUEST = Message("request", 1, "tools/call", BODY, serialise(BODY))
RELAYED = b'{"relayed":true}'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def nothing(_: bytes, _still: object) -> Answer:
    return Answer("answered")


class World:
    """An interceptor that does as a test says, and what is around it."""

    def __init__(self) -> None:
        self.policy: Policy | NoPolicy = OPEN
        self.fault: StateError | None = None
        self.answers: Callable[[Policy, str], Decision | None] = lambda policy, tool: decide(
            policy, ToolCall(tool, {}), self.proven.facts(tool)
        )
        self.recording = True
        self.tested: list[str] = []
        self.records: list[SimpleNamespace] = []
        self.proven = Proven(cast(Surroundings, self))
        self.proving = Proving(cast(Interceptor, self), self.proven)

    # what is around
    async def prepare(self) -> Policy | NoPolicy:
        if self.fault is not None:
            raise self.fault
        return self.policy

    def in_force(self) -> Policy | NoPolicy:
        return self.policy

    def facts(self, tool: str) -> Facts:
        return Facts(mirrored=tool == "one")

    async def state(self) -> "World":
        return self

    async def atomically(self, work: Callable[[Any], Any]) -> Any:
        return work(SimpleNamespace(audit=SimpleNamespace(newest=lambda _: self.records)))

    # the interceptor
    async def intercept(self, request: Message, client: Client, forward: Forward, kind: str = "call") -> bytes:
        assert client.name == ("keyid-gateway" if kind == "self-test" else "")
        tool = str(request.params["name"])
        policy = self.proven.in_force()
        if kind == "call" and isinstance(policy, Policy):
            return RELAYED
        assert isinstance(policy, Policy)
        self.tested.append(tool)
        said = self.answers(policy, tool)
        if said is None or said.effect == "allow":
            await forward(b"", cast(Any, None))
            return RELAYED
        record = SimpleNamespace(kind="self-test", decision_id=f"d{len(self.tested)}", tool=tool, effect="deny")
        if self.recording:
            self.records.append(SimpleNamespace(record=record))
        return replies.denial(request, said, record.decision_id)

    async def refuse(self, request: Message, _: Client, decision: Decision) -> bytes:
        return replies.denial(request, decision, "d")

    async def call(self) -> str:
        """What comes of a call: the rule that refuses it, and why."""
        line = await self.proving.intercept(REQUEST, Client(), nothing)
        if line == RELAYED:
            return "relayed"
        result = json.loads(line)["result"]
        return f"{result['_meta']['keyid-gateway/decision']['rule']} {result['content'][0]['text']}"


@pytest.fixture
def world() -> World:
    return World()


async def test_before_the_test_no_policy_is_in_force(world: World) -> None:
    assert world.proven.in_force() == NoPolicy("it has not passed its self-test yet")


async def test_the_first_call_waits_for_the_test_and_the_second_does_not(world: World) -> None:
    assert [await world.call() for _ in range(2)] == ["relayed", "relayed"]
    (name,) = world.tested
    assert name.startswith("gw-self-test-")
    assert world.proven.in_force() is OPEN
    assert not world.proven.facts(name).mirrored


async def test_calls_that_come_at_once_share_one_test(world: World) -> None:
    assert await asyncio.gather(*(world.call() for _ in range(5))) == ["relayed"] * 5
    assert len(world.tested) == 1


async def test_a_call_that_is_let_through_fails_it(world: World) -> None:
    world.answers = lambda *_: None
    said = await world.call()
    assert said == (
        "(no policy) [POLICY DENIED] No policy is in force: the gateway failed its self-test "
        "(a call of a hidden tool was let through), so nothing it decides can be relied on; restart it"
    )
    assert isinstance(world.proven.in_force(), NoPolicy)
    assert await world.call() == said
    assert len(world.tested) == 1, "once is enough"


async def test_another_refusal_fails_it(world: World) -> None:
    world.answers = lambda *_: Decision("deny", "(default deny)", "default", "no")
    assert "a call of a hidden tool was answered with (default deny)" in await world.call()


async def test_a_refusal_without_a_record_fails_it(world: World) -> None:
    world.recording = False
    assert "the refusal of a hidden tool left no record" in await world.call()


async def test_without_a_policy_calls_are_refused_for_that_until_there_is_one(world: World) -> None:
    world.policy = NoPolicy("it is missing")
    assert await world.call() == "(no policy) [POLICY DENIED] No policy is in force: it is missing"
    assert world.tested == []
    world.policy = OPEN
    assert await world.call() == "relayed"


async def test_without_a_state_calls_are_refused_for_that_until_there_is_one(world: World) -> None:
    world.fault = StateError("x", told="the state file is locked by another process")
    assert (await world.call()).startswith(
        "(state) [POLICY DENIED] Internal policy error: the state file is locked by another process."
    )
    world.fault = None
    world.answers = lambda *_: Decision("deny", "(state)", "state", "x")
    assert (await world.call()).startswith("(state) ")
    world.answers = lambda policy, tool: decide(policy, ToolCall(tool, {}), world.proven.facts(tool))
    assert await world.call() == "relayed"


async def test_another_policy_is_in_force_when_it_has_passed(world: World) -> None:
    await world.call()
    world.policy = closed = load(b'{"version": "1", "default": "deny"}', name="closed")
    assert world.proven.in_force() is OPEN, "the last that has passed, for that moment"
    world.proving.changed()
    await world.proving.prove()
    assert world.proven.in_force() is closed
    assert len(world.tested) == 2


async def test_no_policy_is_no_policy_at_once(world: World) -> None:
    await world.call()
    world.policy = NoPolicy("the site policy is broken")
    assert world.proven.in_force() == world.policy
