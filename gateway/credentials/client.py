"""What the settings say of this gateway as an OAuth client, and the command that signs it in."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from gateway.errors import typed

Flow: TypeAlias = Literal["code", "client_credentials"]
"""By whom the gateway is let in: a person with a browser, or its own id and secret."""


def server_of(url: str) -> str:
    """What a server is named by wherever it is named: its address without the query, which may be a secret."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


@dataclass(frozen=True, slots=True)
class Client:
    """One upstream, and who we are there. `id` None: the authorization server is asked to register us."""

    upstream: str
    folder: Path
    id: str | None = None
    secret: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    """A private key (PEM) that signs for the client, instead of a secret."""
    metadata_url: str | None = None
    issuer: str | None = None
    """The only authorization server that may see `secret`, and that tokens are taken from; None: whoever is named."""
    scopes: str | None = None
    port: int = 0
    """Where the browser comes back to on this machine; 0 takes any that is free."""
    flow: Flow = "code"
    state: str | None = None
    """The state file beside which `folder` is, where it is not the usual one."""
    profile: str | None = None
    """The profile that says the rest, the place of the secret above all; None where it is the usual one."""

    @property
    def name(self) -> str:
        """What the sign-in is kept under: a digest, because a URL is no file name."""
        return hashlib.sha256(f"{self.upstream}\n{self.id or ''}".encode()).hexdigest()[:32]

    @property
    def file(self) -> Path:
        """Where the sign-in is kept."""
        return self.folder / f"{self.name}.json"

    @property
    def server(self) -> str:
        """What it is named by."""
        return server_of(self.upstream)

    @property
    def login(self) -> str:
        """The command that signs in at this server, without anything secret."""
        return self._command(
            "login",
            ("--oauth-client-metadata-url", self.metadata_url),
            ("--oauth-issuer", self.issuer),
            ("--oauth-scopes", self.scopes),
            ("--oauth-flow", None if self.flow == "code" else self.flow),
            ("--oauth-redirect-port", str(self.port) if self.port else None),
        )

    @property
    def logout(self) -> str:
        """The command that forgets this sign-in."""
        return self._command("logout")

    @property
    def tools(self) -> str:
        """The command that shows what this sign-in reaches."""
        return self._command("tools")

    def _command(self, verb: str, *flags: tuple[str, str | None]) -> str:
        """A command for this very sign-in. Of a query only that there is one: whoever wrote it knows it."""
        upstream = f"{self.server}?..." if urlsplit(self.upstream).query else self.server
        words = ["keyid-gateway", verb, *(() if self.profile is None else ("--profile", self.profile))]
        words += ["--upstream", upstream]
        for flag, value in (("--state", self.state), ("--oauth-client-id", self.id), *flags):
            if value is not None:
                words += [flag, value]
        return typed(*words)
