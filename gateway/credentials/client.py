"""What the settings say of this gateway as an OAuth client, and the command that signs it in."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

Flow: TypeAlias = Literal["code", "client_credentials"]
"""By whom the gateway is let in: a person with a browser, or its own id and secret."""


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
        """The upstream without its query, which may be nobody's business."""
        return urlsplit(self.upstream)._replace(query="", fragment="").geturl()

    @property
    def login(self) -> str:
        """The command that signs in at this server, without anything secret."""
        import shlex  # only where somebody has to sign in

        words = ["keyid-gateway", "login", "--upstream", self.server]
        for flag, value in (
            ("--oauth-client-id", self.id),
            ("--oauth-client-metadata-url", self.metadata_url),
            ("--oauth-issuer", self.issuer),
            ("--oauth-scopes", self.scopes),
        ):
            if value is not None:
                words += [flag, value]
        return shlex.join(words)
