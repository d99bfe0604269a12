"""Addresses of resources, and the patterns over them: which spellings are one address, and which are refused.

A server may read an address in more ways than one, so that two spellings of one resource must not be judged apart
(bypass class B15): percent-encoded characters are decoded, scheme and host are written small (RFC 3986, 6.2.2). What
could lead elsewhere than it seems is no address at all: dot segments, an encoded slash, a backslash, control
characters, each however often it is encoded.

In a pattern `*` is any run of characters without `/`, `**` any run at all; everything else is literal. Patterns become
RE2, so that matching takes linear time. A `deny` with a star before its path may find its letters in a host,
where their case means nothing: so it means nothing in the whole of it.
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias
from urllib.parse import unquote

from gateway.policy.globs import STAR
from gateway.policy.problem import Fault

Matches: TypeAlias = Callable[[str], bool]

LONGEST_PATTERN: Final = 2048
LONGEST: Final = 65_536
_ENCODED = re.compile(r"%[0-9a-fA-F]{2}")
_SEPARATORS = re.compile(r"[/?#]")
_PATH = re.compile(r"[^:/?#]*(?:[/?#]|:(?:[^/]|/[^/]|//[^/?#]*[/?#]))")
"""A beginning after which no host can come."""
_STARS = re.compile(r"\*+")


def normal(uri: str) -> str | Fault:
    """The address that a spelling stands for, or why it is refused."""
    if len(uri) > LONGEST:
        return Fault(f"it has more than {LONGEST} characters", "shorten it")
    plain = unquote(uri, errors="replace") if "%" in uri else uri
    fault = _fault(uri) or _fault(plain)
    if fault is None and _ENCODED.search(plain):
        fault = Fault("it is encoded twice", "encode it once")
    return small(plain) if fault is None else fault


def small(uri: str) -> str:
    """Scheme and host in small letters, the rest as it is. What stands before a `:` is a scheme if no path does."""
    end = _end_of_host(uri)
    return f"{uri[:end].lower()}{uri[end:]}"


def is_loose(pattern: str) -> bool:
    """Whether a `*` stands where a host may be or before it, so that nobody can tell which letters are of a host."""
    known, star, _ = pattern.partition(STAR)
    return bool(star) and _PATH.match(known) is None


def _end_of_host(uri: str) -> int:
    scheme, mark, rest = uri.partition(":")
    if not mark or _SEPARATORS.search(scheme):
        return 0
    if not rest.startswith("//"):
        return len(scheme)
    end = _SEPARATORS.search(uri, len(scheme) + 3)
    return len(uri) if end is None else end.start()


def _fault(spelling: str) -> Fault | None:
    lower = spelling.lower()
    if "\\" in spelling or "%5c" in lower:
        return Fault("it has a backslash", "write `/`")
    if "%2f" in lower:
        return Fault("it has an encoded `/`", "write `/`")
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in spelling):
        return Fault("it has control characters", "take them out")
    if any("\ud800" <= char <= "\udfff" or char == "\ufffd" for char in spelling):
        return Fault("it is not valid UTF-8", "write the characters themselves")
    if any(segment.partition(";")[0] in (".", "..") for segment in _SEPARATORS.split(spelling)):
        return Fault("it has dot segments", "write the whole path")
    return None


def expression(pattern: str, *, any_case: bool = False) -> str:
    """A pattern as an RE2 expression over the whole text."""
    parts: list[str] = []
    position = 0
    for stars in _STARS.finditer(pattern):
        parts += (_literal(pattern[position : stars.start()]), "[^/]*" if len(stars.group()) == 1 else ".*")
        position = stars.end()
    return rf"(?s{'i' if any_case else ''})\A{''.join(parts)}{_literal(pattern[position:])}\z"


def _literal(text: str) -> str:
    return "".join(char if char.isalnum() or ord(char) > 127 else f"\\x{{{ord(char):x}}}" for char in text)
