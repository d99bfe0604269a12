"""Signing up elsewhere: sessions, what arrives for them, and the accounts that came of it."""

import re
from collections.abc import Mapping

import anyio

from gateway.standin.identity import Record
from gateway.standin.identity.failure import ToolFailure
from gateway.standin.identity.moments import read, shown
from gateway.standin.identity.registrations import LIFETIME, Artifact, Expectation, RegistrationSession
from gateway.standin.tools.call import Arguments, Call, Structured, paged
from gateway.standin.tools.mail import POLL, WAIT


def start_registration_session(call: Call) -> Structured:
    given, identity = call.given, call.identity
    identity.catch_up()
    now, service, lease = identity.clock.now(), given.text("service_name"), given.flag("use_sms_lease")
    expires_at = given.maybe("expires_at")
    session = RegistrationSession(
        session_id=identity.sessions.next_id(),
        service_name=service,
        service_domain=given.maybe("service_domain") or _domain_of(service),
        started_at=now,
        expires_at=now + LIFETIME if expires_at is None else read("expires_at", expires_at),
        expected=_expectation(given, lease=lease),
        metadata=given.mapping("metadata"),
    )
    identity.sessions.add(session, lease=lease)
    identity.expect(session)
    return _shown(call, session)


def get_registration_session(call: Call) -> Structured:
    return _shown(call, _session(call))


def list_registration_sessions(call: Call) -> Structured:
    call.identity.catch_up()
    status, service = call.given.maybe("status"), call.given.maybe("service")
    sessions = call.identity.sessions
    return paged(
        call,
        "sessions",
        (
            session.as_json(sessions.lease_holder)
            for session in sessions.all()
            if status in (None, session.status) and service in (None, session.service_name)
        ),
    )


def get_registration_artifacts(call: Call) -> Structured:
    session = _session(call)
    return {"session_id": session.session_id, "artifacts": [artifact.as_json() for artifact in session.artifacts]}


def complete_registration_session(call: Call) -> Structured:
    session, identity = _session(call), call.identity
    ended = identity.sessions.end(session.session_id, "completed", identity.clock.now())
    ended = identity.sessions.note(ended.session_id, call.given.mapping("metadata"))
    account = _account(session.service_name, {"service_url": f"https://{session.service_domain}/"})
    account |= {"email_used": identity.email, "phone_used": identity.phone}
    saved = _save(call, identity.next_id("reg"), account)
    return _shown(call, ended) | {"registration": saved}


def block_registration_session(call: Call) -> Structured:
    session, sessions = _session(call), call.identity.sessions
    sessions.end(session.session_id, "blocked", call.identity.clock.now(), call.given.text("reason"))
    code = call.given.maybe("code")
    noted = {**call.given.mapping("metadata"), **({} if code is None else {"code": code})}
    return _shown(call, sessions.note(session.session_id, noted))


async def wait_for_registration_artifact(call: Call) -> Structured:
    given, artifact = call.given, None
    await call.live.progress(0, None, "waiting for an artifact")
    with anyio.move_on_after(given.integer("timeout_seconds", WAIT)):
        polls = 0
        while (artifact := _first_artifact(call)) is None:
            polls += 1
            await call.live.arrival(given.integer("poll_interval_seconds", POLL))
            await call.live.progress(polls, None, f"polled {polls} times")
    shown_artifact = None if artifact is None else artifact.as_json()
    return {"found": artifact is not None, "session_id": given.text("session_id"), "artifact": shown_artifact}


def save_browser_state(call: Call) -> Structured:
    session = call.identity.sessions.get(call.given.text("session_id"))
    noted = {"browser_state": dict(call.given.mapping("state"))}
    call.identity.sessions.note(session.session_id, noted)
    return {"session_id": session.session_id, "saved": True, "expires_at": call.given.maybe("expires_at")}


def save_registration(call: Call) -> Structured:
    given, accounts = call.given, call.identity.shelves.registrations
    registration_id = given.maybe("registration_id") or call.identity.next_id("reg")
    if given.maybe("registration_id") is not None and registration_id not in accounts:
        raise ToolFailure(f"there is no registration `{registration_id}`")
    account = accounts.get(registration_id) or _account(given.text("service_name"), {})
    changes = {key: value for key, value in given.raw.items() if key != "registration_id"}
    return {"registration": _save(call, registration_id, {**account, **changes})}


def get_registration(call: Call) -> Structured:
    registration_id = call.given.text("registration_id")
    account = call.identity.shelves.registrations.get(registration_id)
    if account is None:
        raise ToolFailure(f"there is no registration `{registration_id}`")
    return {"registration": account}


def list_registrations(call: Call) -> Structured:
    service, status = call.given.maybe("service"), call.given.maybe("status")
    accounts = call.identity.shelves.registrations.values()
    wanted = (one for one in accounts if service in (None, one["service_name"]) and status in (None, one["status"]))
    return paged(call, "registrations", wanted)


def _session(call: Call) -> RegistrationSession:
    call.identity.catch_up()
    return call.identity.sessions.get(call.given.text("session_id"))


def _shown(call: Call, session: RegistrationSession) -> Structured:
    return {"session": session.as_json(call.identity.sessions.lease_holder)}


def _first_artifact(call: Call) -> Artifact | None:
    return next(iter(_session(call).artifacts), None)


def _save(call: Call, registration_id: str, account: Mapping[str, object]) -> Record:
    saved = {**account, "registration_id": registration_id, "updated_at": shown(call.identity.clock.now())}
    call.identity.shelves.registrations[registration_id] = saved
    return saved


def _account(service: str, known: Mapping[str, object]) -> Record:
    unknown = dict.fromkeys(("service_url", "username", "email_used", "phone_used"))
    return {"service_name": service, **unknown, "status": "active", "metadata": {}, **known}


def _domain_of(service: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", service.casefold()).strip("-") + ".example"


def _expectation(given: Arguments, *, lease: bool) -> Expectation:
    channels = given.texts("expected_channels") or ("email",)
    return Expectation(
        channels=channels if not lease or "sms" in channels else (*channels, "sms"),
        senders=given.texts("expected_senders"),
        types=given.texts("expected_artifact_types"),
        sender_pattern=_pattern(given, "sender_pattern"),
        subject_pattern=_pattern(given, "subject_pattern"),
        body_pattern=_pattern(given, "body_pattern"),
    )


def _pattern(given: Arguments, name: str) -> re.Pattern[str] | None:
    text = given.maybe(name)
    try:
        return None if text is None else re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise ToolFailure(f"`{name}` is not a regular expression: {error}") from None
