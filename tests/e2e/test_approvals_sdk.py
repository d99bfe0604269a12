"""A person asked in the official SDK's client: both eras, and a client of the one before a server of the other.

The stand-in's journal says what arrived: as many calls as were approved, and no other.
"""

import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client import ClientRequestContext
from mcp_types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult, Implementation

from gateway.clock import SystemClock
from gateway.standin import Standin, StandinOptions
from gateway.standin.options import Protocol
from tests.e2e.asked import answer
from tests.e2e.process import PATIENCE, Home
from tests.e2e.test_approvals_in_client import MAIL, OTHER, SEND, policy, ran
from tests.interaction.peers import outcome

Json = Any
CLIENT = "sdk-client"
NAMED = ("--approve-in-client", CLIENT)
_ROOT = Path(__file__).parents[2]
WAYS: Mapping[str, tuple[str, Protocol]] = {
    "session": ("legacy", "both"),
    "stateless": ("auto", "both"),
    "translated": ("legacy", "modern"),
}
"""The mode of the client, and the revisions of the server."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Person:
    """Who sits before a client: says the same to every question, and remembers what was asked."""

    says: ElicitResult
    asked: list[str] = field(default_factory=list)

    async def answer(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert context.session.protocol_version
        assert isinstance(params, ElicitRequestFormParams)
        self.asked.append(params.message)
        return self.says


def decides(word: str) -> Person:
    return Person(ElicitResult(action="accept", content={"decision": word}))


@dataclass
class Way:
    """How client and server speak; a stand-in of that kind."""

    mode: str
    standin: Standin
    home: Home

    @asynccontextmanager
    async def client(self, person: Person, arguments: Sequence[str] = NAMED, wait: str = "20") -> AsyncIterator[Client]:
        words = ["-m", "gateway", "run", "--upstream", self.standin.url, "--approval-wait", wait, *arguments]
        file = self.home.path / "policy.json"
        started = StdioServerParameters(
            command=sys.executable,
            args=[*words, "--policy", str(file if file.exists() else self.home.policy(policy()))],
            env=self.home.variables(),
            cwd=_ROOT,
        )
        with (self.home.path / "stderr.log").open("a", encoding="utf-8") as errors:
            client = Client(
                stdio_client(started, errlog=errors),
                mode=self.mode,
                cache=None,
                read_timeout_seconds=PATIENCE,
                elicitation_callback=person.answer,
                client_info=Implementation(name=CLIENT, version="1"),
            )
            async with client:
                yield client


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, home: Home) -> Iterator[Way]:
    mode, protocol = WAYS[request.param]
    with Standin(StandinOptions(protocol=protocol), clock=SystemClock()) as standin:
        yield Way(mode, standin, home)


async def test_who_approves_in_the_client_lets_the_call_pass(way: Way) -> None:
    person = decides("approve")
    async with way.client(person) as client:
        found = await client.call_tool(SEND, MAIL)
        assert found.is_error is False
        assert ran(way.standin) == [MAIL]
        assert (await client.call_tool(SEND, OTHER)).is_error is False
    assert ran(way.standin) == [MAIL, OTHER]
    assert [("ann@example.com" in text, "eve@example.com" in text) for text in person.asked] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize("says", [decides("deny").says, ElicitResult(action="decline")], ids=["deny", "decline"])
async def test_who_denies_in_the_client_denies_it_for_a_time(way: Way, says: ElicitResult) -> None:
    person = Person(says)
    async with way.client(person) as client:
        for _ in range(2):
            found = await client.call_tool(SEND, MAIL)
            assert found.is_error is True
            assert "denied" in str(found.content)
    assert ran(way.standin) == []
    assert len(person.asked) == 1


async def test_who_puts_it_off_is_asked_once_and_answers_elsewhere(way: Way) -> None:
    person = Person(ElicitResult(action="cancel"))
    async with way.client(person, wait="0") as client:
        found = await client.call_tool(SEND, MAIL)
        assert "[APPROVAL REQUIRED]" in str(found.content)
        assert len(person.asked) <= 1
        await anyio.to_thread.run_sync(answer, way.home, "approve")
        assert (await client.call_tool(SEND, MAIL)).is_error is False
    assert ran(way.standin) == [MAIL]


@pytest.mark.parametrize("arguments", [(), ("--approve-in-client", "sdk"), ("--approve-in-client", "SDK-CLIENT")])
async def test_a_client_that_answers_itself_is_not_asked(way: Way, arguments: Sequence[str]) -> None:
    person = decides("approve")
    async with way.client(person, arguments, wait="0") as client:
        for _ in range(2):
            assert "[APPROVAL REQUIRED]" in str((await client.call_tool(SEND, MAIL)).content)
    assert ran(way.standin) == []
    assert person.asked == []


async def test_what_the_server_may_not_ask_the_gateway_still_does(way: Way) -> None:
    person = decides("approve")
    async with way.client(person, (*NAMED, "--switch-off", "elicitation")) as client:
        assert (await client.call_tool(SEND, MAIL)).is_error is False
        assert "did not declare" in str(await outcome(client.call_tool("standin_read_3", {})))
    assert len(person.asked) == 1
    assert ran(way.standin)[0] == MAIL


async def test_two_gateways_at_once_pass_as_many_calls_as_were_approved(way: Way) -> None:
    people = decides("approve"), decides("approve")
    async with way.client(people[0]) as one, way.client(people[1]) as other, anyio.create_task_group() as group:
        for client in (one, other) * 3:
            group.start_soon(partial(client.call_tool, SEND, MAIL))
    calls = ran(way.standin)
    approved = [record for record in way.home.records() if record.kind == "answer" and record.outcome == "approved"]
    assert calls == [MAIL] * 6
    assert len(approved) == 6
    assert len({record.decision_id for record in approved}) == 6
