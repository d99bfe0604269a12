"""The identity as a whole: what arrives, what goes out by itself, and the way back to the start."""

from gateway.standin.identity import Identity, Post
from gateway.standin.identity.mailbox import Query
from gateway.standin.identity.registrations import RegistrationSession

MAIL = Post("email", "ada@example.com", "Hello", "Are you there?")


def bodies(identity: Identity, query: Query) -> list[str]:
    return [message.body for message in identity.mailbox.find(query)]


def test_a_message_that_arrives_lies_in_the_inbox(identity: Identity) -> None:
    before = identity.revision
    message = identity.receive(MAIL)
    assert identity.mailbox.get(message.message_id).body == "Are you there?"
    assert identity.revision > before


def test_the_auto_reply_answers_mail_while_it_is_on(identity: Identity) -> None:
    identity.receive(MAIL)
    identity.shelves.auto_reply = {"enabled": True, "body": "Away."}
    identity.receive(MAIL)
    assert bodies(identity, Query(direction="outbound")) == ["Away."]


def test_the_mail_of_a_sign_up_arrives_when_one_looks(identity: Identity) -> None:
    session = RegistrationSession("rs_0001", "Acme", "acme.example", 0.0, 4e9)
    identity.sessions.add(session, lease=False)
    identity.expect(session)
    assert bodies(identity, Query(sender="acme.example")) == []
    identity.catch_up()
    identity.catch_up()
    assert len(bodies(identity, Query(sender="acme.example"))) == 1
    assert [artifact.type for artifact in identity.sessions.get("rs_0001").artifacts] == ["otp_code", "magic_link"]


def test_a_reset_forgets_what_was_written(identity: Identity) -> None:
    start = bodies(identity, Query())
    identity.receive(MAIL)
    identity.shelves.secrets["mine"] = {"key": "mine"}
    identity.reset()
    assert bodies(identity, Query()) == start
    assert "mine" not in identity.shelves.secrets
