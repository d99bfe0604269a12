"""What one setting may be: each reader turns a text into a value, or raises `ValueError` with why.

Header values may be secrets. They are read here, from where the settings say, and are never part of any text.
"""

import getpass
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast, get_args
from urllib.parse import urlsplit

from gateway.approvals.desktop import Mode as Asks
from gateway.credentials.client import Flow
from gateway.errors import ConfigError
from gateway.filters import Listing
from gateway.pinned import Mode as Pins
from gateway.questions import KINDS

LEVELS: Final = ("debug", "info", "warning", "error")
PLACES: Final = ("env", "file", "keyring")
"""Where a secret may be read from."""


@dataclass(frozen=True, slots=True)
class Header:
    """One header for the upstream. `literal` says that its value stood in the settings themselves."""

    name: str
    value: str = field(repr=False)
    literal: bool


def url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("its port or its address cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("an http:// or https:// URL is needed")
    if not parts.hostname.isascii():
        raise ValueError("a host name beyond ASCII is written in its `xn--` form")
    if parts.username or parts.password:
        raise ValueError("credentials do not belong in the URL; use `--header 'Authorization: env:NAME'`")
    return text


def path(text: str) -> Path:
    if not text or not text.isprintable():
        raise ValueError("a path of printable characters is needed")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError("there is no such user") from None


def policy(text: str) -> str:
    if text.startswith("builtin:") and text != "builtin:recommended":
        raise ValueError("the only built-in policy is `builtin:recommended`")
    return text if text.startswith("builtin:") else str(path(text))


def grant(text: str) -> str:
    if not text or len(text) > 200 or not text.isprintable():
        raise ValueError("a grant is a name of 1 to 200 printable characters")
    return text


def seconds(text: str) -> float:
    value = float(text) if text.replace(".", "", 1).isdigit() else -1.0
    if not 0 < value <= 86_400:
        raise ValueError("a number of seconds above 0 and up to 86400 is needed")
    return value


def wait(text: str) -> float:
    value = float(text) if text.replace(".", "", 1).isdigit() else -1.0
    if not 0 <= value <= 3600:
        raise ValueError("a number of seconds from 0 (do not wait) to 3600 is needed")
    return value


def count(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text) if text.isdigit() and len(text) < 15 else -1
        if not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high} is needed")
        return value

    return read


def level(text: str) -> str:
    if text.lower() not in LEVELS:
        raise ValueError("one of " + ", ".join(f"`{level}`" for level in LEVELS) + " is needed")
    return text.lower()


def kinds(text: str) -> frozenset[str]:
    named = frozenset(kind.strip() for kind in text.split(","))
    if not named <= KINDS.keys():
        raise ValueError("one or more of " + ", ".join(f"`{kind}`" for kind in KINDS) + " are needed, with commas")
    return named


def profile(text: str) -> str:
    plain = text.isascii() and text.replace("-", "").replace("_", "").replace(".", "").isalnum()
    if not plain or len(text) > 64:
        raise ValueError("a profile is named with 1 to 64 letters, digits, `-`, `_` and `.`")
    return text


def split_header(text: str) -> tuple[str, str, bool]:
    """A header as it is written: its name, the rest, and whether that is the value itself, not where it is."""
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not name.isascii() or not all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in name or " "):
        raise ValueError(
            "a header is written `Name: value`, `Name: env:VARIABLE`, `Name: file:PATH` or `Name: keyring:SERVICE/NAME`"
        )
    if value.startswith("${") and value.endswith("}"):
        raise ValueError(f"the value of header `{name}` is a variable that the client did not put in; write `env:NAME`")
    return name, value, not is_place(value)


def is_place(text: str) -> bool:
    """Whether a text says where a secret is, and is none itself."""
    kind, mark, _ = text.partition(":")
    return bool(mark) and kind in PLACES


class NotThere(ValueError):
    """Nothing is to be found in the place that a setting names; the setting itself makes sense."""


def header(text: str) -> Header:
    name, value, literal = split_header(text)
    if not literal:
        kind, _, where = value.partition(":")
        value = _secret(kind, where)
    if not value or not value.isprintable() or not value.isascii():
        raise ValueError(f"the value of header `{name}` is empty or has characters that a header cannot carry")
    return Header(name, value, literal)


def _secret(kind: str, where: str) -> str:
    if kind == "env":
        value = os.environ.get(where)
        if value is None:
            raise NotThere(f"the environment variable `{where}` is not set")
        return value.strip()
    if kind == "keyring":
        from gateway.credentials import vault  # only where a value is there: the keyring takes its time

        try:
            return vault.value(where).strip()
        except ConfigError as error:
            raise NotThere(error.message) from None
    try:
        return Path(where).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotThere(f"the file `{where}` cannot be read: {getattr(error, 'strerror', None) or error}") from None


def optional(text: str) -> str | None:
    if not text.isprintable() or not text.isascii() or len(text) > 2000:
        raise ValueError("a text of printable ASCII characters is needed")
    return text.strip() or None


def optional_url(text: str) -> str | None:
    return url(text) if text else None


def metadata_url(text: str) -> str | None:
    """The address that is a client's id: https, with a path (MCP 2025-11-25, Client ID Metadata Documents)."""
    parts = urlsplit(url(text) if text else "")
    if text and (parts.scheme != "https" or parts.path in ("", "/")):
        raise ValueError("an https:// URL with a path is needed")
    return text or None


def client_secret(text: str) -> str | None:
    kind, _, where = text.partition(":")
    value = _secret(kind, where) if is_place(text) else text
    return optional(value)


def client_key(text: str) -> str | None:
    kind, _, where = text.partition(":")
    value = _secret(kind, where) if is_place(text) else text
    if value and "PRIVATE KEY-----" not in value:
        raise ValueError("a private key in PEM form is needed")
    return value or None


def flow(text: str) -> Flow:
    for flow in get_args(Flow):
        if text == flow:
            return cast(Flow, flow)
    raise ValueError("`code` (a person signs in) or `client_credentials` (no person) is needed")


def listing(text: str) -> str:
    return _one_of(text, get_args(Listing))


def client_name(text: str) -> str:
    if not text or len(text) > 200 or not text.isprintable():
        raise ValueError("the name by which a client introduces itself is needed, in printable characters")
    return text


def desktop(text: str) -> str:
    return _one_of(text, get_args(Asks))


def pins(text: str) -> str:
    return _one_of(text, get_args(Pins))


def _one_of(text: str, words: Sequence[str]) -> str:
    if text not in words:
        *some, last = (f"`{word}`" for word in words)
        raise ValueError(f"{', '.join(some)} or {last} is needed")
    return text


def switch(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("`true` or `false` is needed")
    return text.lower() in ("true", "1")


def user() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # the first is Windows, where no variable says who it is
        return "default"
