"""Messages: filters, threads, codes, links."""

import pytest

from gateway.standin.identity.failure import ToolFailure
from gateway.standin.identity.mailbox import Mailbox, Message, Query


@pytest.fixture
def box() -> Mailbox:
    mailbox = Mailbox()
    mailbox.add("email", "inbound", sender="ada@example.com", to="me", subject="Lunch", body="At noon?", at=1.0)
    mailbox.add("email", "outbound", sender="me", to="ada@example.com", subject="Re: Lunch", body="Yes", at=2.0)
    mailbox.add("sms", "inbound", sender="+15550199", to="+15550100", subject="", body="123456 is your code", at=3.0)
    return mailbox


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (Query(), ["msg_0003", "msg_0002", "msg_0001"]),
        (Query(channel="sms"), ["msg_0003"]),
        (Query(direction="outbound"), ["msg_0002"]),
        (Query(sender="ADA"), ["msg_0001"]),
        (Query(subject="lunch"), ["msg_0002", "msg_0001"]),
        (Query(search="noon"), ["msg_0001"]),
        (Query(since=2.0), ["msg_0003", "msg_0002"]),
        (Query(unread_only=True), ["msg_0003", "msg_0001"]),
        (Query(labels=("work",)), []),
    ],
)
def test_a_query_finds_what_it_says_newest_first(box: Mailbox, query: Query, wanted: list[str]) -> None:
    assert [message.message_id for message in box.find(query)] == wanted


def test_an_answer_belongs_to_the_thread_of_its_question(box: Mailbox) -> None:
    assert {key: [message.message_id for message in messages] for key, messages in box.threads().items()} == {
        "thr_0002": ["msg_0003"],
        "thr_0001": ["msg_0001", "msg_0002"],
    }


def test_a_message_that_is_not_there_is_named(box: Mailbox) -> None:
    with pytest.raises(ToolFailure, match=r"^there is no message `msg_9999`$"):
        box.get("msg_9999")


@pytest.mark.parametrize(
    ("body", "codes", "links"),
    [
        ("Your code is 123456.", ["123456"], []),
        ("Call 1234567 or +123456", [], []),
        ("See https://a.example/v?t=654321.", [], ["https://a.example/v?t=654321"]),
        ("(http://a.example/x) and https://b.example/y", [], ["http://a.example/x", "https://b.example/y"]),
    ],
)
def test_codes_and_links_are_found_in_the_text(body: str, codes: list[str], links: list[str]) -> None:
    message = Message("m", "t", "email", "inbound", "from", "to", "subject", body, 0.0)
    assert (message.codes, message.links) == (codes, links)
