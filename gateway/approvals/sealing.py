"""The `requestState` by which a call comes back that was ended to ask a person (2026-07-28, Multi Round-Trip Requests).

A client must echo it as it is, and may do anything with it ("attacker-controlled input"), so it carries a keyed digest
(BLAKE2b, RFC 7693) over all that it says: which question was asked, until when it counts, and whose call it is about
(`About`: grant, server, tool, arguments). The key is derived from that of the state file, and serves for nothing else.
So it cannot be made by anybody else, changed, used later, or moved to another call; that it counts once is for the
store to see to, where the question is answered once.

What the call itself carried of an exchange with the server (`requestState`, `inputResponses`) is put by inside it, and
comes out as it went in. Nothing in it is a secret: the client knows all of it.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, Self

from gateway.jsonrpc import DEEPEST, Json, loads, serialise
from gateway.jsonrpc.canonical import canonical

MARK: Final = "keyid-gateway/1/"
"""How a state of ours begins, whoever made it."""
_DIGEST_BYTES: Final = 32
_PURPOSE: Final = b"\x00keyid-gateway: the key of sealed request states"
"""No argument, and no JSON text, is digested that begins with a NUL."""
_MOST_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class About:
    """Whose call it is, and which."""

    grant: str
    server: str
    tool: str
    arguments: Mapping[str, Json]

    @property
    def digest(self) -> str:
        parts: list[Json] = ["tools/call", self.grant, self.server, self.tool, dict(self.arguments)]
        return blake2b(canonical(parts), digest_size=_DIGEST_BYTES).hexdigest()


@dataclass(frozen=True, slots=True)
class Kept:
    """What a seal keeps: the question, until when (seconds since the epoch), and what the call carried."""

    question: str
    until: float
    carried: Mapping[str, Json]


class Seal:
    """Seals and opens for one state file; `digest` is its keyed digest."""

    def __init__(self, digest: Callable[[bytes], str]) -> None:
        self._key = bytes.fromhex(digest(_PURPOSE))

    @classmethod
    def of(cls, digest: Callable[[bytes], str] | None) -> Self | None:
        """The seal of a state file, if that is open."""
        return cls(digest) if digest is not None else None

    def close(self, kept: Kept, about: About) -> str | None:
        """The state to hand out; None where it would be too long for a client to bring back."""
        said: dict[str, Json] = {
            "q": kept.question,
            "t": int(kept.until * 1000),
            "a": about.digest,
            "c": dict(kept.carried),
        }
        body = serialise(said)
        if len(body) > _MOST_BYTES:
            return None
        return MARK + urlsafe_b64encode(self._mac(body) + body).decode("ascii")

    def open(self, state: str, about: About, now: float) -> Kept | None:
        """What it keeps, if it is ours, about this call, and not too old."""
        try:
            data = urlsafe_b64decode(state.removeprefix(MARK).encode("ascii"))
        except (NotBase64, UnicodeEncodeError):
            return None
        mac, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if not state.startswith(MARK) or not compare_digest(mac, self._mac(body)):
            return None
        match loads(body.decode(), max_depth=DEEPEST):
            case {"q": str(question), "t": int(until), "a": about.digest, "c": dict(carried)} if now * 1000 < until:
                return Kept(question, until / 1000, carried)
        return None

    def _mac(self, body: bytes) -> bytes:
        return blake2b(body, digest_size=_DIGEST_BYTES, key=self._key).digest()
