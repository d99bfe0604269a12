"""Codes against the vectors that the RFCs print."""

import base64

import pytest

from gateway.standin.identity.totp import Digest, TotpEntry, code_at, hotp, seconds_left

SEED = b"12345678901234567890"
SEEDS: dict[Digest, bytes] = {"sha1": SEED, "sha256": (SEED * 2)[:32], "sha512": (SEED * 4)[:64]}

RFC_6238_APPENDIX_B: list[tuple[int, Digest, str]] = [
    (59, "sha1", "94287082"),
    (59, "sha256", "46119246"),
    (59, "sha512", "90693936"),
    (1111111109, "sha1", "07081804"),
    (1111111109, "sha256", "68084774"),
    (1111111109, "sha512", "25091201"),
    (1111111111, "sha1", "14050471"),
    (1111111111, "sha256", "67062674"),
    (1111111111, "sha512", "99943326"),
    (1234567890, "sha1", "89005924"),
    (1234567890, "sha256", "91819424"),
    (1234567890, "sha512", "93441116"),
    (2000000000, "sha1", "69279037"),
    (2000000000, "sha256", "90698825"),
    (2000000000, "sha512", "38618901"),
    (20000000000, "sha1", "65353130"),
    (20000000000, "sha256", "77737706"),
    (20000000000, "sha512", "47863826"),
]

RFC_4226_APPENDIX_D = (
    "755224",
    "287082",
    "359152",
    "969429",
    "338314",
    "254676",
    "287922",
    "162583",
    "399871",
    "520489",
)


@pytest.mark.parametrize(("now", "digest", "code"), RFC_6238_APPENDIX_B)
def test_the_code_at_a_moment_is_that_of_rfc_6238(now: int, digest: Digest, code: str) -> None:
    secret = base64.b32encode(SEEDS[digest]).decode().rstrip("=")
    assert code_at(TotpEntry("t", "i", "a", secret, digits=8, digest=digest), now) == code


@pytest.mark.parametrize(("counter", "code"), list(enumerate(RFC_4226_APPENDIX_D)))
def test_the_code_at_a_counter_is_that_of_rfc_4226(counter: int, code: str) -> None:
    assert hotp(SEED, counter, 6, "sha1") == code


@pytest.mark.parametrize(("now", "left"), [(0.0, 30), (29.9, 1), (30.0, 30), (45.5, 15)])
def test_the_rest_of_the_period_is_counted_in_whole_seconds(now: float, left: int) -> None:
    assert seconds_left(TotpEntry("t", "i", "a", "GEZDGNBV"), now) == left
