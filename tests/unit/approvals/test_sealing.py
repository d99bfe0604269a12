"""What a client cannot do to a state of ours: make it, change it, keep it, or move it to another call."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.approvals.sealing import MARK, About, Kept, Seal
from gateway.jsonrpc import Json

ABOUT = About("ada", "https://mail.example/mcp", "send_email", {"to": "a", "n": 1})
KEPT = Kept("k7f2", 1000.0, {"requestState": "theirs", "inputResponses": {"k": {"roots": []}}})


def digest(data: bytes) -> str:
    return blake2b(data, key=b"k" * 32, digest_size=32).hexdigest()


def other_digest(data: bytes) -> str:
    return blake2b(data, key=b"o" * 32, digest_size=32).hexdigest()


SEAL = Seal(digest)


def closed(kept: Kept = KEPT, about: About = ABOUT) -> str:
    state = SEAL.close(kept, about)
    assert state is not None
    return state


def test_what_was_sealed_comes_out_as_it_went_in() -> None:
    assert SEAL.open(closed(), ABOUT, 999.9) == KEPT
    assert closed().startswith(MARK)


def test_the_same_arguments_may_be_written_in_another_way() -> None:
    assert SEAL.open(closed(), replace(ABOUT, arguments={"n": 1, "to": "a"}), 0.0) == KEPT


@pytest.mark.parametrize(
    "change",
    [
        {"grant": "eve"},
        {"server": "https://other.example/mcp"},
        {"tool": "delete_all"},
        {"arguments": {"to": "b", "n": 1}},
    ],
)
def test_it_cannot_be_moved_to_another_call(change: dict[str, Any]) -> None:
    assert SEAL.open(closed(), replace(ABOUT, **change), 0.0) is None


def test_it_counts_only_for_its_time() -> None:
    assert SEAL.open(closed(), ABOUT, 1000.0) is None


def test_nobody_else_makes_one() -> None:
    assert Seal(other_digest).open(closed(), ABOUT, 0.0) is None
    assert SEAL.open(str(Seal(other_digest).close(KEPT, ABOUT)), ABOUT, 0.0) is None


def test_a_digest_of_arguments_is_no_seal() -> None:
    """The log shows keyed digests of what a model has chosen: none of them seals anything."""
    body = urlsafe_b64decode(closed().removeprefix(MARK))[32:]
    forged = urlsafe_b64encode(bytes.fromhex(digest(body)) + body).decode()
    assert SEAL.open(MARK + forged, ABOUT, 0.0) is None


@given(st.integers(min_value=0), st.characters(codec="ascii"))
def test_no_change_of_a_character_passes(place: int, char: str) -> None:
    state = closed()
    place %= len(state)
    changed = f"{state[:place]}{char}{state[place + 1 :]}"
    opened = SEAL.open(changed, ABOUT, 0.0)
    assert opened is None or opened == KEPT  # the last digits of base64 may be written in more than one way
    assert opened is None or place >= len(state) - 4 or changed == state


@given(st.text())
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    assert SEAL.open(text, ABOUT, 0.0) is None
    assert SEAL.open(MARK + text, ABOUT, 0.0) is None


def test_what_no_client_could_bring_back_is_not_sealed() -> None:
    assert SEAL.close(replace(KEPT, carried={"inputResponses": "x" * 2**20}), ABOUT) is None


def test_what_is_carried_may_be_deep() -> None:
    value: Json = "x"
    for _ in range(490):
        value = [value]
    deep = replace(KEPT, carried={"inputResponses": {"k": value}})
    assert SEAL.open(closed(deep), ABOUT, 0.0) == deep
