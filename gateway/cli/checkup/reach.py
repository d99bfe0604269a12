"""The server: whether its name resolves, whether it answers, in which revision, whether we are let in, what it lists.

Each step needs the one before, so they are one check. Nothing is called: the tools are listed, as `tools` does it.
"""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from gateway.cli.checkup.examination import Examined
from gateway.cli.checkup.finding import Finding, failed, ok, unchecked, warning
from gateway.cli.live_list import Seen, fetch
from gateway.cli.words import counted, shown, span
from gateway.credentials import is_credential, vault
from gateway.credentials.client import Client
from gateway.credentials.records import Record, Records
from gateway.disk import why
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.upstream.failures import no_tls, reason
from gateway.upstream.origin import Origin

_CONNECT_SECONDS: Final = 8.0
_CLOCK_SECONDS: Final = 90.0
"""How far two clocks may be apart before tokens, limits and records are not what they seem."""
_WEEK: Final = 7 * 86_400.0
_LATER: Final = ("TLS", "protocol", "tools")


def check(examined: Examined) -> Iterator[Finding]:
    """The lines about the server."""
    settings = examined.known
    origin = Origin.of(settings.upstream)
    try:
        found = {address[4][0] for address in socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)}
    except OSError as error:
        says = f"the name `{shown(origin.host)}` cannot be resolved: {why(error)}"
        yield failed("server", says, "check `--upstream`, the network, and the name server of this machine")
        yield from _not_reached(*_LATER)
        return
    if origin.host not in found:
        yield ok("server", f"the name `{shown(origin.host)}` resolves", addresses=len(found))
    try:
        connection = socket.create_connection((origin.host, origin.port), timeout=_CONNECT_SECONDS)
    except OSError as error:
        says = f"`{shown(settings.server)}` cannot be reached: {reason(error)}"
        yield failed("server", says, "is the server running, and are the host and the port of `--upstream` right?")
        yield from _not_reached(*_LATER)
        return
    with connection:
        yield ok("server", f"`{shown(settings.server)}` accepts connections")
        if origin.tls:
            encrypted = _tls(connection, origin, examined.clock.now())
            yield encrypted
            if encrypted.level == "failed":
                yield from _not_reached(*_LATER[1:])
                return
    yield from _protocol(settings)
    yield from _sign_in(settings, examined.clock.now())


def _not_reached(*abouts: str) -> Iterator[Finding]:
    for about in abouts:
        yield unchecked(about, "the server was not reached")


def _tls(connection: socket.socket, origin: Origin, now: float) -> Finding:
    """TLS as `run` speaks it: by the certificates that this system trusts."""
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        with context.wrap_socket(connection, server_hostname=origin.host) as encrypted:
            certificate, revision = encrypted.getpeercert() or {}, encrypted.version() or "TLS"
    except ssl.SSLError as error:
        says, cure = no_tls(error)
        return failed("TLS", says, cure)
    except OSError as error:
        return failed("TLS", f"no TLS connection: {reason(error)}", "does it speak https at this port?")
    until = certificate.get("notAfter")
    left = ssl.cert_time_to_seconds(until) - now if isinstance(until, str) else None
    if left is not None and left < _WEEK:
        return warning(
            "TLS", f"its certificate ends in {span(left)}", "tell whoever runs the server", revision=revision
        )
    return ok("TLS", f"{revision}, and this system trusts the certificate", revision=revision)


def _protocol(settings: Settings) -> Iterator[Finding]:
    seen = Seen()
    try:
        catalogue = fetch(settings, seen)
    except GatewayError as error:
        yield failed("protocol", error.message, error.hint, status=seen.status)
        yield unchecked("tools", "the server did not list them")
    else:
        names = f"{counted(len(catalogue), 'tool')} mirrored"
        server = f" from {shown(seen.server, 80)}" if seen.server else ""
        yield ok(
            "protocol", f"it is an MCP server, and speaks revision {shown(seen.revision, 20)}", revision=seen.revision
        )
        if len(catalogue):
            yield ok("tools", f"{names}{server}", tools=len(catalogue))
        else:
            yield warning("tools", "the server lists no tools", "is it the right server, and the right sign-in?")
    yield from _clock(seen)


def _clock(seen: Seen) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(seen.date)
    except ValueError:
        yield unchecked("clock", "the server did not say what time it is")
        return
    theirs = theirs if theirs.tzinfo is not None else theirs.replace(tzinfo=UTC)
    apart = (datetime.fromtimestamp(seen.answered_at, UTC) - theirs).total_seconds()
    if abs(apart) <= _CLOCK_SECONDS:
        yield ok("clock", "the clock of this machine agrees with the server's", apart_seconds=round(apart))
        return
    way = "ahead of" if apart > 0 else "behind"
    says = f"the clock of this machine is {span(abs(apart))} {way} the server's"
    cure = "set it, or have the system set it by the network: tokens, limits and records go by it"
    yield warning("clock", says, cure, apart_seconds=round(apart))


# --- as whom ----------------------------------------------------------------------------------------------------------


def _sign_in(settings: Settings, now: float) -> Iterator[Finding]:
    client = settings.oauth
    given = [header.name for header in settings.header if is_credential(header.name)]
    if client is None:
        yield ok("sign-in", "the header `Authorization` of the settings says who we are")
        return
    try:
        record = Records(client.folder).read(client.name)
        record = None if record is None else vault.complete(client.name, record)
    except GatewayError as error:
        yield failed("sign-in", error.message, error.hint)
        return
    if record is None and given:
        yield ok("sign-in", f"{' and '.join(f'`{name}`' for name in given)} of the settings says who we are")
    elif record is None:
        yield ok("sign-in", "nobody is signed in; where the server wants it, that is said above", signed_in=False)
    else:
        yield _kept(client, record, now)


def _kept(client: Client, record: Record, now: float) -> Finding:
    renewable = record.secret is not None and record.secret.refresh_token is not None
    renewable = renewable or client.flow == "client_credentials"
    where = "the keyring" if record.kept == "keyring" else "a file of yours"
    left = None if record.expires_at is None else record.expires_at - now
    if left is not None and left <= 0 and not renewable:
        says = f"the sign-in ended {span(-left)} ago, and cannot be renewed"
        return failed("sign-in", says, f"`{client.login}`", signed_in=False)
    until = "" if left is None else f", for {span(left)} more" if left > 0 else ", to be renewed"
    return ok("sign-in", f"signed in{until} (kept in {where})", signed_in=True, renewable=renewable)
