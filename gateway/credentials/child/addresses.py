"""Which addresses the upstream may send us to for a sign-in: https, and not into a private network.

Metadata names the places that this process then connects to, so whoever writes it could make it knock on doors inside
the network, or read a token off a plain connection (MCP security best practices: Server-Side Request Forgery). Hence:
https, except on the loopback of this machine when the upstream itself is there; no private, link-local or otherwise
special address, except those of the host that the settings name anyway (the upstream, the issuer). Every request is
checked, redirects too, and goes to the address that was checked.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from gateway.credentials.child import failures

_NAT64: Final = IPv6Network("64:ff9b::/96")


class Addresses:
    """The rule for one upstream. `upstream` and `issuer` are what the settings say."""

    def __init__(self, upstream: str, issuer: str | None) -> None:
        parts = urlsplit(upstream)
        self._upstream = upstream
        self._at_home = is_loopback(parts.hostname or "")
        self._named = {parts.hostname, urlsplit(issuer).hostname if issuer else parts.hostname}

    def check(self, url: str) -> SplitResult:
        """The parts of a URL that may be used. Raises `Stopped`; says nothing yet of where its name leads."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            raise failures.address(url, "it cannot be read") from None
        if parts.scheme not in ("http", "https") or not host or parts.username or parts.password:
            raise failures.address(url, "an https:// address without credentials is needed")
        if parts.scheme == "http" and url != self._upstream and not (self._at_home and is_loopback(host)):
            raise failures.address(url, "https is needed")
        return parts

    async def resolve(self, url: str) -> list[str]:
        """The addresses that a URL leads to. Raises `Stopped` where one of them is not allowed."""
        parts = self.check(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise failures.unavailable(parts.netloc, "cannot be found: its name leads nowhere") from None
        addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
        if host not in self._named:
            for address in addresses:
                self._check_address(url, address)
        return addresses

    def _check_address(self, url: str, text: str) -> None:
        address = _inner(ip_address(text.partition("%")[0]))
        if address.is_loopback and self._at_home:
            return
        if not address.is_global or address.is_multicast:
            raise failures.address(url, "it leads into a private network")


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine: `localhost`, 127.0.0.0/8, ::1."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return _inner(ip_address(host)).is_loopback
    except ValueError:
        return False


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address only carries: mapped, 6to4, NAT64."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
