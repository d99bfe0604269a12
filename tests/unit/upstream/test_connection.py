"""What one connection makes of bytes, wherever they are cut: fed by hand, as the loop would."""

import asyncio

import pytest

from gateway.upstream.connection import _HELD_BYTES, Connection, Plain

_HEAD = b"HTTP/1.1 200 OK\r\nMcp-Session-Id: 1\r\n"
_OK = _HEAD + b"Content-Length: 2\r\n\r\nok"


class _Line(asyncio.Transport):
    """A transport that only remembers whether it is to be read."""

    reads = True

    def write(self, _data: object) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class _Side:
    """A connection on which a request was written."""

    def __init__(self, kind: type[Connection] = Connection) -> None:
        self.line = _Line()
        self._buffer = bytearray(2**16)
        self.connection = Plain(self._buffer) if kind is Plain else kind()
        self.connection.connection_made(self.line)
        self.connection.write(b"")

    def comes(self, data: bytes) -> None:
        if isinstance(self.connection, Plain):
            self.connection.get_buffer(-1)[: len(data)] = data
            self.connection.buffer_updated(len(data))
            self._buffer[:] = bytes(2**16)  # that of another connection comes next
        else:
            self.connection.data_received(data)


@pytest.mark.parametrize(
    "more",
    [
        b"HTTP/1.1 404 Not Found\r\nMcp-Session-Id: 2\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nMcp-Session-Id: 2\r\n\r\n",
        b"H",
    ],
    ids=["another answer", "interim", "interim with headers", "the beginning of one"],
)
@pytest.mark.parametrize("cut", [0, len(_OK) - 1, len(_OK)])
@pytest.mark.parametrize("kind", [Connection, Plain])
async def test_what_follows_an_answer_changes_nothing_of_it(kind: type[Connection], more: bytes, cut: int) -> None:
    """Neither its status nor its headers, whether they were taken before or not; nothing is asked there any more."""
    side = _Side(kind)
    side.comes(_OK[:cut] + (b"" if cut else _OK + more))
    status, headers = await side.connection.head()
    if cut:
        side.comes(_OK[cut:] + more)
    assert side.connection.whole() == b"ok"
    assert (status, headers) == (200, {"mcp-session-id": "1", "content-length": "2"})
    assert not side.connection.ended()


async def test_an_answer_that_nobody_has_taken_keeps_its_connection_from_being_used_again() -> None:
    """It is not read any more, and would never be: the next answer on it would not come."""
    side = _Side()
    side.comes(_HEAD + b"Content-Length: %d\r\n\r\n" % (_HELD_BYTES + 1) + bytes(_HELD_BYTES + 1))
    assert (side.line.reads, side.connection.ended()) == (False, False)
    assert side.connection.whole() == bytes(_HELD_BYTES + 1)
    assert (side.line.reads, side.connection.ended()) == (True, True)


_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("kind", [Connection, Plain])
async def test_what_is_left_of_a_body_is_dropped_until_it_ends(kind: type[Connection]) -> None:
    """It is kept nowhere, however much it is, and the connection carries another answer."""
    side, ends = _Side(kind), []
    side.comes(_CHUNKED + b"2\r\nok\r\n")
    await side.connection.head()
    assert await side.connection.chunk() == b"ok"
    side.connection.drop_rest(lambda: ends.append(side.connection.ended()))
    piece = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    for _ in range(2 * _HELD_BYTES // 0x8000):
        side.comes(piece)
    assert (ends, side.line.reads, len(side.connection._body)) == ([], True, 0)
    side.comes(b"0\r\n\r\n")
    assert ends == [True]
    side.connection.write(b"")
    side.comes(_OK)
    assert (await side.connection.head())[0] == 200
    assert side.connection.whole() == b"ok"
    assert ends == [True], "it is told once"


async def test_what_is_left_of_a_body_may_never_come() -> None:
    side, ends = _Side(), []
    side.comes(_CHUNKED + b"2\r\nok\r\n")
    side.connection.drop_rest(lambda: ends.append(side.connection.ended()))
    side.connection.connection_lost(None)
    assert ends == [False]


async def test_nothing_may_be_left_of_a_body_on_a_connection_that_is_used_no_more() -> None:
    side, ends = _Side(), []
    side.comes(_HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok")
    side.connection.drop_rest(lambda: ends.append(side.connection.ended()))
    assert ends == [False]
