"""What the gateway shows the upstream so that it is let in: a header of the settings, or a token of a sign-in (OAuth).

    __init__  what the upstream's room asks: the credential for a request, and what to do when one is refused
    records   what is kept of a sign-in: one file each, 0600, or the system's keyring
    vault     the system's keyring, where there is one
    client    what the settings say of this client; the command that signs in
    helper    the other process, in which OAuth happens
    oauth     the credentials of `run`: a valid token at once, a new one from the helper
    later     the same, not loaded before they are needed
    child/    that process: the SDK's OAuth client, the loopback listener, the rules for addresses that others name

Rules:

- A token goes to the server that it was issued for and to nobody else: redirects are not followed with it, and nothing
  that the client side sent is ever shown as a credential.
- While a request is in flight nothing is held that another request waits for. Whoever needs a new token at the same
  time shares one renewal, and processes that share the file take turns: a refresh token may work only once.
- A request that was answered 401, or 403 with `insufficient_scope`, was not let in, so it did not run, and is sent once
  more after what it lacked was obtained (MCP 2025-11-25, Authorization: Scope Challenge Handling).
"""

import re
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["Challenge", "Credentials", "is_credential"]

_LONGEST: Final = 4096
_BEARER: Final = re.compile(
    r"""(?:^|,)\s*(bearer(?:[\s,]*[\w!#$%&'*+.^`|~-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s,"]+))*)""", re.IGNORECASE
)
"""A challenge for a bearer token, among those for other schemes (RFC 9110, section 11.6.1)."""
_SHORT_OF_SCOPES: Final = re.compile(r'\berror\s*=\s*"?insufficient_scope\b')
_CREDENTIALS: Final = re.compile("auth|token|key|cookie|secret", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Challenge:
    """Why a request was not let in: the HTTP status, and the `WWW-Authenticate` that came with it (RFC 6750)."""

    status: int
    text: str

    @classmethod
    def of(cls, status: int, text: str) -> "Challenge | None":
        """The challenge in an answer, None where it is none: a 401, or a 403 that says that scopes are missing.

        Of challenges for several schemes it is the one for a bearer token.
        """
        found = _BEARER.search(text[:_LONGEST])
        text = found[1] if found is not None else text[:_LONGEST]
        if status == 401 or (status == 403 and _SHORT_OF_SCOPES.search(text)):
            return cls(status, text)
        return None


class Credentials(Protocol):
    """What HTTP asks before a request, and after one that was not let in."""

    async def authorization(self) -> str | None:
        """The value of `Authorization` for the upstream, None for no such header. Waits only where no valid one is."""
        ...

    async def refused(self, challenge: Challenge, used: str | None, *, may_ask: bool) -> bool | str:
        """Do what a challenge asks for. True: try once more. A text: why that is no use, and the cure. False: no idea.

        `used` is what the refused request carried; `may_ask` says whether a person may be asked for it.
        """
        ...

    def close(self) -> None:
        """Nothing is asked any more."""
        ...


def is_credential(header: str) -> bool:
    """Whether a header of this name says who somebody is, so that its value is nobody else's business."""
    return _CREDENTIALS.search(header) is not None
