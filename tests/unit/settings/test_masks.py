"""What is shown of a setting: where a secret is, never the secret."""

import pytest

from gateway.settings import OPTIONS
from gateway.settings.masks import masked

OF = {option.name: option for option in OPTIONS}


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("header", "Authorization: Bearer s3cret", "Authorization: ***"),
        ("header", "X-Team: s3cret", "X-Team: ***"),
        ("header", "Authorization: env:TOKEN", "Authorization: env:TOKEN"),
        ("header", "authorization:file:/a/b", "authorization: file:/a/b"),
        ("header", "Authorization: keyring:mine/token", "Authorization: keyring:mine/token"),
        ("header", "s3cret without a colon", "***"),
        ("oauth_client_secret", "s3cret", "***"),
        ("oauth_client_secret", "env:SECRET", "env:SECRET"),
        ("oauth_client_key", "-----BEGIN PRIVATE KEY-----s3cret", "***"),
        ("oauth_client_key", "", ""),
        ("upstream", "https://a.example/mcp?key=s3cret#s3cret", "https://a.example/mcp?***"),
        ("upstream", "https://me:s3cret@a.example:8443/mcp", "https://a.example:8443/mcp"),
        ("upstream", "https://[s3cret", "***"),
        ("oauth_issuer", "https://i.example/?s3cret", "https://i.example/?***"),
        ("grant", "me", "me"),
    ],
)
def test_what_is_shown(name: str, text: str, shown: str) -> None:
    assert masked(OF[name], text) == shown
