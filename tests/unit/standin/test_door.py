"""Who is let in, and that everything is written down first."""

import json
from collections.abc import Callable
from http.client import HTTPConnection

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from gateway.standin import Standin, StandinOptions
from gateway.standin.door import Arrival, Refusal, refusal_of

Start = Callable[[StandinOptions], Standin]
MODERN = {"mcp-protocol-version": "2026-07-28"}
HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


def post(standin: Standin, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection(standin.url.split("/")[2], timeout=10)
    try:
        connection.request("POST", "/mcp", body, HEADERS | headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def arrival(message: object, headers: dict[str, str], method: str = "POST") -> Arrival:
    return Arrival(method, headers, json.dumps(message).encode())


def request(method: str, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def error(code: int, message: str, data: object = None) -> dict[str, object]:
    body = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return {"jsonrpc": "2.0", "id": 7, "error": body}


UNSERVED = error(-32022, "Unsupported protocol version", {"supported": ["2026-07-28"], "requested": "2025-11-25"})


@pytest.mark.parametrize(
    ("options", "arrived", "refusal"),
    [
        (StandinOptions(), arrival(request("initialize"), {}), None),
        (StandinOptions(), arrival(request("server/discover"), MODERN), None),
        (StandinOptions(protocol="legacy"), arrival(request("initialize"), {}), None),
        (
            StandinOptions(protocol="legacy"),
            arrival(request("server/discover"), MODERN),
            Refusal(200, error(-32601, "Method not found", "server/discover")),
        ),
        (
            StandinOptions(protocol="legacy"),
            arrival(request("tools/list"), MODERN),
            Refusal(400, error(-32600, "Bad Request: Unsupported protocol version")),
        ),
        (StandinOptions(protocol="modern"), arrival(request("server/discover"), MODERN), None),
        (
            StandinOptions(protocol="modern"),
            arrival(request("initialize", protocolVersion="2025-11-25"), {}),
            Refusal(400, UNSERVED),
        ),
        (
            StandinOptions(protocol="modern"),
            Arrival("GET", {}, b""),
            Refusal(405, {**error(-32600, "Method Not Allowed"), "id": None}),
        ),
        (StandinOptions(token="t"), arrival(request("ping"), {"authorization": "bearer t"}), None),
        *(
            (
                StandinOptions(token="t"),
                arrival(request("ping"), headers),
                Refusal(401, {"error": "invalid_token"}, 'Bearer error="invalid_token"'),
            )
            for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic t"}, {"authorization": "t"})
        ),
    ],
)
def test_who_is_let_in(options: StandinOptions, arrived: Arrival, refusal: Refusal | None) -> None:
    assert refusal_of(options, arrived) == refusal


def test_without_the_token_the_answer_is_a_challenge_and_the_request_is_journalled(start: Start) -> None:
    standin = start(StandinOptions(token="t"))
    status, headers, _ = post(standin, b"anything", {"authorization": "Bearer wrong"})
    assert (status, headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    (entry,) = standin.journal
    assert entry["body"] == "anything"
    assert "wrong" not in json.dumps(entry)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}', "\u00fc".encode()])
@pytest.mark.parametrize("headers", [{}, MODERN], ids=["legacy", "modern"])
def test_what_cannot_be_parsed_is_journalled_as_it_came(standin: Standin, body: bytes, headers: dict[str, str]) -> None:
    status, _, _ = post(standin, body, headers)
    assert status >= 400
    assert [entry["body"] for entry in standin.journal] == [body.decode()]


def test_a_body_of_five_mebibytes_is_served(standin: Standin) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    call = request("tools/call", name="standin_read_1", arguments={"x": "y" * 5 * 2**20}, _meta=meta)
    body = json.dumps(call).encode()
    status, _, answer = post(standin, body, MODERN | {"mcp-method": "tools/call", "mcp-name": "standin_read_1"})
    assert status == 200
    assert len(json.loads(answer)["result"]["structuredContent"]["echo"]["x"]) == 5 * 2**20


@pytest.mark.parametrize(
    ("protocol", "mode", "negotiated"),
    [
        ("both", "auto", "2026-07-28"),
        ("both", "legacy", "2025-11-25"),
        ("legacy", "auto", "2025-11-25"),
        ("modern", "auto", "2026-07-28"),
    ],
)
async def test_a_client_finds_the_revision_that_is_served(
    start: Start, protocol: str, mode: str, negotiated: str
) -> None:
    assert protocol in ("both", "legacy", "modern")
    standin = start(StandinOptions(protocol=protocol))  # type: ignore[arg-type]  # asserted one line above
    async with Client(standin.url, mode=mode) as client:
        assert client.protocol_version == negotiated
        assert len((await client.list_tools()).tools) == 64


async def test_a_handshake_is_refused_where_only_the_stateless_revision_is_served(start: Start) -> None:
    standin = start(StandinOptions(protocol="modern"))
    with pytest.RaisesGroup(MCPError, allow_unwrapped=True, flatten_subgroups=True):
        async with Client(standin.url, mode="legacy"):
            pytest.fail("it was let in")
