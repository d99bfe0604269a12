"""What an answer is bound to, and which later calls it covers (B22)."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.approvals import answers
from gateway.approvals.desk import FIRST, Approved, Pending, Turn
from gateway.case import Case, Client, Identity
from gateway.clock import SystemClock
from gateway.jsonrpc import Message, parse
from gateway.judging import Admission, Judge, Judged
from gateway.policies import NoPolicy
from gateway.policy import Decision, Facts, Policy, load
from gateway.state import State
from gateway.upstream import Answer

CLOCK = SystemClock()
NOW = Turn(waits=False, durable=True)


def policy(**rule: Any) -> Policy:
    asked = {"conditions": [], "reason": "Why.", **rule}
    document = {"version": "1", "default": "allow", "tools": {"t": {"approve_if": [asked]}}}
    return load(json.dumps(document).encode(), name="policy.json")


@dataclass
class Around:
    """What is in force and announced, which a test changes."""

    policy: Policy = field(default_factory=policy)
    announced: str = "d1"

    async def prepare(self) -> Policy | NoPolicy:
        return self.policy

    async def look_up(self, tool: str, request: Message) -> Answer | None:
        raise NotImplementedError

    def ready(self, tool: str) -> State | None:
        raise NotImplementedError

    async def state(self) -> State:
        raise NotImplementedError

    def in_force(self) -> Policy | NoPolicy:
        return self.policy

    def facts(self, tool: str) -> Facts:
        return Facts(mirrored=bool(tool))

    def definition(self, tool: str) -> str:
        return f"{tool} {self.announced}"


@dataclass
class Stage:
    """One grant at one server, and a person."""

    state: State
    around: Around = field(default_factory=Around)
    identity: Identity = field(default_factory=lambda: Identity("me", "s1", "http://server"))
    count: int = 0

    async def judge(self, arguments: str = "{}", turn: Turn = NOW, tool: str = "t", **params: Any) -> Judged:
        self.count += 1
        extra = "".join(f', "{name}": {json.dumps(value)}' for name, value in params.items())
        params_text = f'{{"name":"{tool}","arguments":{arguments}{extra}}}'
        line = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params_text}}}'
        message = parse(line.encode())
        assert isinstance(message, Message)
        case = Case.of(f"d{self.count}", message, message.raw, Client("c", "1"), 0.0)
        judge = Judge(self.identity, self.around, CLOCK)
        return await self.state.atomically(lambda tx: judge.admit(tx, self.state, case, turn))

    async def asked(self, arguments: str = "{}", **more: Any) -> str:
        """The question about a call that is not approved."""
        judged = await self.judge(arguments, **more)
        assert isinstance(judged, Decision)
        assert (judged.effect, judged.reason) == ("approve", "approval")
        return judged.question

    async def approve(self, number: str) -> None:
        now = CLOCK.now()
        assert await self.state.atomically(lambda tx: answers.write(tx, number, "approve", now, by="test")) is not None

    async def passes(self, arguments: str = "{}", **more: Any) -> bool:
        return isinstance(await self.judge(arguments, **more), Admission)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    state = await State.open(tmp_path / "state.db", clock=CLOCK)
    yield Stage(state)
    state.close()


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ('{"a": 1, "b": [2]}', '{"b": [2], "a": 1.0}'),
        ('{"a": "\\u00e9"}', '{"a": "é"}'),
        ('{"a": {}}', '{ "a" : { } }'),
    ],
)
async def test_the_same_call_however_it_is_written(stage: Stage, first: str, later: str) -> None:
    await stage.approve(await stage.asked(first))
    assert await stage.passes(later)
    assert not await stage.passes(later)


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ('{"a": 1}', '{"a": "1"}'),
        ('{"a": 1}', '{"a": 1, "b": null}'),
        ('{"a": [1, 2]}', '{"a": [2, 1]}'),
        ('{"a": true}', '{"a": 1}'),
        ('{"a": 9007199254740993}', '{"a": 9007199254740992}'),
        ('{"a": "\\u00e9"}', '{"a": "e\\u0301"}'),
    ],
)
async def test_another_call_is_another_question(stage: Stage, first: str, later: str) -> None:
    number = await stage.asked(first)
    await stage.approve(number)
    assert await stage.asked(later) != number


async def test_an_answer_is_bound_to_everything_else_too(stage: Stage) -> None:
    number = await stage.asked()
    await stage.approve(number)
    stage.around.policy = load(stage.around.policy.text.replace('"t":', '"*t":').encode(), name="p")
    assert await stage.asked() != number
    stage.around.policy = policy()
    assert await stage.asked(task={"ttl": 1}) != number
    assert await stage.asked(inputResponses={}) != number
    assert await stage.asked(requestState="s") != number
    for identity in (
        replace(stage.identity, grant="other"),
        replace(stage.identity, server="http://other"),
    ):
        assert await Stage(stage.state, stage.around, identity).asked() != number
    stage.around.announced = "d2"
    assert await stage.asked() != number
    stage.around.announced = "d1"
    assert await stage.passes(_meta={"progressToken": 1})


async def test_an_approval_is_only_used_where_it_is_durable(stage: Stage) -> None:
    await stage.approve(await stage.asked())
    assert isinstance(await stage.judge(turn=FIRST), Approved)
    assert isinstance(await stage.judge(turn=FIRST), Approved)
    assert await stage.passes()


async def test_who_waits_is_counted(stage: Stage) -> None:
    first, second = await stage.judge(turn=FIRST), await stage.judge(turn=FIRST)
    assert isinstance(first, Pending)
    assert isinstance(second, Pending)
    assert first.question.id == second.question.id
    (standing,) = stage.state.look(lambda tx: tx.approvals.pending(CLOCK.now()))
    assert standing.waiters == 2
    judged = await stage.judge(turn=NOW._replace(held=first.question.id))
    assert isinstance(judged, Decision)
    (standing,) = stage.state.look(lambda tx: tx.approvals.pending(CLOCK.now()))
    assert standing.waiters == 1


async def test_a_question_that_means_nothing_any_more_goes(stage: Stage) -> None:
    held = await stage.judge(turn=FIRST)
    assert isinstance(held, Pending)
    stage.around.policy = load(b'{"version": "1", "default": "allow"}', name="p")
    assert await stage.passes(turn=NOW._replace(held=held.question.id))
    assert stage.state.look(lambda tx: tx.approvals.named(held.question.id))[0].status == "withdrawn"


REMEMBER = {"paths": ["args.to", "args.cc[*]"], "seconds": 60}


@pytest.mark.parametrize(
    ("first", "later", "covered"),
    [
        ('{"to": "a"}', '{"to": "a", "body": "x"}', True),
        ('{"to": "a"}', '{"to": "b"}', False),
        ('{"to": "a"}', '{"to": ["a"]}', False),
        ('{"to": "a"}', '{"to": null}', False),
        ('{"to": "a"}', '{"to": "a", "cc": ["b"]}', False),
        ('{"to": "a", "cc": ["b", "c"]}', '{"to": "a", "cc": ["b", "c"], "x": 1}', True),
        ('{"to": "a", "cc": ["b", "c"]}', '{"to": "a", "cc": ["b"]}', False),
        ('{"to": "a", "cc": ["b", "c"]}', '{"to": "a", "cc": ["c", "b"]}', False),
        ('{"x": 1}', '{"x": 2}', True),
        ('{"x": 1}', '{"x": 1, "to": null}', False),
        ('{"to": null}', '{"to": null, "x": 1}', True),
        ('{"to": "a", "cc": "b"}', '{"to": "a", "cc": "b", "x": 1}', False),
        ('{"to": "a"}', '{"to": "a", "cc": "b"}', False),
    ],
)
async def test_what_remember_covers(stage: Stage, first: str, later: str, *, covered: bool) -> None:
    stage.around.policy = policy(remember=REMEMBER)
    await stage.approve(await stage.asked(first))
    assert await stage.passes(later) is covered
    stage.around.announced = "d2"
    assert not await stage.passes(later)


async def test_what_is_covered_counts_for_one_server_grant_and_policy(stage: Stage) -> None:
    stage.around.policy = policy(remember=REMEMBER)
    await stage.approve(await stage.asked('{"to": "a"}'))
    later = '{"to": "a", "x": 1}'
    assert await stage.passes(later)
    for identity in (replace(stage.identity, grant="other"), replace(stage.identity, server="http://other")):
        assert not await Stage(stage.state, stage.around, identity).passes(later)
    assert await Stage(stage.state, stage.around, replace(stage.identity, session="s2")).passes(later)
    stage.around.policy = policy(remember=REMEMBER, timeout=601)
    assert not await stage.passes(later)
