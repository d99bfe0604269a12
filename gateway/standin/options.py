"""What a stand-in can be told when it is started."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from gateway.errors import UsageError

Protocol = Literal["both", "legacy", "modern"]
"""Which revisions are served: the handshake ones ("legacy"), the stateless 2026-07-28 ("modern"), or both."""


@dataclass(frozen=True, slots=True)
class StandinOptions:
    """How one stand-in listens and answers.

    `port` 0 takes any free one. `page_size` is tools per page of `tools/list`, None for a single page. `journal`
    is a JSON Lines file that is appended to (mode 0600). With `token`, every request must carry it as a bearer
    token; with `oauth`, one that the stand-in's own authorization server issued. Raises `UsageError` for a host that
    is not this machine's loopback, or a page size below one.
    """

    host: str = "127.0.0.1"
    port: int = 0
    json_response: bool = False
    page_size: int | None = None
    journal: Path | None = None
    token: str | None = None
    protocol: Protocol = "both"
    oauth: bool = False

    def __post_init__(self) -> None:
        if not _is_loopback(self.host):
            raise UsageError(f"the stand-in does not listen on `{self.host}`", hint="use a loopback address")
        if self.page_size is not None and self.page_size < 1:
            raise UsageError(f"`{self.page_size}` tools a page are too few", hint="use 1 or more")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
