"""An upstream that cannot be connected to: what the client sees in each era, and what the log says."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.arena import ERAS, HANDSHAKE, META
from tests.e2e.process import ALLOW_ALL, Gateway, Home, Json
from tests.e2e.scripted import Scripted, said

SECONDS = "0.3"


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a socket that is connected to and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@pytest.fixture
def plain() -> Iterator[int]:
    """The port of a server that speaks no TLS: whatever comes, it does not understand it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:  # the test is over
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        answering = threading.Thread(target=answer)
        answering.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
        answering.join()


def call(gateway: Gateway, era: str) -> Json:
    """A call of the era: its result, or the error."""
    answer = gateway.request("tools/call", {"name": "one", "arguments": {}, "_meta": META[era]})
    return answer.get("result", answer.get("error"))


def fails(path: Path, era: str, url: str, text: str) -> None:
    """Everything fails in the same words, and the call, which could not be judged, leaves a record that says so."""
    home = Home(path)
    with Gateway(home, url, "--connect-timeout", SECONDS, policy=ALLOW_ALL) as gateway:
        error = {"code": -32603, "message": text}
        if era == HANDSHAKE:
            assert gateway.initialize()["error"] == error
        else:
            assert gateway.request("server/discover", {"_meta": META[era]})["error"] == error
        assert call(gateway, era) == error
        assert gateway.close() == 0
    (record,) = home.records()
    assert (record.kind, record.effect, record.rule, record.message) == ("refused", "deny", "(upstream)", text)


@pytest.mark.parametrize("era", ERAS)
def test_an_upstream_that_is_down_at_the_start_is_found_when_it_comes(tmp_path: Path, era: str) -> None:
    upstream = Scripted()
    upstream.start()
    upstream.stop()
    with Gateway(Home(tmp_path), upstream.url, policy=ALLOW_ALL) as gateway:
        text = "cannot connect to the upstream: connection refused: is it up, and is `--upstream` right?"
        assert call(gateway, era) == {"code": -32603, "message": text}
        with upstream:
            if era == HANDSHAKE:
                gateway.initialize()
            assert call(gateway, era) == said("one ran")
            assert gateway.close() == 0


@pytest.mark.parametrize("era", ERAS)
def test_a_name_that_nobody_knows_is_told(tmp_path: Path, era: str) -> None:
    text = "cannot connect to the upstream: its name cannot be resolved: is it up, and is `--upstream` right?"
    fails(tmp_path, era, "http://nowhere.invalid/mcp", text)


@pytest.mark.parametrize("era", ERAS)
def test_a_server_that_speaks_no_tls_is_told(tmp_path: Path, era: str, plain: int) -> None:
    home = Home(tmp_path)
    with Gateway(home, f"https://127.0.0.1:{plain}/mcp", policy=ALLOW_ALL) as gateway:
        message = call(gateway, era)["message"]
    assert message.startswith("cannot connect to the upstream: no TLS connection: ")
    assert message.endswith(": does it speak https at this port?")
    assert [(record.kind, record.message) for record in home.records()] == [("refused", message)]


@pytest.mark.parametrize("era", ERAS)
def test_a_connection_that_is_never_made_names_its_time_out(tmp_path: Path, era: str, silent: int) -> None:
    """The TLS handshake is part of connecting, and the other side never begins it."""
    text = f"no connection to the upstream within {SECONDS} s (`--connect-timeout`)"
    fails(tmp_path, era, f"https://127.0.0.1:{silent}/mcp", text)
