import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.credentials.child.callback import Callback

GOOD = "/callback?code=c0de&state=right&iss=https%3A%2F%2Fissuer.example"


@pytest.fixture
async def callback() -> AsyncIterator[Callback]:
    made = Callback(0)
    await made.listen()
    made.expect("right")
    yield made
    made.close()


async def get(callback: Callback, target: str, host: str | None = None, verb: str = "GET") -> str:
    """The status line and the page."""
    reader, writer = await asyncio.open_connection("127.0.0.1", callback.port)
    writer.write(f"{verb} {target} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{callback.port}'}\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return answer


async def test_the_answer_to_this_sign_in_counts(callback: Callback) -> None:
    assert callback.uri == f"http://127.0.0.1:{callback.port}/callback"
    answer = await get(callback, GOOD)
    assert answer.startswith("HTTP/1.1 200 OK\r\n")
    assert "Content-Security-Policy: default-src 'none'" in answer
    returned = callback.returned.result()
    assert (returned.code, returned.issuer, returned.error) == ("c0de", "https://issuer.example", None)
    assert "c0de" not in repr(returned)


async def test_an_error_counts_too(callback: Callback) -> None:
    await get(callback, "/callback?error=access_denied&state=right")
    assert callback.returned.result().error == "access_denied"


@pytest.mark.parametrize(
    "target",
    [
        "/callback?code=c&state=wrong",
        "/callback?code=c",
        "/callback?state=right",
        "/callback?code=c&code=d&state=right",
        "/callback?code=c&state=right&state=wrong",
        "/other?code=c&state=right",
        "/favicon.ico",
        "/",
        "//[half",
    ],
)
async def test_whatever_else_knocks_changes_nothing(callback: Callback, target: str) -> None:
    assert (await get(callback, target)).startswith("HTTP/1.1 404 ")
    assert not callback.returned.done()
    assert (await get(callback, GOOD)).startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1"])
async def test_a_page_of_another_name_is_not_answered(callback: Callback, host: str) -> None:
    assert (await get(callback, GOOD, host)).startswith("HTTP/1.1 400 ")
    assert not callback.returned.done()


async def test_only_a_get_counts(callback: Callback) -> None:
    assert (await get(callback, GOOD, verb="POST")).startswith("HTTP/1.1 400 ")
    assert not callback.returned.done()


async def test_the_first_answer_stays(callback: Callback) -> None:
    assert callback.take(GOOD)
    assert callback.take("/callback?code=other&state=right")
    assert callback.returned.result().code == "c0de"


async def test_before_a_state_is_expected_nothing_counts() -> None:
    early = Callback(0)
    assert not early.take("/callback?code=c&state=")


async def test_a_port_that_is_taken(callback: Callback) -> None:
    with pytest.raises(OSError, match="address already in use"):
        await Callback(callback.port).listen()
