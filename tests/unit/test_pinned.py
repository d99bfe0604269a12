"""What a gateway makes of pins: when it compares, when it need not, and what it says. The rest is in `tests/e2e`."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.case import Identity
from gateway.catalogue import Catalogue
from gateway.errors import StateError
from gateway.jsonrpc import Json
from gateway.pinned import Mode, Pinned
from gateway.policy import Facts
from gateway.state import Record, State, Transaction
from tests.unit.state.manual import ManualClock

WHO = Identity("me", "s1", "https://keyid.example/mcp")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Side:
    """One gateway: its catalogue, its pins, and a state file that may be out of reach."""

    def __init__(self, state: State, mode: Mode = "enforce") -> None:
        self.state = state
        self.reachable = True
        self.missed = asyncio.Event()
        self.changed = asyncio.Event()
        self.catalogue = Catalogue()
        self.complaints: list[str] = []
        self.pinned = Pinned(
            mode,
            WHO,
            self.catalogue,
            self._get,
            clock=ManualClock(),
            changed=self.changed.set,
            complain=self.complaints.append,
        )

    async def _get(self) -> State:
        if not self.reachable:
            self.missed.set()
            raise StateError("the state file is locked")
        return self.state

    def announces(self, **descriptions: str) -> list[Json]:
        """A whole list of tools, by name and description."""
        tools: list[Json] = [{"name": name, "description": said} for name, said in descriptions.items()]
        self.catalogue.page(None, {"tools": tools})
        return tools

    async def pin(self, tool: str) -> str:
        """How a tool stands at the moment of a decision."""
        await self.pinned.settle(tool)
        return self.pinned.facts(tool).pin

    async def told(self) -> None:
        """Wait for what was begun in the background."""
        while self.pinned._busy:
            await asyncio.gather(*self.pinned._busy)

    async def records(self) -> list[Record]:
        entries = await self.state.atomically(lambda tx: tx.audit.tail(0, 1000))
        return [entry.record for entry in entries]


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    opened = await State.open(tmp_path / "state.db", clock=ManualClock())
    yield opened
    opened.close()


@pytest.fixture
def side(state: State) -> Side:
    return Side(state)


@contextmanager
def statements(state: State) -> Iterator[list[str]]:
    """What is asked of the state file meanwhile."""
    found: list[str] = []
    state._database.connection.set_trace_callback(found.append)
    try:
        yield found
    finally:
        state._database.connection.set_trace_callback(None)


async def test_a_call_of_a_tool_that_is_as_it_was_costs_no_statement(side: Side) -> None:
    side.announces(a="x", b="y")
    assert await side.pin("a") == "kept"
    side.reachable = False
    with statements(side.state) as asked:
        for _ in range(100):
            assert [await side.pin("a"), await side.pin("b")] == ["kept", "kept"]
    assert asked == []


async def test_off_and_an_unknown_tool_cost_nothing_either(state: State) -> None:
    for mode in ("off", "warn", "enforce"):
        side = Side(state, mode)
        side.reachable = False
        with statements(state) as asked:
            await side.pinned.settle("nowhere")
            assert side.pinned.facts("nowhere") == Facts(mirrored=False)
        assert asked == []


async def test_a_definition_counts_from_the_moment_it_is_known_not_only_from_the_comparison_on(side: Side) -> None:
    side.announces(a="x")
    assert await side.pin("a") == "kept"
    side.announces(a="another")
    assert side.pinned.facts("a").pin == "changed", "nothing was awaited"
    side.announces(a="x")
    assert side.pinned.facts("a").pin == "kept"


async def test_nothing_is_kept_before_the_first_whole_list(side: Side) -> None:
    side.catalogue.page(None, {"tools": [{"name": "a"}], "nextCursor": "2"})
    assert await side.pin("a") == "new"
    assert await side.state.atomically(lambda tx: tx.pins.servers()) == []
    side.catalogue.page("2", {"tools": [{"name": "b"}]})
    assert [await side.pin("a"), await side.pin("b")] == ["kept", "kept"]


async def test_a_state_file_out_of_reach_lets_nothing_pass_that_is_not_known_as_kept(side: Side) -> None:
    side.announces(a="x")
    side.reachable = False
    with pytest.raises(StateError):
        await side.pin("a")
    side.reachable = True
    assert await side.pin("a") == "kept"
    side.announces(a="another")
    side.reachable = False
    with pytest.raises(StateError):
        await side.pin("a")


async def test_a_refused_tool_asks_one_question_until_something_is_accepted(side: Side) -> None:
    side.announces(a="x")
    await side.pin("a")
    side.announces(a="another")
    assert await side.pin("a") == "changed"
    with statements(side.state) as asked:
        assert await side.pin("a") == "changed"
    assert len(asked) == 1, asked

    def accept(tx: Transaction) -> None:
        waiting = [pin for pin in tx.pins.of(WHO.server) if pin.how == "waiting"]
        tx.pins.show(WHO.server, waiting, 1.0)
        assert tx.pins.accept(WHO.server, [pin.key for pin in waiting], 2.0) == 1

    await side.state.atomically(accept)
    assert await side.pin("a") == "kept"


async def test_two_gateways_at_once_pin_what_the_first_of_them_saw(state: State) -> None:
    one, other = Side(state), Side(state)
    one.announces(a="x")
    other.announces(a="another", b="y")
    pins = await asyncio.gather(one.pin("a"), other.pin("a"), other.pin("b"))
    assert list(pins) in (["kept", "changed", "new"], ["changed", "kept", "kept"]), "whichever was the first"


async def test_a_page_shows_what_is_accepted_by_what_the_page_itself_says(side: Side) -> None:
    listed = side.announces(a="x", b="y")
    assert await side.pinned.shown({"tools": listed}) is not None
    twice: list[Json] = [{"name": "a", "description": "forged"}, *listed, {"name": "c"}, "no tool", {"name": 7}]
    shows = await side.pinned.shown({"tools": twice})
    assert shows is not None
    assert [shows(item) for item in twice] == [False, True, True, False, False, False]


async def test_a_page_is_shown_whole_while_nothing_was_ever_seen_and_where_nothing_is_enforced(state: State) -> None:
    side = Side(state)
    page: dict[str, Json] = {"tools": [{"name": "a"}], "nextCursor": "2"}
    side.catalogue.page(None, page)
    assert await side.pinned.shown(page) is None
    side.reachable = False
    assert await side.pinned.shown(page) is None, "every call is refused, and says why"
    assert await Side(state, "warn").pinned.shown(page) is None


async def test_instructions_are_compared_with_the_next_call_and_their_absence_is_no_change(side: Side) -> None:
    side.pinned.opened({"instructions": "Be kind."})
    side.announces(a="x")
    assert await side.pin("a") == "kept"
    side.pinned.opened({"instructions": "Be wicked."})
    assert side.pinned.facts("a").pin == "instructions"
    assert await side.pin("a") == "instructions"
    for nothing in ({}, {"instructions": ""}, {"instructions": None}):
        side.pinned.opened(nothing)
        assert await side.pin("a") == "kept"
    side.pinned.opened({"instructions": ["Be wicked."]})
    assert await side.pin("a") == "instructions", "a client may read it in whatever form it comes"
    side.pinned.opened({"instructions": "Be wicked."})
    side.pinned.opened(None)
    assert await side.pin("a") == "instructions"


async def test_instructions_that_nobody_could_see_at_the_first_sight_are_pinned_when_they_are_seen(side: Side) -> None:
    side.announces(a="x")
    assert await side.pin("a") == "kept"
    side.pinned.opened({"instructions": "Be kind."})
    assert await side.pin("a") == "kept"
    side.pinned.opened({"instructions": "Be wicked."})
    assert await side.pin("a") == "instructions"


async def test_warn_says_and_records_each_definition_once_and_refuses_nothing(
    state: State, caplog: pytest.LogCaptureFixture
) -> None:
    side = Side(state, "warn")
    side.announces(a="x")
    await side.pin("a")
    await side.told()
    side.announces(a="another", b="y")
    for _ in range(3):
        assert [await side.pin("a"), await side.pin("b")] == ["kept", "kept"]
        await side.told()
    assert [(each.tool, each.effect, each.rule, each.message) for each in await side.records()] == [
        ("a", "observe", "(changed tool)", "the tool's definition changed"),
        ("b", "observe", "(changed tool)", "the tool is new"),
    ]
    assert len([line for line in caplog.messages if "nobody has accepted" in line]) == 1


async def test_a_list_that_is_all_new_leaves_a_bounded_number_of_records(side: Side) -> None:
    side.announces(a="x")
    await side.pin("a")
    side.announces(**{f"t{number}": "new" for number in range(300)})
    assert await side.pin("t7") == "new"
    records = await side.records()
    assert len(records) == 101
    assert (records[-1].tool, records[-1].message) == ("", "and 200 more")


async def test_what_people_forget_is_noticed_and_the_client_is_told(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.pinned._LOOK_SECONDS", 0.001)
    side.announces(a="x", b="y")
    await side.pin("a")
    following = asyncio.create_task(side.pinned.follow())
    await side.state.atomically(lambda tx: tx.pins.forget(WHO.server, [("tool", "a")]))
    async with asyncio.timeout(20):
        await side.changed.wait()
    assert [side.pinned.facts("a").pin, side.pinned.facts("b").pin] == ["new", "kept"]
    side.reachable = False
    side.changed.clear()
    await side.missed.wait()
    side.reachable = True
    await side.state.atomically(lambda tx: tx.pins.forget(WHO.server, [("tool", "b")]))
    async with asyncio.timeout(20):
        await side.changed.wait()
    assert side.pinned.facts("b").pin == "new", "a state file that was out of reach for a while has ended nothing"
    following.cancel()


async def test_a_server_that_was_forgotten_is_seen_anew_with_all_of_its_tools(side: Side) -> None:
    side.announces(a="x", b="y")
    await side.pin("a")
    await side.state.atomically(lambda tx: tx.pins.forget(WHO.server, None))
    side.announces(a="another", b="y")
    assert await side.pin("a") == "kept"
    accepted = await side.state.atomically(lambda tx: tx.pins.accepted(WHO.server))
    assert set(accepted) == {("tool", "a"), ("tool", "b")}


async def test_what_is_withheld_is_said_once_by_each_gateway_and_in_its_client(side: Side, state: State) -> None:
    side.announces(a="x")
    await side.pin("a")
    side.announces(a="another", b="y")
    for _ in range(3):
        await side.pin("a")
        await side.pin("b")
    said = (
        "the server announces what nobody has accepted (refused): `a`, `b`; a person can look at it with "
        "`keyid-gateway pins diff`, and accept it"
    )
    assert side.complaints == [said]
    later = Side(state)
    later.announces(a="another", b="y")
    assert await later.pin("a") == "changed"
    assert later.complaints == [said], "also where it was recorded before"
    assert len(await later.records()) == 2
    relaxed = Side(state, "warn")
    relaxed.announces(a="a third", b="y")
    assert await relaxed.pin("a") == "kept"
    await relaxed.told()
    assert relaxed.complaints == []
