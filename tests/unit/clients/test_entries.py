"""What an entry means: this program, a remote server, a bridge to one; what cannot be understood is not wrapped."""

from typing import Any

import pytest

from gateway.clients import BY_NAME
from gateway.clients.entries import NotWrappable, address, arguments_of, env_of, is_ours, ours, remote, same_place

URL = "https://mcp.example.com/mcp"


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "keyid-gateway", "args": ["run"]},
        {"command": "/opt/x y/.venv/bin/keyid-gateway"},
        {"type": "stdio", "command": r"C:\Tools\keyid-gateway.EXE", "args": ["run"], "env": {}},
        {"command": "/usr/bin/python3", "args": ["-m", "gateway", "run"]},
        {"command": "/usr/bin/python3", "args": ["-P", "-m", "gateway", "run"]},
        {"command": "uvx", "args": ["keyid-gateway", "run"]},
    ],
)
def test_an_entry_of_ours(entry: Any) -> None:
    assert is_ours(entry)
    assert address(entry) is None


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "npx", "args": ["-y", "keyid"]},
        {"command": "python", "args": ["-m", "gateway_of_another"]},
        {"command": "python", "args": "-m gateway"},
        {"command": 5, "args": ["-m", "gateway"]},
        {"url": URL},
        "keyid-gateway",
        None,
    ],
)
def test_an_entry_of_somebody_else(entry: Any) -> None:
    assert not is_ours(entry)


@pytest.mark.parametrize(
    "entry",
    [
        {"url": URL, "headers": {"Authorization": "Bearer s3cret"}},
        {"type": "http", "url": URL, "headers": {"Authorization": "Bearer s3cret"}},
        {"type": "streamableHttp", "url": URL, "headers": {"Authorization": "Bearer s3cret"}},
        {"serverUrl": URL, "headers": {"Authorization": "Bearer s3cret"}},
        {"httpUrl": URL, "headers": {"Authorization": "Bearer s3cret"}},
        {"command": "npx", "args": ["mcp-remote", URL, "--header", "Authorization: Bearer s3cret"]},
        {"command": "npx", "args": ["-y", "mcp-remote@0.1.21", URL, "3334", "--header", "Authorization:Bearer s3cret"]},
        {
            "command": r"C:\Windows\System32\cmd.exe",
            "args": ["/c", "npx.cmd", "mcp-remote@latest", URL, "--allow-http", "--header", "Authorization:${AUTH}"],
            "env": {"AUTH": "Bearer s3cret"},
        },
        {
            "command": "npx",
            "args": ["mcp-remote", URL, "--transport", "http-only", "--header", "Authorization: Bearer ${TOKEN}"],
            "env": {"TOKEN": "s3cret"},
        },
    ],
)
def test_where_a_remote_entry_leads_and_with_what(entry: Any) -> None:
    found = remote(entry)
    assert (found.url, found.headers, found.kept, found.notes) == (URL, {"Authorization": "Bearer s3cret"}, {}, ())
    assert "s3cret" not in repr(found)
    assert address(entry) == URL


def test_what_the_client_reads_of_an_entry_stays() -> None:
    found = remote({"url": URL, "disabled": False, "autoApprove": ["x"], "oauth": {"clientId": "c"}, "type": "http"})
    assert found.kept == {"disabled": False, "autoApprove": ["x"]}
    assert found.notes == ("`oauth` is left out: the gateway signs in by itself",)
    entry = ours(BY_NAME["vscode"], ["/bin/g"], ["run"], {"A": "b"}, {**found.kept, "type": "http"})
    assert entry == {
        "type": "stdio",
        "command": "/bin/g",
        "args": ["run"],
        "env": {"A": "b"},
        "disabled": False,
        "autoApprove": ["x"],
    }


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("text", "it is not an object"),
        ({"type": "sse", "url": URL}, "it is of the type `sse`, and the gateway speaks streamable HTTP"),
        ({"headers": {}}, "it has no address"),
        ({"url": URL, "serverUrl": URL}, "it has no address"),
        ({"url": 5}, "it has no address"),
        ({"url": "${input:url}"}, "its address has a variable in it"),
        ({"url": "ftp://x"}, "its address cannot be read"),
        ({"url": "https://x:99999999/"}, "its address cannot be read"),
        ({"url": URL, "headers": {"A": 1}}, "its headers are not texts"),
        ({"url": URL, "headers": {"A/../b": "x"}}, "a header of it has a name that no header has"),
        ({"url": URL, "headers": {"A": "x\r\nB: y"}}, "its header `A` has a value that no header has"),
        ({"url": URL, "headers": {"A": " "}}, "its header `A` has a value that no header has"),
        ({"url": URL, "headers": {"A": "x", "a": "y"}}, "it has a header twice"),
        ({"url": URL, "headersHelper": "/bin/x"}, "`headersHelper` makes its headers"),
        ({"command": "node", "args": ["server.js"]}, "it starts another program"),
        ({"command": "npx", "args": ["-y", "other", URL]}, "it starts another program"),
        ({"command": "npx", "args": ["mcp-remote-evil", URL]}, "it starts another program"),
        ({"command": "npx", "args": ["mcp-remote"]}, "the address of `mcp-remote` cannot be told"),
        ({"command": "npx", "args": ["mcp-remote", URL, "two", "three"]}, "the address of `mcp-remote` cannot be told"),
        ({"command": "npx", "args": ["mcp-remote", URL, "--ignore-tool", "x"]}, "`mcp-remote` is told `--ignore-tool`"),
        (
            {"command": "npx", "args": ["mcp-remote", URL, "--transport", "sse-only"]},
            "`mcp-remote` is told `--transport`",
        ),
        ({"command": "npx", "args": ["mcp-remote", URL, "--header"]}, "`mcp-remote` is told `--header`"),
        ({"command": "npx", "args": ["mcp-remote", URL, "--header", "x"]}, "a header of it is not `Name: value`"),
        ({"command": "npx", "args": ["mcp-remote", URL, "--header", "A:${B}"]}, "its header `A` has a variable that"),
        (
            {"command": "npx", "args": ["mcp-remote", URL], "env": {"HTTPS_PROXY": "p"}},
            "its environment has `HTTPS_PROXY`",
        ),
    ],
)
def test_what_is_not_understood_is_not_wrapped(entry: Any, why: str) -> None:
    with pytest.raises(NotWrappable) as caught:
        remote(entry)
    assert str(caught.value).startswith(why)
    assert caught.value.hint


def test_where_an_entry_leads_that_cannot_be_wrapped() -> None:
    assert address({"type": "sse", "url": URL}) == URL
    assert address({"command": "uvx", "args": ["some-proxy", "--url", URL]}) == URL
    assert address({"command": "node", "args": ["server.js"]}) is None


def test_the_same_server() -> None:
    assert same_place("https://a.example/mcp", "https://A.example:443/mcp/?key=1")
    assert not same_place("https://a.example/mcp", "https://a.example/other")
    assert not same_place("https://a.example/mcp", "http://a.example/mcp")
    assert not same_place("https://a.example/mcp", "https://a.example:port/mcp")
    assert not same_place("https://a.example/mcp", "https://[")


def test_what_an_entry_of_ours_says_besides() -> None:
    entry: Any = {"command": "k", "args": ["-P", "-m", "gateway", "run", "--policy", "p"], "env": {"A": "b", "C": 1}}
    assert arguments_of(entry) == ["run", "--policy", "p"]
    assert arguments_of({"command": "k"}) == []
    assert env_of(entry) == {"A": "b"}
    assert env_of({"env": []}) == {}
