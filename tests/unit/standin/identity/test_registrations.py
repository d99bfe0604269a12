"""The life of a registration session, and whose a message is."""

import re
from dataclasses import replace

import pytest

from gateway.standin.identity.failure import ToolFailure
from gateway.standin.identity.mailbox import Channel, Message
from gateway.standin.identity.registrations import Expectation, RegistrationSession, RegistrationSessions, Status

ANY = Expectation(channels=("email", "sms"))


def session(number: int, service: str = "Acme", expected: Expectation = ANY) -> RegistrationSession:
    return RegistrationSession(f"rs_{number}", service, f"{service.lower()}.example", 0.0, 100.0, expected)


def message(text: str, sender: str = "no-reply@acme.example", channel: Channel = "email") -> Message:
    return Message("msg_1", "thr_1", channel, "inbound", sender, "me", "Verify", text, 1.0)


@pytest.fixture
def sessions() -> RegistrationSessions:
    return RegistrationSessions()


def artifacts(sessions: RegistrationSessions, session_id: str) -> list[tuple[str, str, bool]]:
    return [(found.type, found.value, found.ambiguous) for found in sessions.get(session_id).artifacts]


@pytest.mark.parametrize("status", ["completed", "blocked", "expired"])
def test_an_active_session_ends_once(sessions: RegistrationSessions, status: Status) -> None:
    sessions.add(session(1), lease=False)
    assert sessions.end("rs_1", status, 5.0, "why") == replace(session(1), status=status, ended_at=5.0, reason="why")
    with pytest.raises(ToolFailure, match=f"^registration session `rs_1` is already {status}$"):
        sessions.end("rs_1", "completed", 6.0)


@pytest.mark.parametrize(("now", "status"), [(99.9, "active"), (100.0, "expired")])
def test_a_session_expires_at_its_moment(sessions: RegistrationSessions, now: float, status: Status) -> None:
    sessions.add(session(1), lease=False)
    sessions.expire(now)
    assert sessions.get("rs_1").status == status


def test_a_code_and_a_link_attach_on_their_own(sessions: RegistrationSessions) -> None:
    sessions.add(session(1), lease=False)
    sessions.attach(message("Code 123456 or https://acme.example/v"))
    assert artifacts(sessions, "rs_1") == [
        ("otp_code", "123456", False),
        ("magic_link", "https://acme.example/v", False),
    ]
    assert sessions.get("rs_1").status == "active"


def test_what_could_be_for_two_sessions_is_ambiguous_in_both(sessions: RegistrationSessions) -> None:
    for number in (1, 2):
        sessions.add(session(number), lease=False)
    sessions.add(session(3, "Other"), lease=False)
    sessions.attach(message("Code 123456"))
    assert [sessions.get(f"rs_{number}").status for number in (1, 2, 3)] == ["ambiguous", "ambiguous", "active"]
    assert artifacts(sessions, "rs_1") == artifacts(sessions, "rs_2") == [("otp_code", "123456", True)]
    assert sessions.end("rs_1", "completed", 5.0).status == "completed"


def test_a_session_that_has_ended_gets_nothing(sessions: RegistrationSessions) -> None:
    sessions.add(session(1), lease=False)
    sessions.end("rs_1", "completed", 5.0)
    sessions.attach(message("Code 123456"))
    assert artifacts(sessions, "rs_1") == []


@pytest.mark.parametrize(
    ("expected", "attached"),
    [
        (Expectation(channels=("sms",)), False),
        (Expectation(senders=("other.example",)), False),
        (Expectation(senders=("acme.example",)), True),
        (Expectation(sender_pattern=re.compile("^no-reply@")), True),
        (Expectation(subject_pattern=re.compile("^Invoice")), False),
        (Expectation(body_pattern=re.compile(r"\d{6}")), True),
    ],
)
def test_expectations_say_what_belongs(
    sessions: RegistrationSessions, expected: Expectation, *, attached: bool
) -> None:
    sessions.add(session(1, expected=expected), lease=False)
    sessions.attach(message("Code 123456 of acme.example"))
    assert bool(artifacts(sessions, "rs_1")) is attached


def test_there_is_one_sms_lease(sessions: RegistrationSessions) -> None:
    sessions.add(session(1), lease=True)
    with pytest.raises(ToolFailure, match=r"^the sms lease is held by session `rs_1`$"):
        sessions.add(session(2), lease=True)
    with pytest.raises(ToolFailure, match=r"^there is no registration session `rs_2`$"):
        sessions.get("rs_2")
    sessions.end("rs_1", "blocked", 5.0)
    sessions.add(session(2), lease=True)
    assert sessions.lease_holder == "rs_2"


def test_while_the_lease_is_held_every_sms_is_its_holders(sessions: RegistrationSessions) -> None:
    sessions.add(session(1), lease=False)
    sessions.add(session(2, "Other"), lease=True)
    sessions.attach(message("Acme code 123456", sender="+15550199", channel="sms"))
    assert artifacts(sessions, "rs_1") == []
    assert artifacts(sessions, "rs_2") == [("otp_code", "123456", False)]


def test_an_expired_session_gives_the_lease_back(sessions: RegistrationSessions) -> None:
    sessions.add(session(1), lease=True)
    sessions.expire(100.0)
    assert sessions.lease_holder is None
