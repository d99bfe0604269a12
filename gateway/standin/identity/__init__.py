"""One invented identity, in memory: what the tools of the stand-in read and change.

Everything comes back as it was written, ids count upwards, and nothing is random, so a test or a demonstration can
say beforehand what will happen. `reset` takes it back to `start`.
"""

from dataclasses import dataclass, field, replace
from hashlib import sha256

from gateway.clock import Clock
from gateway.standin.identity import start
from gateway.standin.identity.mailbox import Channel, Mailbox, Message
from gateway.standin.identity.registrations import RegistrationSession, RegistrationSessions
from gateway.standin.identity.totp import TotpEntry

Record = dict[str, object]
"""One stored thing in the shape in which its tools show it."""


@dataclass(frozen=True, slots=True)
class Post:
    """A message on its way in."""

    channel: Channel
    sender: str
    subject: str
    body: str


@dataclass(slots=True)
class Shelves:
    """Stored things by key: plain collections that only their own tools touch."""

    secrets: dict[str, Record] = field(default_factory=dict)
    totp: dict[str, TotpEntry] = field(default_factory=dict)
    files: dict[str, Record] = field(default_factory=dict)
    pages: dict[str, Record] = field(default_factory=dict)
    page_files: dict[tuple[str, str], Record] = field(default_factory=dict)
    crons: dict[str, Record] = field(default_factory=dict)
    contacts: dict[str, Record] = field(default_factory=dict)
    registrations: dict[str, Record] = field(default_factory=dict)
    persona: Record = field(default_factory=dict)
    auto_reply: Record = field(default_factory=lambda: {"enabled": False})
    followed: list[str] = field(default_factory=list)


class Identity:
    """The whole identity; `revision` grows with every change of the inbox."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.revision = 0
        self.reset()

    def reset(self) -> None:
        """Back to the start: what was written is gone."""
        self.email = start.EMAIL
        self.display_name = start.DISPLAY_NAME
        self.phone: str | None = None
        self.mailbox = Mailbox()
        self.sessions = RegistrationSessions()
        self.shelves = Shelves()
        self._ids: dict[str, int] = {}
        self._pending: list[Post] = []
        self._fill()
        self.revision += 1

    def next_id(self, prefix: str) -> str:
        """`prefix_0001`, `prefix_0002`, ... in order."""
        self._ids[prefix] = self._ids.get(prefix, 0) + 1
        return f"{prefix}_{self._ids[prefix]:04d}"

    def receive(self, post: Post) -> Message:
        """A message arrives: it lies in the inbox, its codes and links go to sign-ups, an auto reply may go out."""
        now = self.clock.now()
        to = self.email if post.channel == "email" else self.phone or start.PHONE
        message = self.mailbox.add(
            post.channel, "inbound", sender=post.sender, to=to, subject=post.subject, body=post.body, at=now
        )
        self.sessions.attach(message)
        if post.channel == "email" and self.shelves.auto_reply["enabled"]:
            self._reply_to(message)
        self.revision += 1
        return message

    def change(self, message: Message) -> Message:
        """Replace a message by a changed one."""
        self.revision += 1
        return self.mailbox.put(message)

    def expect(self, session: RegistrationSession) -> None:
        """The service of `session` will send what it sends to everybody who signs up."""
        digest = int.from_bytes(sha256(session.session_id.encode()).digest()[:8], "big")
        code, token = f"{digest % 1_000_000:06d}", f"{digest:016x}"
        service, domain = session.service_name, session.service_domain
        if "email" in session.expected.channels:
            link = f"https://{domain}/verify?token={token}"
            body = f"Welcome to {service}. Your code is {code}.\nOr follow this link: {link}\n"
            sender = session.expected.senders[0] if session.expected.senders else f"no-reply@{domain}"
            self._pending.append(Post("email", sender, f"Verify your {service} account", body))
        if "sms" in session.expected.channels:
            self._pending.append(Post("sms", start.PHONE[:-2] + "99", "", f"{code} is your {service} code"))

    def catch_up(self) -> None:
        """Let arrive what is on its way, and end what has run out of time; called before anything is listed."""
        self.sessions.expire(self.clock.now())
        pending, self._pending = self._pending, []
        for post in pending:
            self.receive(post)

    def _reply_to(self, message: Message) -> None:
        reply = self.shelves.auto_reply
        subject = str(reply.get("subject") or f"Re: {message.subject}")
        body = str(reply.get("body") or "")
        sent = self.mailbox.add(
            "email", "outbound", sender=self.email, to=message.sender, subject=subject, body=body, at=message.at
        )
        self.mailbox.put(replace(sent, labels=("auto-reply",)))

    def _fill(self) -> None:
        now = self.clock.now()
        for sender, subject, body in start.INBOX:
            self.mailbox.add("email", "inbound", sender=sender, to=self.email, subject=subject, body=body, at=now)
        for entry in start.TOTP_ENTRIES:
            self.shelves.totp[entry.totp_id] = entry
        for key, value in start.SECRETS.items():
            self.shelves.secrets[key] = {"key": key, "value": value, "content_type": "text/plain", "expires_at": None}
        for name, address in start.CONTACTS:
            self.add_contact(name, address)
        self.shelves.persona = dict(start.PERSONA)

    def add_contact(self, name: str, address: str) -> None:
        """Remember a correspondent, once."""
        known = (contact["address"] for contact in self.shelves.contacts.values())
        if address not in known:
            contact_id = self.next_id("con")
            self.shelves.contacts[contact_id] = {"contact_id": contact_id, "name": name, "address": address}
