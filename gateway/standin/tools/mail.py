"""Mail and SMS: listing, reading, sending, waiting."""

from collections.abc import Iterator
from dataclasses import replace

import anyio

from gateway.standin.identity import Identity
from gateway.standin.identity.failure import ToolFailure
from gateway.standin.identity.mailbox import Message, Query
from gateway.standin.identity.moments import read, shown
from gateway.standin.tools.call import Arguments, Call, Structured, paged

WAIT, POLL = 30, 2
"""Seconds that a waiting tool waits, and between its polls, when the call does not say."""


def list_messages(call: Call) -> Structured:
    call.identity.catch_up()
    return paged(call, "messages", (message.as_json() for message in call.identity.mailbox.find(_query(call.given))))


def get_message(call: Call) -> Structured:
    message = call.identity.mailbox.get(call.given.text("message_id"))
    return {"message": message.as_json()}


def update_message(call: Call) -> Structured:
    given = call.given
    message = call.identity.mailbox.get(given.text("message_id"))
    changed = replace(
        message,
        is_read=given.flag("is_read", default=message.is_read),
        is_starred=given.flag("is_starred", default=message.is_starred),
        labels=given.texts("labels") if "labels" in given.raw else message.labels,
    )
    return {"message": call.identity.change(changed).as_json()}


def list_threads(call: Call) -> Structured:
    call.identity.catch_up()
    wanted = set(call.given.texts("labels"))
    threads = (_thread(thread_id, messages) for thread_id, messages in call.identity.mailbox.threads().items())
    return paged(call, "threads", (thread for thread, labels in threads if wanted <= labels))


def get_thread(call: Call) -> Structured:
    thread_id = call.given.text("thread_id")
    messages = call.identity.mailbox.threads().get(thread_id)
    if messages is None:
        raise ToolFailure(f"there is no thread `{thread_id}`")
    return {"thread": _thread(thread_id, messages)[0], "messages": [message.as_json() for message in messages]}


def send_email(call: Call) -> Structured:
    given, identity = call.given, call.identity
    to, subject, body = given.text("to"), given.text("subject"), given.text("body")
    message = identity.mailbox.add(
        "email", "outbound", sender=identity.email, to=to, subject=subject, body=body, at=identity.clock.now()
    )
    if given.maybe("scheduled_at") is not None:
        at = read("scheduled_at", given.text("scheduled_at"))
        message = identity.mailbox.put(replace(message, status="scheduled", at=at))
    identity.add_contact(to, to)
    return {"message": message.as_json()}


def get_verification_codes(call: Call) -> Structured:
    call.identity.catch_up()
    message_id = call.given.maybe("message_id")
    found = list(call.identity.mailbox.find(_query(call.given)))
    wanted = found if message_id is None else [call.identity.mailbox.get(message_id)]
    return {"codes": [_code(message, code) for message in wanted for code in message.codes]}


def follow_verification_link(call: Call) -> Structured:
    url = _link(call)
    call.identity.shelves.followed.append(url)
    return {"url": url, "status": 200, "followed": True}


async def wait_for_message(call: Call) -> Structured:
    given = call.given
    query = replace(_query(given), direction="inbound", unread_only=True)
    found: Message | None = None
    await call.live.progress(0, None, "waiting for a message")
    with anyio.move_on_after(given.integer("timeout_seconds", WAIT)):
        polls = 0
        while (found := _newest(call.identity, query)) is None:
            polls += 1
            await call.live.arrival(given.integer("poll_interval_seconds", POLL))
            await call.live.progress(polls, None, f"polled {polls} times")
    return {"found": found is not None, "message": None if found is None else found.as_json()}


def _newest(identity: Identity, query: Query) -> Message | None:
    identity.catch_up()
    return next(identity.mailbox.find(query), None)


def _query(given: Arguments) -> Query:
    since = given.maybe("since")
    return Query(
        channel=given.maybe("channel"),
        direction=given.maybe("direction"),
        sender=given.maybe("from"),
        subject=given.maybe("subject"),
        search=given.maybe("search"),
        labels=given.texts("labels"),
        since=None if since is None else read("since", since),
        unread_only=given.flag("unread_only"),
    )


def _thread(thread_id: str, messages: list[Message]) -> tuple[Structured, set[str]]:
    labels = {label for message in messages for label in message.labels}
    people: Iterator[str] = (person for message in messages for person in (message.sender, message.to))
    thread: Structured = {
        "thread_id": thread_id,
        "channel": messages[0].channel,
        "subject": messages[0].subject,
        "participants": sorted(set(people)),
        "message_count": len(messages),
        "last_message_at": shown(messages[-1].at),
        "labels": sorted(labels),
    }
    return thread, labels


def _code(message: Message, code: str) -> Structured:
    return {
        "code": code,
        "channel": message.channel,
        "from": message.sender,
        "message_id": message.message_id,
        "received_at": shown(message.at),
    }


def _link(call: Call) -> str:
    url, message_id = call.given.maybe("url"), call.given.maybe("message_id")
    if url is not None:
        return url
    if message_id is None:
        raise ToolFailure("name a `message_id` or a `url`")
    links, index = call.identity.mailbox.get(message_id).links, call.given.integer("link_index", 0)
    if index >= len(links):
        raise ToolFailure(f"message `{message_id}` has {len(links)} links")
    return links[index]
