"""Secrets and one-time passwords."""

from gateway.standin.identity.failure import ToolFailure
from gateway.standin.identity.moments import read
from gateway.standin.identity.totp import code_at, seconds_left
from gateway.standin.tools.call import Call, Structured


def put_secret(call: Call) -> Structured:
    given, key = call.given, call.given.text("key")
    if given.maybe("expires_at") is not None:
        read("expires_at", given.text("expires_at"))
    call.identity.shelves.secrets[key] = {
        "key": key,
        "value": given.text("value"),
        "content_type": given.maybe("content_type") or "text/plain",
        "expires_at": given.maybe("expires_at"),
    }
    return {"key": key, "saved": True}


def get_secret(call: Call) -> Structured:
    key = call.given.text("key")
    secret = call.identity.shelves.secrets.get(key)
    if secret is None:
        raise ToolFailure(f"there is no secret `{key}`")
    expires_at = secret["expires_at"]
    if isinstance(expires_at, str) and read("expires_at", expires_at) <= call.identity.clock.now():
        raise ToolFailure(f"secret `{key}` has expired")
    return {"secret": secret}


def list_totp_entries(call: Call) -> Structured:
    return {"entries": [entry.as_json() for entry in call.identity.shelves.totp.values()]}


def get_totp_code(call: Call) -> Structured:
    totp_id, now = call.given.text("totp_id"), call.identity.clock.now()
    entry = call.identity.shelves.totp.get(totp_id)
    if entry is None:
        raise ToolFailure(f"there is no totp entry `{totp_id}`")
    return {"totp_id": totp_id, "code": code_at(entry, now), "expires_in": seconds_left(entry, now)}
