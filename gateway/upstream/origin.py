"""Where requests go, and how far a redirect may lead: never beyond the origin that the settings name.

The origin (RFC 6454: scheme, host and port) is what credentials were given for and what a person has agreed to. Only
307 and 308 are followed (RFC 9110, sections 15.4.8 and 15.4.9): they say that the request was not taken here and is to
be made elsewhere with its method and its body, so that nothing runs twice. After any other redirect a POST may have
run.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

_TARGET: Final = "/?:@!$&'()*+,;=-._~%"
FOLLOWED: Final = frozenset({307, 308})
MOST_REDIRECTS: Final = 3


@dataclass(frozen=True, slots=True)
class Origin:
    """Where requests go: scheme, host and port of a URL, and the target that is asked for."""

    host: str
    port: int
    tls: bool
    target: str

    @classmethod
    def of(cls, url: str) -> "Origin":
        """The origin and target of an absolute http(s) URL."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_TARGET)
        return cls(parts.hostname or "", parts.port or (443 if tls else 80), tls, target)

    @property
    def authority(self) -> str:
        """What the `Host` header says (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def redirected(self, target: str, location: str) -> str | None:
        """The target that a `Location` in the answer to `target` leads to; None where it is not within this origin."""
        base = f"{'https' if self.tls else 'http'}://{self.authority}{target}"
        try:
            url = urljoin(base, location)
            parts = urlsplit(url)
            found = Origin.of(url)
        except ValueError:  # such as half an IPv6 address, or a port that is none
            return None
        same = (found.host, found.port, found.tls) == (self.host, self.port, self.tls)
        if not location or not same or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            return None
        return found.target


def shown(location: str) -> str:
    """A `Location` as a person may read it: without its query, which may hold secrets."""
    try:
        parts = urlsplit(location)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "nowhere"
    where = f"{parts.scheme}://{parts.hostname}{port}{parts.path}" if parts.hostname else parts.path
    printable = "".join(char if char.isprintable() and char != "`" else "?" for char in where)
    return f"`{printable[:200]}`" if where else "nowhere"
