"""The client's side: one line is one message, whatever is in it, and nobody waits for ever."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.stdio import TOO_LONG, Lines, Stdio, writing

PATIENCE = 20.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# --- cutting lines ----------------------------------------------------------------------------------------------------


def cut(chunks: list[bytes], limit: int = 100) -> list[bytes]:
    lines = Lines(limit)
    return [line for chunk in chunks for line in lines.feed(chunk)] + lines.end()


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\nb", [b"a", b"b"]),
        (b"\n\n a \n \t\r\n", [b" a "]),
        (b"a\r\nb\r\n", [b"a\r", b"b\r"]),
        (b"a\rb\n", [b"a\rb"]),
        ("a\u2028b\u0085c\n".encode(), ["a\u2028b\u0085c".encode()]),
        (b"a\0b\vc\fd\x1ce\n", [b"a\0b\vc\fd\x1ce"]),
        (b"\xef\xbb\xbf{}\n", [b"\xef\xbb\xbf{}"]),
        (b"\xff\xfe\n", [b"\xff\xfe"]),
    ],
)
def test_only_a_line_feed_ends_a_line(data: bytes, lines: list[bytes]) -> None:
    assert cut([data]) == lines
    assert cut([data[index : index + 1] for index in range(len(data))]) == lines


@given(st.lists(st.binary(max_size=12)), st.integers(1, 20))
def test_lines_do_not_depend_on_how_the_bytes_are_cut(chunks: list[bytes], limit: int) -> None:
    assert cut(chunks, limit) == cut([b"".join(chunks)], limit)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_a_line_over_the_limit_is_one_refusal_and_the_next_line_is_read(chunk: int) -> None:
    data = b"x" * 100 + b"\n" + b"y" * 101 + b"\nok\n" + b"z" * 500
    chunks = [data[start : start + chunk] for start in range(0, len(data), chunk)]
    assert cut(chunks) == [b"x" * 100, TOO_LONG, b"ok", TOO_LONG]


def test_a_line_without_end_is_not_kept() -> None:
    lines = Lines(1000)
    for _ in range(1000):
        lines.feed(b"x" * 1000)
    assert sum(map(len, lines._partial)) <= 1000


# --- two descriptors --------------------------------------------------------------------------------------------------


@dataclass
class Ends:
    """A `Stdio`, and the client's ends of its pipes."""

    stdio: Stdio
    to: int
    back: int

    def write(self, data: bytes) -> None:
        os.write(self.to, data)

    def end_input(self) -> None:
        os.close(self.to)
        self.to = -1

    def stop_listening(self) -> None:
        os.close(self.back)
        self.back = -1

    def read(self, size: int) -> bytes:
        """Exactly that many bytes."""
        data = b""
        while len(data) < size:
            data += os.read(self.back, size - len(data))
        return data


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    source, to = os.pipe()
    back, sink = os.pipe()
    made = Ends(Stdio(source, sink, max_line_bytes=2**20), to, back)
    yield made
    if made.to >= 0:
        made.end_input()
    if made.back >= 0:
        made.stop_listening()
    await made.stdio.close(PATIENCE)
    os.close(source)
    os.close(sink)


async def collect(ends: Ends) -> list[bytes]:
    lines: list[bytes] = []
    ends.stdio.start(lines.append)
    async with asyncio.timeout(PATIENCE):
        await ends.stdio.ended.wait()
    return lines


async def test_lines_arrive_in_order_until_the_input_ends(ends: Ends) -> None:
    ends.write(b"one\ntwo\nthr")
    ends.write(b"ee\nlast")
    ends.end_input()
    assert await collect(ends) == [b"one", b"two", b"three", b"last"]


async def test_more_lines_than_may_wait_all_arrive(ends: Ends) -> None:
    lines = [b"%d" % number for number in range(500)]

    def write() -> None:
        for line in lines:
            ends.write(line + b"\n")
        ends.end_input()

    arrived, _ = await asyncio.gather(collect(ends), asyncio.to_thread(write))
    assert arrived == lines


async def test_messages_leave_in_order_each_on_a_line(ends: Ends) -> None:
    for number in range(100):
        await ends.stdio.send(b"%03d" % number)
    assert await asyncio.to_thread(ends.read, 400) == b"".join(b"%03d\n" % number for number in range(100))


async def test_a_client_that_does_not_read_slows_the_sender_down_and_nothing_is_lost(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "BACKLOG", 2**18)
    line = b"x" * 99_999

    async def send() -> None:
        for _ in range(20):
            await ends.stdio.send(line)

    sending = asyncio.create_task(send())
    done, _ = await asyncio.wait({sending}, timeout=0.05)  # it waits: nobody reads
    assert not done
    assert await asyncio.to_thread(ends.read, 20 * 100_000) == (line + b"\n") * 20
    await sending


async def test_closing_writes_what_is_left(ends: Ends) -> None:
    for _ in range(50):
        await ends.stdio.send(b"x" * 999)
    await ends.stdio.close(PATIENCE)
    assert await asyncio.to_thread(ends.read, 50_000) == (b"x" * 999 + b"\n") * 50


async def test_closing_does_not_wait_for_a_client_that_does_not_read(ends: Ends) -> None:
    await ends.stdio.send(b"x" * 1_000_000)
    await ends.stdio.close(0.01)
    assert ends.stdio._output._writer.is_alive()


async def test_a_client_that_stopped_listening_ends_the_lines_though_its_input_is_open(ends: Ends) -> None:
    ends.write(b"still here\n")
    ends.stop_listening()
    await ends.stdio.send(b"hello?")
    assert set(await collect(ends)) <= {b"still here"}


async def test_a_sender_that_waits_is_freed_when_the_client_stops_listening(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "BACKLOG", 2**10)
    sending = asyncio.create_task(ends.stdio.send(b"x" * 1_000_000))
    await asyncio.sleep(0)
    ends.stop_listening()
    async with asyncio.timeout(PATIENCE):
        await sending
        await ends.stdio.send(b"x" * 1_000_000)


async def test_a_file_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "messages"
    file.write_bytes(b"one\ntwo\nlast")
    source, sink = os.open(file, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)
    made = Stdio(source, sink, max_line_bytes=2**20)
    lines: list[bytes] = []
    made.start(lines.append)
    async with asyncio.timeout(PATIENCE):
        await made.ended.wait()
    assert lines == [b"one", b"two", b"last"]
    await made.close(PATIENCE)
    os.close(source)
    os.close(sink)


async def test_a_long_message_and_a_short_one_keep_their_order(ends: Ends) -> None:
    long, short = b"x" * 500_000, b"short"
    await ends.stdio.send(long)
    await ends.stdio.send(short)
    assert await asyncio.to_thread(ends.read, 500_007) == long + b"\n" + short + b"\n"


async def test_a_client_that_neither_reads_nor_stays_is_noticed(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "BACKLOG", 2**10)
    ends.stdio.start(lambda _: None)
    sending = asyncio.create_task(ends.stdio.send(b"x" * 1_000_000))
    await asyncio.sleep(0)
    ends.end_input()
    async with asyncio.timeout(PATIENCE):
        await ends.stdio.ended.wait()
    ends.stop_listening()
    await sending


async def test_a_client_that_stops_listening_is_noticed_though_nothing_is_written(ends: Ends) -> None:
    ends.stdio.start(lambda _: None)
    ends.stop_listening()
    async with asyncio.timeout(PATIENCE):
        await ends.stdio.ended.wait()


async def test_a_client_that_is_gone_is_noticed_though_somebody_holds_its_end_open(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends.stdio.start(lambda _: None)
    monkeypatch.setattr(os, "getppid", lambda: 1)
    async with asyncio.timeout(PATIENCE):
        await ends.stdio.ended.wait()


async def test_what_is_held_is_read_later_and_the_end_of_the_input_does_not_lose_it(ends: Ends) -> None:
    lines: list[bytes] = []
    first = asyncio.Event()

    def take(line: bytes) -> None:
        lines.append(line)
        ends.stdio.hold(not first.is_set())
        first.set()

    ends.stdio.start(take)
    ends.write(b"one\n")
    async with asyncio.timeout(PATIENCE):
        await first.wait()
    ends.write(b"two\n")
    ends.end_input()
    for _ in range(10):
        await asyncio.sleep(0)
    assert lines == [b"one"]
    ends.stdio.hold(False)
    async with asyncio.timeout(PATIENCE):
        await ends.stdio.ended.wait()
    assert lines == [b"one", b"two"]
