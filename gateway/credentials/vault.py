"""The system's keyring: the secret part of sign-ins, and header values that a person put there.

The library is an extra (`pip install 'keyid-gateway[keyring]'`), takes a fifth of a second to import, and may ask the
person for a password, so that `run` never imports it: the helper does. A backend that only pretends (none, null, a file
in plain text) is not one.
"""

import json
from dataclasses import asdict, replace
from typing import Final

from gateway.credentials.records import Record, Secret, secret_from
from gateway.errors import ConfigError

SERVICE: Final = "keyid-gateway"
_LEAST_PRIORITY: Final = 1
"""Of a backend that keeps secrets as a system does; the library's own scale."""


def usable() -> bool:
    """Whether there is a keyring that deserves the name."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return False
    try:
        return float(keyring.get_keyring().priority) >= _LEAST_PRIORITY
    except (KeyringError, RuntimeError):  # a backend that cannot work here says so when its priority is asked
        return False


def keep(name: str, record: Record) -> Record:
    """Put the secret into the keyring where there is one that takes it; the record, as it is to be written."""
    if record.secret is None or not usable():
        return replace(record, kept="file")
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(SERVICE, name, json.dumps(asdict(record.secret)))
    except (KeyringError, OSError, RuntimeError):  # locked, or too small for a long token (Windows)
        return replace(record, kept="file")
    return replace(record, kept="keyring", secret=None)


def complete(name: str, record: Record) -> Record | None:
    """A record with its secret; None where the keyring no longer has it."""
    if record.kept == "file":
        return record if record.secret is not None else None
    secret = _find(SERVICE, name)
    if secret is None:
        return None
    try:
        return replace(record, secret=_secret(secret))
    except (ValueError, TypeError):
        return None


def forget(name: str, record: Record | None) -> None:
    """Take the secret out of the keyring, if it is there."""
    if record is None or record.kept == "file":
        return
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return
    try:
        keyring.delete_password(SERVICE, name)
    except (KeyringError, RuntimeError):  # it was not there
        return


def value(where: str) -> str:
    """The value that a person keeps under `SERVICE/NAME`. Raises `ConfigError` with the cure."""
    service, slash, name = where.partition("/")
    if not (slash and service and name):
        raise ConfigError("a value in the keyring is written `keyring:SERVICE/NAME`")
    if not usable():
        raise ConfigError("there is no keyring here: install `keyid-gateway[keyring]`, or use `env:` or `file:`")
    found = _find(service, name)
    if not found:
        raise ConfigError(f"the keyring has nothing under `{where}`: `keyring set {service} {name}` puts it there")
    return found


def _find(service: str, name: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password(service, name)
    except (KeyringError, RuntimeError):
        return None


def _secret(text: str) -> Secret:
    return secret_from(json.loads(text))
