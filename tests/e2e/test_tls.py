"""An upstream over https, as nearly every real one is: what is relayed, and whose certificates count.

The authority is one of the test's own, and is trusted by the gateway's process alone. Where the system keeps the
authorities that it trusts is its own affair: `SSL_CERT_FILE` is how OpenSSL is told on Linux.
"""

import json
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.e2e.arena import ERAS, HANDSHAKE, META
from tests.e2e.process import ALLOW_ALL, Gateway, Home, Json
from tests.e2e.scripted import Asked, Line, Reply, Scripted, events, result, said

LARGE = 3 * 2**20
AT_ONCE = 40

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system's own store has to be changed")


@dataclass(frozen=True)
class Authority:
    """An authority for certificates: its own, and the key and certificate of a server, in files."""

    certificate: Path
    server: Path

    @classmethod
    def at(cls, folder: Path) -> "Authority":
        """A new one, whose server is at 127.0.0.1."""
        key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        name, server_name = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, it)]) for it in ("tests", "s"))
        authority = x509.BasicConstraints(ca=True, path_length=0)
        own = _begun(name, name, key).add_extension(authority, critical=True).sign(key, hashes.SHA256())
        address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
        served = _begun(name, server_name, server_key).add_extension(address, critical=False).sign(key, hashes.SHA256())
        found = cls(folder / "authority.pem", folder / "server.pem")
        found.certificate.write_bytes(own.public_bytes(Encoding.PEM))
        kept = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        found.server.write_bytes(kept + served.public_bytes(Encoding.PEM))
        return found

    @property
    def serving(self) -> ssl.SSLContext:
        """What a server needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        return context


def _begun(issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().issuer_name(issuer).subject_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))


def call(arguments: Mapping[str, Json], era: str) -> Json:
    return {"name": "one", "arguments": arguments, "_meta": META[era]}


@contextmanager
def trusted(path: Path, era: str) -> Iterator[tuple[Scripted, Gateway]]:
    """An upstream whose authority the gateway before it trusts; calls may come."""
    authority = Authority.at(path)
    home = Home(path, {"SSL_CERT_FILE": str(authority.certificate)})
    with Scripted(tls=authority.serving) as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        if era == HANDSHAKE:
            gateway.initialize()
        yield upstream, gateway


@pytest.mark.parametrize("era", ERAS)
def test_calls_go_to_a_server_that_the_system_trusts(tmp_path: Path, era: str) -> None:
    """Short ones, long ones in both directions, many at once, on a stream too: nothing is mixed up or cut."""
    with trusted(tmp_path, era) as (upstream, gateway):
        large = "x" * LARGE
        upstream.script("one", result(said(large)))
        assert gateway.request("tools/call", call({"text": large}, era))["result"] == said(large)
        assert upstream.calls("one")[0].message["params"]["arguments"] == {"text": large}
        upstream.script("one", *(result(said(f"answer {number} {'y' * number * 997}")) for number in range(AT_ONCE)))
        ids = [gateway.begin("tools/call", call({"number": number}, era)) for number in range(AT_ONCE)]
        texts = [answer["result"]["content"][0]["text"] for answer in gateway.answers(ids)]
        assert sorted(texts) == sorted(f"answer {number} {'y' * number * 997}" for number in range(AT_ONCE))
        upstream.script("one", events({"jsonrpc": "2.0", "id": None, "result": said("streamed")}))
        assert gateway.request("tools/call", call({}, era))["result"] == said("streamed")
    assert all(record.outcome in (None, "ok") for record in gateway.home.records())


def without_length(text: str) -> Reply:
    """A result that ends where the connection does."""

    def reply(asked: Asked, line: Line) -> None:
        body = json.dumps({"jsonrpc": "2.0", "id": asked.message.get("id"), "result": said(text)}).encode()
        line.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + body)
        line.hang_up()

    return reply


@pytest.mark.parametrize("era", ERAS)
def test_what_a_server_sent_before_it_closed_the_connection_arrives_whole(tmp_path: Path, era: str) -> None:
    """Many at once, so that the end of an answer has come before its middle was read."""
    with trusted(tmp_path, era) as (upstream, gateway):
        upstream.script("one", *[without_length("x" * LARGE)] * AT_ONCE)
        ids = [gateway.begin("tools/call", call({}, era)) for _ in range(AT_ONCE)]
        assert [answer.get("result") == said("x" * LARGE) for answer in gateway.answers(ids)] == [True] * AT_ONCE


@pytest.mark.parametrize("era", ERAS)
def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(tmp_path: Path, era: str) -> None:
    home = Home(tmp_path)
    with Scripted(tls=Authority.at(tmp_path).serving) as upstream:
        with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
            message = gateway.request("tools/call", call({}, era))["error"]["message"]
        assert upstream.everything() == []
    assert message.startswith("cannot connect to the upstream: its certificate is not trusted: ")
    assert message.endswith(": have its authority trusted by this system, or check `--upstream`")
    assert [record.kind for record in home.records()] == ["refused"]
