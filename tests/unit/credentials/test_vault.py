"""The keyring, with one of the test's own: a backend that keeps everything in a dictionary."""

from collections.abc import Iterator
from dataclasses import replace

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

from gateway.credentials import vault
from gateway.credentials.records import Record, Secret
from gateway.errors import ConfigError
from gateway.settings import load

RECORD = Record(
    upstream="https://a.example/mcp",
    issuer="https://issuer.example",
    client_id="me",
    scope=None,
    obtained_at=1000.0,
    expires_at=None,
    metadata={},
    resource=None,
    secret=Secret("access", "refresh"),
)


class Dictionary(KeyringBackend):
    """A keyring in memory."""

    priority = 5

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked
        return self.values.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise KeyringLocked
        self.values[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.values:
            raise PasswordDeleteError
        del self.values[service, username]


@pytest.fixture
def ring() -> Iterator[Dictionary]:
    before = keyring.get_keyring()
    made = Dictionary()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def test_the_secret_part_goes_into_the_keyring_and_comes_back(ring: Dictionary) -> None:
    written = vault.keep("x", RECORD)
    assert (written.kept, written.secret) == ("keyring", None)
    assert list(ring.values) == [("keyid-gateway", "x")]
    assert vault.complete("x", written) == replace(RECORD, kept="keyring")
    vault.forget("x", written)
    assert ring.values == {}
    assert vault.complete("x", written) is None
    vault.forget("x", written)


def test_a_keyring_that_is_locked_is_none(ring: Dictionary) -> None:
    ring.locked = True
    assert vault.keep("x", RECORD) == RECORD
    assert vault.complete("x", replace(RECORD, kept="keyring", secret=None)) is None


def test_one_that_only_pretends_is_none(ring: Dictionary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dictionary, "priority", 0.5)
    assert not vault.usable()
    assert vault.keep("x", RECORD) == RECORD
    assert ring.values == {}


def test_somebody_else_has_written_there(ring: Dictionary) -> None:
    ring.values["keyid-gateway", "x"] = "no JSON"
    assert vault.complete("x", replace(RECORD, kept="keyring", secret=None)) is None


def test_a_header_may_be_in_the_keyring(ring: Dictionary, tmp_path: str) -> None:
    ring.values["work", "mcp token"] = "Bearer of the keyring\n"
    settings = load({"header": ["Authorization: keyring:work/mcp token"]}, {"KEYID_GATEWAY_CONFIG_DIR": str(tmp_path)})
    (header,) = settings.header
    assert (header.value, header.literal) == ("Bearer of the keyring", False)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("work", "a value in the keyring is written `keyring:SERVICE/NAME`"),
        ("/token", "a value in the keyring is written `keyring:SERVICE/NAME`"),
        ("work/other", "the keyring has nothing under `work/other`: `keyring set work other` puts it there"),
    ],
)
def test_a_value_that_is_not_there(ring: Dictionary, where: str, message: str) -> None:
    ring.values["work", "token"] = "t"
    with pytest.raises(ConfigError) as refused:
        vault.value(where)
    assert refused.value.message == message


def test_no_keyring_at_all(ring: Dictionary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dictionary, "priority", 0)
    with pytest.raises(ConfigError, match="there is no keyring here"):
        vault.value("work/token")
    assert ring.values == {}
