"""What is shown of a client's file never shows what others keep there."""

import json

import pytest

from gateway.cli.installing.view import difference, place, view
from gateway.clients import BY_NAME

CLIENT = BY_NAME["vscode"]
OTHERS = """// s3cret-0
{
  "theme": "s3cret-1", "number": 112233,
  "inputs": [{"id": "s3cret-2"}],
  "servers": {
    "a": {
      "command": "TOKEN=s3cret-3 npx", "args": ["--token", "s3cret-4", "--key=s3cret-5", "https://u:s3cret-6@x.example/s3cret-7?k=s3cret-8"],
      "env": {"TOKEN": "s3cret-9", "KEYID_GATEWAY_GRANT": "s3cret-10"}, /* s3cret-11 */
      "cwd": "/s3cret-12", "nested": [{"deep": ["s3cret-13", 445566]}],
    },
    "b": {"type": "http", "url": "https://u:s3cret-14@y.example/s3cret-15/mcp?k=s3cret-16#s3cret-17",
      "headers": {"X": "s3cret-18"}},
    "c": {"command": "npx s3cret-19", "url": 778899, "args": "s3cret-20"},
    "d": "s3cret-21",
    "keyid": {
      "command": "/bin/keyid-gateway",
      "args": ["run", "--header", "Authorization: Bearer s3cret-22", "--header=X: s3cret-23", "--policy", "/p.json",
        "--header", "Authorization: env:TOKEN", "--oauth-client-secret", "s3cret-24", "--sign-in"],
      "env": {"TOKEN": "s3cret-25", "KEYID_GATEWAY_HEADER": "X: s3cret-26", "KEYID_GATEWAY_GRANT": "me",
        "KEYID_GATEWAY_OAUTH_CLIENT_SECRET": "s3cret-27"},
    },
  },
}
"""


def test_of_a_file_only_what_is_ours_is_shown() -> None:
    seen = view(CLIENT, OTHERS)
    assert "s3cret" not in seen
    assert not any(number in seen for number in ("112233", "445566", "778899"))
    for kept in (
        "https://x.example/…",
        "https://y.example/…",
        '"npx …"',
        '"--token"',
        '"http"',
        '"/bin/keyid-gateway"',
    ):
        assert kept in seen
    for ours in ('"--policy", "/p.json"', "Authorization: env:TOKEN", '"KEYID_GATEWAY_GRANT": "me"', '"--sign-in"'):
        assert ours in seen
    assert len(seen.splitlines()) == len(OTHERS.splitlines())


def test_what_is_put_in_and_what_is_taken_out_is_shown() -> None:
    lines = difference(CLIENT, OTHERS, OTHERS.replace('"d": "s3cret-21"', '"d": {"command": "keyid-gateway"}'))
    assert [line for line in lines if line[:1] in "+-"][2:] == [
        '-    "d": "…",',
        '+    "d": {"command": "keyid-gateway"},',
    ]
    assert difference(CLIENT, OTHERS, OTHERS.replace("s3cret-25", "s3cret-99")) == []


@pytest.mark.parametrize("char", ["\u202e", "\x7f", "\u200b"])
def test_what_acts_on_a_terminal_is_escaped(char: str) -> None:
    text = json.dumps({"servers": {f"a{char}b": {"command": f"keyid-gateway{char}"}}}, indent=1, ensure_ascii=False)
    lines = difference(CLIENT, "{}", text)
    assert not any(char in line for line in lines)
    assert any("\\u" in line or "\\x" in line for line in lines)


def test_where_a_url_leads() -> None:
    assert place("https://u:p@x.example:8443/a?b") == "https://x.example:8443/…"
    assert place("http://127.0.0.1:80") == "http://127.0.0.1:80"
    assert place("https://[") == "…"
