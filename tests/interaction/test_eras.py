"""Every kind of client before every kind of server: the table of what is relayed, translated, and refused."""

import pytest

from gateway.standin import Standin, StandinOptions
from gateway.standin.options import Protocol
from tests.e2e.process import Home
from tests.interaction.peers import AUTO, LEGACY, MODERN, Json, StandingClock, connected
from tests.interaction.requirements import shows

SESSION = "2025-11-25"
RELAYED, TRANSLATED = "relayed", "translated"
TABLE = {
    (LEGACY, "legacy"): (SESSION, RELAYED),
    (LEGACY, "modern"): (SESSION, TRANSLATED),
    (LEGACY, "both"): (SESSION, RELAYED),
    (MODERN, "modern"): (MODERN, RELAYED),
    (MODERN, "both"): (MODERN, RELAYED),
    (AUTO, "legacy"): (SESSION, RELAYED),
    (AUTO, "modern"): (MODERN, RELAYED),
    (AUTO, "both"): (MODERN, RELAYED),
}
MODERN_ERRORS = {-32020, -32021, -32022}
"""What tells a client that the server is of the stateless revision: never said for one that is not."""


def arrived(standin: Standin) -> list[str | None]:
    """The revision that each call named in its headers, as it reached the server."""
    posts = [entry for entry in standin.journal if '"tools/call"' in str(entry.get("body"))]
    return [entry["headers"].get("mcp-protocol-version") for entry in posts]  # type: ignore[attr-defined]  # a mapping


@shows("era.table")
@pytest.mark.parametrize(("mode", "protocol"), TABLE)
async def test_a_client_and_a_server_that_understand_each_other_through_the_gateway(
    home: Home, mode: str, protocol: Protocol
) -> None:
    spoken, how = TABLE[mode, protocol]
    with Standin(StandinOptions(protocol=protocol), clock=StandingClock()) as standin:
        async with connected(home, standin, mode=mode, gateway=True) as peer:
            assert peer.client.protocol_version == spoken
            tools = await peer.client.list_tools()
            found: Json = await peer.call("standin_read_1", {"n": 1})
            asked: Json = await peer.call("standin_read_3", {"message": "?"})
    assert len(tools.tools) == 64
    assert found["structuredContent"] == {"echo": {"n": 1}}
    assert ("resultType" in found) == (spoken == MODERN)
    assert asked["structuredContent"]["answer"]["action"] == "accept"
    rounds = 2 if MODERN in (spoken, arrived(standin)[0]) else 1
    assert arrived(standin) == [MODERN if how == TRANSLATED else spoken] * (1 + rounds)


@shows("era.table")
async def test_a_client_of_the_stateless_revision_before_a_server_that_does_not_know_it_is_told_so(home: Home) -> None:
    with Standin(StandinOptions(protocol="legacy"), clock=StandingClock()) as standin:
        async with connected(home, standin, mode=MODERN, gateway=True) as peer:
            code, text, _ = (await peer.call("standin_read_1", {"n": 1}))["error"]
    assert code not in MODERN_ERRORS
    assert "nsupported protocol version" in text
    assert [entry for entry in standin.journal if entry.get("event") == "tool"] == []
