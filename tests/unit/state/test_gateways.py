from dataclasses import replace

from gateway.state import Running, State
from gateway.state.alive import mine

LINE = Running("s1", 1, "", "0.1.0", "me", "https://keyid.example/mcp", "work", 10.0)


async def test_a_gateway_notes_itself_and_is_read_as_it_was_noted(state: State) -> None:
    whole = replace(
        LINE, client_name="claude-ai", client_version="1", policy="/p.json", policy_revision="r", calls=3, denials=1
    )
    await state.atomically(lambda tx: tx.gateways.note(whole))
    assert await state.atomically(lambda tx: tx.gateways.noted()) == [whole]


async def test_what_it_says_again_takes_the_place_of_what_it_said(state: State) -> None:
    await state.atomically(lambda tx: tx.gateways.note(LINE))
    later = replace(LINE, calls=7, seen=12.0)
    await state.atomically(lambda tx: tx.gateways.note(later))
    assert await state.atomically(lambda tx: tx.gateways.noted()) == [later]


async def test_they_come_oldest_first_and_only_those_named_are_forgotten(state: State) -> None:
    lines = [replace(LINE, session=name, since=since) for name, since in (("b", 3.0), ("a", 1.0), ("c", 2.0))]
    for line in lines:
        await state.atomically(lambda tx, line=line: tx.gateways.note(line))  # type: ignore[misc] # bound
    assert [each.session for each in await state.atomically(lambda tx: tx.gateways.noted())] == ["a", "c", "b"]
    await state.atomically(lambda tx: tx.gateways.forget(["a", "b", "nobody"]))
    assert [each.session for each in await state.atomically(lambda tx: tx.gateways.noted())] == ["c"]


async def test_texts_of_the_client_are_bounded(state: State) -> None:
    await state.atomically(lambda tx: tx.gateways.note(replace(LINE, client_name="x" * 100_000)))
    (found,) = await state.atomically(lambda tx: tx.gateways.noted())
    assert len(found.client_name) < 5000


def test_a_line_says_whether_its_process_is_there() -> None:
    me = mine()
    line = replace(LINE, pid=me.pid, mark=me.mark, seen=5.0)
    assert (line.life(5.0), replace(line, pid=2**70).life(5.0)) == ("running", "gone")
