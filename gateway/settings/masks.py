"""What may be shown of a setting: where a secret is, never the secret; of an address not its query."""

from typing import Final
from urllib.parse import urlsplit

from gateway.settings.options import Option
from gateway.settings.values import is_place, split_header

MASK: Final = "***"
_URLS: Final = frozenset({"upstream", "oauth_issuer", "oauth_client_metadata_url"})


def masked(option: Option, text: str) -> str:
    """The text of a setting as anybody may see it, in a bug report too."""
    if option.name == "header":
        return _header(text)
    if option.secret:
        return text if is_place(text) or not text else MASK
    return _url(text) if option.name in _URLS else text


def _header(text: str) -> str:
    try:
        name, value, literal = split_header(text)
    except ValueError:
        return MASK
    return f"{name}: {MASK if literal else value}"


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        return MASK
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
    return (shown._replace(query=MASK) if parts.query else shown).geturl()
