"""One-time passwords from a shared secret and the time: RFC 6238 over RFC 4226."""

import base64
import hmac
from dataclasses import dataclass
from typing import Literal

Digest = Literal["sha1", "sha256", "sha512"]


@dataclass(frozen=True, slots=True)
class TotpEntry:
    """One authenticator entry; `secret` is base32 without padding, `period` is in seconds."""

    totp_id: str
    issuer: str
    account: str
    secret: str
    digits: int = 6
    period: int = 30
    digest: Digest = "sha1"

    def as_json(self) -> dict[str, object]:
        """The entry as tools show it: without the secret."""
        return {
            "totp_id": self.totp_id,
            "issuer": self.issuer,
            "account": self.account,
            "digits": self.digits,
            "period": self.period,
        }


def code_at(entry: TotpEntry, now: float) -> str:
    """The code that is valid at `now` (seconds since the epoch), RFC 6238 section 4."""
    padded = entry.secret + "=" * (-len(entry.secret) % 8)
    return hotp(base64.b32decode(padded), int(now) // entry.period, entry.digits, entry.digest)


def seconds_left(entry: TotpEntry, now: float) -> int:
    """For how many more seconds the code of `now` is valid: 1 to `period`."""
    return entry.period - int(now) % entry.period


def hotp(key: bytes, counter: int, digits: int, digest: Digest) -> str:
    """The counter-based password, dynamic truncation included (RFC 4226, section 5.3)."""
    mac = hmac.digest(key, counter.to_bytes(8, "big"), digest)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)
