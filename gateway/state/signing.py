"""Signatures of heads: Ed25519 (RFC 8032), by a key in a file of this user, mode 0600.

Heads are signed, records are not: a key that every gateway reads could be read by whoever can write the log, so a
signature of each record would cost every call and say no more than the chain does. What a signature of a head adds is
that its receiver knows from whom it is, whatever it came through.

The library (`cryptography`, the extra `signing`; the SDK's own dependencies bring it along) is imported where something
is signed or checked, never by `run`.
"""

import base64
import binascii
import stat
import sys
from pathlib import Path
from typing import Final, Literal, TypeAlias

from gateway import disk
from gateway.errors import ConfigError, typed
from gateway.state.heads import Head

_EXTRA: Final = "install it: `pip install 'keyid-gateway[signing]'`"
_LARGEST: Final = 65_536

Signature: TypeAlias = Literal["good", "missing", "of another key", "wrong"]
"""Under one key: it is by it, there is none, the head names another key, or it does not belong to this head."""


def make_key(path: Path) -> str:
    """Make a key at `path`, which must be free; its public part, base64. Raises `ConfigError`."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise ConfigError("signing needs the package `cryptography`", _EXTRA) from None
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        disk.make_private(path.parent)
        disk.create(path, text)
    except OSError as error:
        raise _unusable(path, error) from error
    return _text(key.public_key().public_bytes_raw())


def public_part(path: Path) -> str:
    """The public part of the key at `path`, base64. Raises `ConfigError`."""
    return sign(Head(""), path).key


def sign(head: Head, path: Path) -> Head:
    """The head with a signature by the key at `path`. Raises `ConfigError`."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise ConfigError(f"there is a key at `{path}`, and no package `cryptography` to use it", _EXTRA) from None
    try:
        key = load_pem_private_key(_private(path), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"`{path}` is no Ed25519 key without a password", "`keyid-gateway audit key` makes one")
    return head.signed(_text(key.sign(head.signed_bytes())), _text(key.public_key().public_bytes_raw()))


def signature(head: Head, public: str) -> Signature:
    """What becomes of a head's signature under the key with this public part (base64). Raises `ConfigError`."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise ConfigError("checking a signature needs the package `cryptography`", _EXTRA) from None
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
    except (ValueError, binascii.Error):
        raise ConfigError(f"`{public}` is no public key", "`keyid-gateway audit key` prints one") from None
    if not head.signature:
        return "missing"
    try:
        key.verify(base64.b64decode(head.signature, validate=True), head.signed_bytes())
    except (ValueError, InvalidSignature):
        return "wrong" if head.key in ("", public) else "of another key"
    return "good"


def _private(path: Path) -> bytes:
    """What a file holds that only its owner may read."""
    try:
        mode = path.stat().st_mode
        if sys.platform != "win32" and (not stat.S_ISREG(mode) or mode & 0o077):
            raise ConfigError(
                f"the key `{path}` can be read by others", f"make a new one, or: `{typed('chmod', '600', str(path))}`"
            )
        with path.open("rb") as stream:
            return stream.read(_LARGEST)
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"the key `{path}` cannot be used: {disk.why(error)}", "check the owner and the mode of it and its folder"
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
