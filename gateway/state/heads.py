"""A head of the audit log: which record was the newest at a moment, and its hash; to be kept out of this user's reach.

The hash stands for every record before it. So a head that was kept elsewhere finds what the file itself cannot tell:
that somebody computed all of it anew, or put an older copy in its place. A signature (Ed25519, RFC 8032) says in
addition that the head comes from whoever holds the key; it says nothing against whoever can read that key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.errors import ConfigError
from gateway.jsonrpc import Json, loads, serialise

_DIGITS: Final = frozenset("0123456789abcdef")
_LONGEST_FILE: Final = 16 * 2**20
_FORM: Final = "a head is what `keyid-gateway audit head --json` prints, or the 64 hexadecimal digits of its hash"


@dataclass(frozen=True, slots=True)
class Head:
    """`log` is the id of the state file, `at` when the head was taken (seconds since the epoch).

    Of a bare hash nothing else is known: `log` is empty, and `seq` None. `signature` and `key` are base64, or empty.
    """

    hash: str
    log: str = ""
    seq: int | None = None
    at: float = 0.0
    signature: str = ""
    key: str = ""

    def signed_bytes(self) -> bytes:
        """What a signature is of: everything but itself and the key."""
        return serialise(["keyid-gateway audit head", self.log, self.seq, self.hash, self.at])

    def signed(self, signature: str, key: str) -> "Head":
        return replace(self, signature=signature, key=key)


def parse(text: str, name: str) -> list[Head]:
    """The heads of a file, one JSON object a line; `name` is how an error names it. Raises `ConfigError`."""
    if len(text) > _LONGEST_FILE:
        raise ConfigError(f"{name} is too large to be a list of heads", _FORM)
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    found = [_head(line, f"{name}, line {number}") for number, line in lines if line]
    if not found:
        raise ConfigError(f"{name} holds no head", _FORM)
    return found


def is_hash(text: str) -> bool:
    """Whether a text is the hash of a record."""
    return len(text) == 64 and not set(text) - _DIGITS


def _head(line: str, name: str) -> Head:
    if is_hash(line):
        return Head(line)
    try:
        value = loads(line)
    except (ValueError, ArithmeticError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ConfigError(f"{name}: this is no head", _FORM)
    return _of(value, name)


def _of(value: Mapping[str, Json], name: str) -> Head:
    texts = {key: value.get(key, "") for key in ("hash", "log", "signature", "key")}
    seq, at = value.get("seq"), value.get("at")
    whole = isinstance(seq, int) and not isinstance(seq, bool) and seq >= 0 and at is not None
    if not whole or not all(isinstance(text, str) for text in texts.values()) or not is_hash(str(texts["hash"])):
        raise ConfigError(f"{name}: this is no head", _FORM)
    try:
        moment = float(str(at))
    except ValueError:
        raise ConfigError(f"{name}: this is no head", _FORM) from None
    said = {key: str(text) for key, text in texts.items()}
    return Head(
        said["hash"], said["log"], seq if isinstance(seq, int) else None, moment, said["signature"], said["key"]
    )
