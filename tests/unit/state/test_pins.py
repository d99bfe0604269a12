import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from gateway.catalogue import Definition, digest
from gateway.jsonrpc import serialise
from gateway.state import State, Transaction, pins
from gateway.state.pins import INSTRUCTIONS, Key, Pin, Seen

T = TypeVar("T")
HERE = "https://keyid.example/mcp"
ELSEWHERE = "https://elsewhere.example/mcp"


def seen(name: str, description: str = "As it was.") -> Seen:
    definition: Definition = {"name": name, "description": description, "inputSchema": {"type": "object"}}
    return Seen.of(("tool", name), digest(definition), serialise(dict(definition)))


async def do(state: State, work: Callable[[Transaction], T]) -> T:
    return await state.atomically(work)


async def of(state: State, name: str, server: str = HERE) -> list[Pin]:
    return [pin for pin in await do(state, lambda tx: tx.pins.of(server)) if pin.key == ("tool", name)]


async def show_last(state: State, name: str, now: float = 5.0) -> None:
    last = (await of(state, name))[-1]
    await do(state, lambda tx: tx.pins.show(HERE, [last], now))


async def test_the_first_sight_accepts_everything_as_it_is(state: State) -> None:
    assert await do(state, lambda tx: tx.pins.generation(HERE)) is None
    await do(state, lambda tx: tx.pins.begin(HERE, [seen("a"), seen("b")], 1.0))
    accepted = await do(state, lambda tx: tx.pins.accepted(HERE))
    assert accepted == {("tool", "a"): {seen("a").digest}, ("tool", "b"): {seen("b").digest}}
    (pin,) = await of(state, "a")
    assert (pin.how, pin.first_seen, pin.accepted_at, pin.shown_at) == ("first sight", 1.0, 1.0, None)
    assert pin.text is not None
    assert b'"description":"As it was."' in pin.text


async def test_servers_know_nothing_of_each_other(state: State) -> None:
    await do(state, lambda tx: tx.pins.begin(HERE, [seen("a")], 1.0))
    assert await do(state, lambda tx: tx.pins.generation(ELSEWHERE)) is None
    assert await do(state, lambda tx: tx.pins.accepted(ELSEWHERE)) == {}
    assert await do(state, lambda tx: tx.pins.servers()) == [HERE]


async def test_what_was_not_accepted_waits_and_is_news_once(state: State) -> None:
    await do(state, lambda tx: tx.pins.begin(HERE, [seen("a")], 1.0))
    other = seen("a", "Another.")
    assert await do(state, lambda tx: tx.pins.meet(HERE, [other], 2.0)) == [other]
    assert await do(state, lambda tx: tx.pins.meet(HERE, [other], 3.0)) == []
    first, waiting = await of(state, "a")
    assert (first.how, waiting.how, waiting.first_seen, waiting.met_at) == ("first sight", "waiting", 2.0, 3.0)
    assert await do(state, lambda tx: tx.pins.accepted(HERE)) == {("tool", "a"): {seen("a").digest}}


async def test_only_what_was_shown_is_accepted(state: State) -> None:
    await do(state, lambda tx: tx.pins.begin(HERE, [seen("a")], 1.0))
    await do(state, lambda tx: tx.pins.meet(HERE, [seen("a", "two")], 2.0))
    assert await do(state, lambda tx: tx.pins.accept(HERE, [("tool", "a")], 3.0)) == 0
    await show_last(state, "a")
    await do(state, lambda tx: tx.pins.meet(HERE, [seen("a", "three")], 6.0))
    assert await do(state, lambda tx: tx.pins.accept(HERE, [("tool", "a")], 7.0)) == 1
    accepted = await do(state, lambda tx: tx.pins.accepted(HERE))
    assert accepted[("tool", "a")] == {seen("a").digest, seen("a", "two").digest}
    assert [pin.how for pin in await of(state, "a")] == ["first sight", "accepted", "waiting"]


async def test_at_most_the_newest_and_the_one_that_was_shown_wait(state: State) -> None:
    await do(state, lambda tx: tx.pins.begin(HERE, [seen("a")], 1.0))
    for number in range(2, 9):
        await do(state, lambda tx, number=number: tx.pins.meet(HERE, [seen("a", str(number))], float(number)))  # type: ignore[misc] # bound
        if number in (3, 5):
            await show_last(state, "a", float(number))
    waiting = [pin for pin in await of(state, "a") if pin.how == "waiting"]
    assert [pin.digest for pin in waiting] == [seen("a", "5").digest, seen("a", "8").digest]
    assert [pin.shown_at for pin in waiting] == [5.0, None]


async def test_accepting_says_so_by_another_generation_and_nothing_else_does(state: State) -> None:
    await do(state, lambda tx: tx.pins.begin(HERE, [seen("a")], 1.0))
    first = await do(state, lambda tx: tx.pins.generation(HERE))
    await do(state, lambda tx: tx.pins.meet(HERE, [seen("a", "two")], 2.0))
    await show_last(state, "a")
    assert await do(state, lambda tx: tx.pins.generation(HERE)) == first
    await do(state, lambda tx: tx.pins.accept(HERE, [("tool", "a")], 3.0))
    second = await do(state, lambda tx: tx.pins.generation(HERE))
    assert second != first
    assert await do(state, lambda tx: tx.pins.accept(HERE, [("tool", "a")], 3.0)) == 0
    assert await do(state, lambda tx: tx.pins.generation(HERE)) == second == state.pins_generation(HERE)
    assert await do(state, lambda tx: tx.pins.forget(HERE, [("tool", "a")])) == 2
    assert await do(state, lambda tx: tx.pins.generation(HERE)) != second


async def test_a_server_that_was_forgotten_is_seen_for_the_first_time_again(state: State) -> None:
    await do(state, lambda tx: tx.pins.begin(HERE, [seen("a"), seen("b")], 1.0))
    await do(state, lambda tx: tx.pins.begin(ELSEWHERE, [seen("a")], 1.0))
    before = await do(state, lambda tx: tx.pins.generation(HERE))
    assert await do(state, lambda tx: tx.pins.forget(HERE, None)) == 2
    assert await do(state, lambda tx: tx.pins.generation(HERE)) is None
    assert await do(state, lambda tx: tx.pins.servers()) == [ELSEWHERE]
    await do(state, lambda tx: tx.pins.begin(HERE, [seen("b")], 2.0))
    assert await do(state, lambda tx: tx.pins.generation(HERE)) != before


async def test_several_definitions_of_one_tool_are_accepted_but_not_any_number(state: State) -> None:
    await do(state, lambda tx: tx.pins.begin(HERE, [seen("a")], 1.0))
    for number in range(2, 12):
        await do(state, lambda tx, number=number: tx.pins.meet(HERE, [seen("a", str(number))], float(number)))  # type: ignore[misc] # bound
        await show_last(state, "a", float(number))
        await do(state, lambda tx, number=number: tx.pins.accept(HERE, [("tool", "a")], float(number)))  # type: ignore[misc] # bound
    accepted = await do(state, lambda tx: tx.pins.accepted(HERE))
    assert accepted[("tool", "a")] == {seen("a", str(number)).digest for number in range(4, 12)}


async def test_a_server_cannot_make_any_number_wait(state: State) -> None:
    await do(state, lambda tx: tx.pins.begin(HERE, [seen("a")], 1.0))
    many = [seen(f"t{number}") for number in range(pins._MOST_WAITING + 10)]
    await do(state, lambda tx: tx.pins.meet(HERE, many, 2.0))
    assert len(await do(state, lambda tx: tx.pins.of(HERE))) == pins._MOST_WAITING + 1


async def test_a_definition_that_is_too_large_is_known_by_its_digest_alone(state: State) -> None:
    large = seen("a", "x" * (pins.LARGEST + 1))
    await do(state, lambda tx: tx.pins.begin(HERE, [large], 1.0))
    (pin,) = await of(state, "a")
    assert (pin.digest, pin.text) == (large.digest, None)
    assert pin.size > pins.LARGEST


async def test_what_is_unpacked_is_bounded_whatever_the_file_holds(state: State) -> None:
    bomb = replace(seen("a"), text=zlib.compress(bytes(8 * pins.LARGEST)))
    await do(state, lambda tx: tx.pins.begin(HERE, [bomb], 1.0))
    (pin,) = await of(state, "a")
    assert pin.text is not None
    assert len(pin.text) == pins.LARGEST


async def test_names_that_are_no_text_and_instructions_have_their_place(state: State) -> None:
    odd: Key = ("tool", "half \ud800 a pair")
    every = [replace(seen("x"), key=odd), Seen.of(INSTRUCTIONS, digest("Be kind."), b'"Be kind."')]
    await do(state, lambda tx: tx.pins.begin(HERE, every, 1.0))
    assert [pin.key for pin in await do(state, lambda tx: tx.pins.of(HERE))] == [INSTRUCTIONS, odd]
    assert set(await do(state, lambda tx: tx.pins.accepted(HERE))) == {INSTRUCTIONS, odd}
