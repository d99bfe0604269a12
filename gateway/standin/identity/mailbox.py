"""Mail and SMS of the identity: one list, newest last, grouped into threads."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gateway.standin.identity.failure import ToolFailure
from gateway.standin.identity.moments import shown

Channel = Literal["email", "sms"]
Direction = Literal["inbound", "outbound"]

_REPLY_PREFIX = re.compile(r"^\s*(re|fwd?)\s*:\s*", re.IGNORECASE)
_LINK = re.compile(r"https?://[^\s<>\"')]+[^\s<>\"').,;]")
_CODE = re.compile(r"(?<![\w+/=.-])\d{6}(?!\w)")


@dataclass(frozen=True, slots=True)
class Message:
    """One mail or SMS, in or out; `at` is in seconds since the epoch."""

    message_id: str
    thread_id: str
    channel: Channel
    direction: Direction
    sender: str
    to: str
    subject: str
    body: str
    at: float
    status: str = "delivered"
    is_read: bool = False
    is_starred: bool = False
    labels: tuple[str, ...] = ()

    @property
    def codes(self) -> list[str]:
        """Six-digit numbers standing on their own in subject and body."""
        return _CODE.findall(f"{self.subject}\n{self.body}")

    @property
    def links(self) -> list[str]:
        """Web addresses in the body, in order."""
        return _LINK.findall(self.body)

    def as_json(self) -> dict[str, object]:
        """The message as tools show it."""
        return {
            "message_id": self.message_id,
            "thread_id": self.thread_id,
            "channel": self.channel,
            "direction": self.direction,
            "from": self.sender,
            "to": self.to,
            "subject": self.subject,
            "body": self.body,
            "received_at": shown(self.at),
            "status": self.status,
            "is_read": self.is_read,
            "is_starred": self.is_starred,
            "labels": list(self.labels),
        }


@dataclass(frozen=True, slots=True)
class Query:
    """Which messages are wanted; None and empty mean any. Texts match anywhere, without regard to case."""

    channel: str | None = None
    direction: str | None = None
    sender: str | None = None
    subject: str | None = None
    search: str | None = None
    labels: tuple[str, ...] = ()
    since: float | None = None
    unread_only: bool = False

    def matches(self, message: Message) -> bool:
        """Whether `message` is wanted."""
        return (
            self.channel in (None, message.channel)
            and self.direction in (None, message.direction)
            and _contains(message.sender, self.sender)
            and _contains(message.subject, self.subject)
            and _contains(f"{message.sender}\n{message.to}\n{message.subject}\n{message.body}", self.search)
            and set(self.labels) <= set(message.labels)
            and (self.since is None or message.at >= self.since)
            and not (self.unread_only and (message.is_read or message.direction == "outbound"))
        )


def _contains(text: str, part: str | None) -> bool:
    return part is None or part.casefold() in text.casefold()


class Mailbox:
    """All messages by id, in the order of their arrival."""

    def __init__(self) -> None:
        self._messages: dict[str, Message] = {}
        self._threads: dict[tuple[str, str, str], str] = {}

    def add(
        self, channel: Channel, direction: Direction, *, sender: str, to: str, subject: str, body: str, at: float
    ) -> Message:
        """Put one message into the box; an outbound one counts as read."""
        other = sender if direction == "inbound" else to
        message = Message(
            message_id=f"msg_{len(self._messages) + 1:04d}",
            thread_id=self._thread_of(channel, other, subject),
            channel=channel,
            direction=direction,
            sender=sender,
            to=to,
            subject=subject,
            body=body,
            at=at,
            status="delivered" if direction == "inbound" else "sent",
            is_read=direction == "outbound",
        )
        self._messages[message.message_id] = message
        return message

    def get(self, message_id: str) -> Message:
        """The message with this id, or `ToolFailure`."""
        message = self._messages.get(message_id)
        if message is None:
            raise ToolFailure(f"there is no message `{message_id}`")
        return message

    def put(self, message: Message) -> Message:
        """Replace the message with the id of `message` by it."""
        self._messages[message.message_id] = message
        return message

    def find(self, query: Query) -> Iterator[Message]:
        """The wanted messages, newest first."""
        return filter(query.matches, reversed(self._messages.values()))

    def threads(self) -> dict[str, list[Message]]:
        """Messages by thread, oldest first in each; the thread with the newest message first."""
        grouped: dict[str, list[Message]] = {}
        for message in reversed(self._messages.values()):
            grouped.setdefault(message.thread_id, []).insert(0, message)
        return grouped

    def _thread_of(self, channel: str, peer: str, subject: str) -> str:
        topic = _REPLY_PREFIX.sub("", subject).strip().casefold()
        key = (channel, peer.casefold(), topic)
        return self._threads.setdefault(key, f"thr_{len(self._threads) + 1:04d}")
