import sys
from pathlib import Path

import pytest

from gateway.credentials import Challenge, is_credential
from gateway.credentials.client import Client
from gateway.credentials.helper import Failed, Request, _environment, _written, ask, read_request

FOLDER = Path("/nowhere")


def test_a_sign_in_belongs_to_a_server_and_a_client_id() -> None:
    names = [
        Client(url, FOLDER, client_id).name
        for url in ("https://a.example/mcp", "https://a.example/mcp?x", "https://b.example/mcp")
        for client_id in (None, "one", "two")
    ]
    assert len(set(names)) == 9
    assert Client("https://a.example/mcp", FOLDER, secret="s").name == names[0]


def test_the_command_that_signs_in_has_the_same_flags_and_nothing_secret() -> None:
    client = Client(
        "https://a.example/mcp?key=s3cret",
        FOLDER,
        id="me",
        secret="s3cret",
        issuer="https://i.example",
        scopes="read write",
        metadata_url="https://a.example/c.json",
        port=8080,
        state="/mine/state.db",
    )
    assert client.login == (
        "keyid-gateway login --upstream 'https://a.example/mcp?...' --state /mine/state.db --oauth-client-id me "
        "--oauth-client-metadata-url https://a.example/c.json --oauth-issuer https://i.example "
        "--oauth-scopes 'read write' --oauth-redirect-port 8080"
    )
    assert client.tools == (
        "keyid-gateway tools --upstream 'https://a.example/mcp?...' --state /mine/state.db --oauth-client-id me"
    )
    assert client.logout == (
        "keyid-gateway logout --upstream 'https://a.example/mcp?...' --state /mine/state.db --oauth-client-id me"
    )
    assert "s3cret" not in repr(client).replace(client.upstream, "")
    work = Client("https://a.example/mcp", FOLDER, profile="work")
    assert work.login == "keyid-gateway login --profile work --upstream https://a.example/mcp"


def test_the_helper_reads_what_it_is_asked() -> None:
    client = Client("https://a.example/mcp", FOLDER, "me", "s3cret", port=8080, flow="client_credentials")
    request = Request("renew", client, "browser", 403, "Bearer x", "token")
    assert read_request(_written(request)) == request


async def test_a_helper_that_cannot_be_started_is_an_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    answer = await ask(Request("renew", Client("https://a.example/mcp", tmp_path)), lambda _: None)
    assert answer == Failed(
        "helper", "the process that signs in cannot be started: no such file or directory", None, lasting=False
    )


def test_the_helper_has_none_of_the_settings_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYID_GATEWAY_OAUTH_CLIENT_SECRET", "s3cret")
    monkeypatch.setenv("BROWSER", "b")
    assert not [name for name in _environment() if name.startswith("KEYID_GATEWAY_")]
    assert _environment()["BROWSER"] == "b"


def test_what_is_a_challenge() -> None:
    assert Challenge.of(401, "") == Challenge(401, "")
    assert Challenge.of(403, 'Bearer error="insufficient_scope"') is not None
    assert Challenge.of(403, "Bearer") is None
    assert Challenge.of(200, "insufficient_scope") is None
    assert Challenge.of(403, 'Bearer error="invalid_token", error_description="no insufficient_scope"') is None
    longest = Challenge.of(401, "x" * 10_000)
    assert longest is not None
    assert len(longest.text) == 4096


BEARER = 'Bearer error="insufficient_scope", scope="a, b", resource_metadata=https://a.example/x'


@pytest.mark.parametrize(
    "text",
    [
        BEARER,
        f'Basic realm="x", {BEARER}',
        f'Basic realm="a \\"quoted\\" one", error="other", {BEARER}',
        f'{BEARER}, Basic realm="x"',
        f'{BEARER}, DPoP error="use_dpop_nonce", scope="c"',
        f"Negotiate, {BEARER}, Negotiate",
        f"Negotiate dG9rZW4=, {BEARER}",
    ],
)
def test_the_challenge_for_a_bearer_token_among_others(text: str) -> None:
    assert Challenge.of(403, text) == Challenge(403, BEARER)


def test_an_endless_challenge_is_cut() -> None:
    for text in (
        "Bearer " + " " * 10_000,
        "Bearer a=b" + ",a=b" * 3000 + '"',
        'Bearer a="' + "\\" * 10_000,
        "," * 10_000,
    ):
        found = Challenge.of(401, text)
        assert found is not None
        assert len(found.text) <= 4096


def test_which_headers_say_who_somebody_is() -> None:
    assert all(map(is_credential, ("Authorization", "X-Api-Key", "x-auth-token", "Cookie", "Client-Secret")))
    assert not any(map(is_credential, ("Accept", "X-Team", "User-Agent")))
