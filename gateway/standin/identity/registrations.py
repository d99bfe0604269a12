"""Registration sessions: one sign-up attempt at one service, and what arrives for it.

    active -> completed | blocked | expired

A message that could belong to exactly one open session is attached to it. If it could belong to several, every one
of them gets the artifact, marked ambiguous, and becomes `ambiguous` itself: still open, but a person should look.
While a session holds the SMS lease, every SMS belongs to it alone; there is one lease.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from gateway.standin.identity.failure import ToolFailure
from gateway.standin.identity.mailbox import Message
from gateway.standin.identity.moments import shown

Status = Literal["active", "ambiguous", "completed", "blocked", "expired"]
OPEN: frozenset[Status] = frozenset({"active", "ambiguous"})
LIFETIME = 1800.0
"""Seconds until a session expires that was started without a moment of its own."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something that proves control of an address: a code, a link, an authenticator secret."""

    artifact_id: str
    type: str
    value: str
    channel: str
    message_id: str | None
    at: float
    ambiguous: bool = False

    def as_json(self) -> dict[str, object]:
        """The artifact as tools show it."""
        return {
            "artifact_id": self.artifact_id,
            "type": self.type,
            "value": self.value,
            "channel": self.channel,
            "message_id": self.message_id,
            "received_at": shown(self.at),
            "ambiguous": self.ambiguous,
        }


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a session waits for; patterns are regular expressions, empty tuples and None mean any."""

    channels: tuple[str, ...] = ("email",)
    senders: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    sender_pattern: re.Pattern[str] | None = None
    subject_pattern: re.Pattern[str] | None = None
    body_pattern: re.Pattern[str] | None = None

    def excludes(self, message: Message) -> bool:
        """Whether `message` cannot be what is waited for."""
        sender = message.sender.casefold()
        return (
            message.channel not in self.channels
            or (bool(self.senders) and not any(known.casefold() in sender for known in self.senders))
            or _misses(self.sender_pattern, message.sender)
            or _misses(self.subject_pattern, message.subject)
            or _misses(self.body_pattern, message.body)
        )

    @property
    def is_specific(self) -> bool:
        """Whether it says by itself which messages belong, so that the name of the service need not appear."""
        return bool(self.senders) or self.sender_pattern is not None


def _misses(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is not None and pattern.search(text) is None


@dataclass(frozen=True, slots=True)
class RegistrationSession:
    """One sign-up attempt; moments are seconds since the epoch."""

    session_id: str
    service_name: str
    service_domain: str
    started_at: float
    expires_at: float
    expected: Expectation = Expectation()
    status: Status = "active"
    ended_at: float | None = None
    reason: str | None = None
    metadata: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    artifacts: tuple[Artifact, ...] = ()

    def may_own(self, message: Message) -> bool:
        """Whether `message` could have been sent because of this sign-up."""
        if self.status not in OPEN or self.expected.excludes(message):
            return False
        text = f"{message.sender}\n{message.subject}\n{message.body}".casefold()
        return (
            self.expected.is_specific or self.service_domain.casefold() in text or self.service_name.casefold() in text
        )

    def as_json(self, lease_holder: str | None) -> dict[str, object]:
        """The session as tools show it."""
        return {
            "session_id": self.session_id,
            "service_name": self.service_name,
            "service_domain": self.service_domain,
            "status": self.status,
            "expected_channels": list(self.expected.channels),
            "has_sms_lease": lease_holder == self.session_id,
            "started_at": shown(self.started_at),
            "expires_at": shown(self.expires_at),
            "ended_at": None if self.ended_at is None else shown(self.ended_at),
            "reason": self.reason,
            "artifact_count": len(self.artifacts),
            "metadata": dict(self.metadata),
        }


class RegistrationSessions:
    """All sessions by id, and who holds the SMS lease."""

    def __init__(self) -> None:
        self._sessions: dict[str, RegistrationSession] = {}
        self._artifacts = 0
        self.lease_holder: str | None = None

    def next_id(self) -> str:
        """The id that the next session gets."""
        return f"rs_{len(self._sessions) + 1:04d}"

    def add(self, session: RegistrationSession, *, lease: bool) -> RegistrationSession:
        """Start a session; with `lease` it must get the SMS lease, or it does not start (`ToolFailure`)."""
        if lease and self.lease_holder is not None:
            raise ToolFailure(f"the sms lease is held by session `{self.lease_holder}`")
        if lease:
            self.lease_holder = session.session_id
        self._sessions[session.session_id] = session
        return session

    def get(self, session_id: str) -> RegistrationSession:
        """The session with this id, or `ToolFailure`."""
        session = self._sessions.get(session_id)
        if session is None:
            raise ToolFailure(f"there is no registration session `{session_id}`")
        return session

    def all(self) -> list[RegistrationSession]:
        """Every session, newest first."""
        return list(reversed(self._sessions.values()))

    def end(self, session_id: str, status: Status, at: float, reason: str | None = None) -> RegistrationSession:
        """Close an open session and free the lease; a session that is already closed is a `ToolFailure`."""
        session = self.get(session_id)
        if session.status not in OPEN:
            raise ToolFailure(f"registration session `{session_id}` is already {session.status}")
        ended = replace(session, status=status, ended_at=at, reason=reason)
        self._sessions[session_id] = ended
        if self.lease_holder == session_id:
            self.lease_holder = None
        return ended

    def note(self, session_id: str, metadata: Mapping[str, object]) -> RegistrationSession:
        """Add to what is noted about a session."""
        session = self.get(session_id)
        self._sessions[session_id] = replace(session, metadata={**session.metadata, **metadata})
        return self._sessions[session_id]

    def expire(self, now: float) -> None:
        """Close what has run out of time at `now`."""
        for session in list(self._sessions.values()):
            if session.status in OPEN and session.expires_at <= now:
                self.end(session.session_id, "expired", session.expires_at)

    def attach(self, message: Message) -> None:
        """Give the codes and links of `message` to the sessions it may belong to."""
        owners = self._owners_of(message)
        found = [("otp_code", code) for code in message.codes] + [("magic_link", link) for link in message.links]
        for session in owners if found else ():
            artifacts = tuple(self._artifact(kind, value, message, ambiguous=len(owners) > 1) for kind, value in found)
            status: Status = "ambiguous" if len(owners) > 1 else session.status
            self._sessions[session.session_id] = replace(
                session, status=status, artifacts=session.artifacts + artifacts
            )

    def _owners_of(self, message: Message) -> list[RegistrationSession]:
        if message.channel == "sms" and self.lease_holder is not None:
            return [self._sessions[self.lease_holder]]
        return [session for session in self._sessions.values() if session.may_own(message)]

    def _artifact(self, kind: str, value: str, message: Message, *, ambiguous: bool) -> Artifact:
        self._artifacts += 1
        name = f"art_{self._artifacts:04d}"
        return Artifact(name, kind, value, message.channel, message.message_id, message.at, ambiguous)
