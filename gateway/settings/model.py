"""Everything that a gateway may be told, in one value."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import platformdirs

from gateway.approvals.desktop import Mode as Asks
from gateway.credentials.client import Client, Flow, server_of
from gateway.filters import Listing
from gateway.pinned import Mode as Pins
from gateway.policy import Layer
from gateway.settings.values import Header
from gateway.state.arguments import Keep, Keeping, Redact

APP: Final = "keyid-gateway"
KEYID: Final = "keyid"
"""The profile that is there without being written, and in use where none is named."""


def usual_state() -> Path:
    """Where the state file is unless somebody says otherwise."""
    return Path(platformdirs.user_state_dir(APP)) / "state.db"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that `run` may be told. Times in seconds, sizes in bytes."""

    profile: str
    upstream: str
    policy: str | None
    project_policy: Path | None
    grant: str
    state: Path
    header: tuple[Header, ...]
    switch_off: frozenset[str]
    list: Listing
    conceal_hidden: bool
    pins: Pins
    approval_wait: float
    approve_in_client: tuple[str, ...]
    approve_desktop: Asks
    log_level: str
    log_file: Path
    connect_timeout: float
    request_timeout: float
    call_timeout: float
    call_ceiling: float
    idle_timeout: float
    max_message_bytes: int
    max_depth: int
    audit_arguments: tuple[Keep, ...]
    audit_redact: tuple[Redact, ...]
    sign_in: bool
    oauth_client_id: str | None
    oauth_client_secret: str | None = field(repr=False)
    oauth_client_key: str | None = field(repr=False)
    oauth_client_metadata_url: str | None
    oauth_issuer: str | None
    oauth_scopes: str | None
    oauth_flow: Flow
    oauth_redirect_port: int
    config_dir: Path

    @property
    def oauth(self) -> Client | None:
        """This gateway as an OAuth client; None where a header of the settings says who it is."""
        if any(header.name.lower() == "authorization" for header in self.header):
            return None
        return Client(
            self.upstream,
            self.state.parent / "credentials",
            self.oauth_client_id,
            self.oauth_client_secret,
            self.oauth_client_key,
            self.oauth_client_metadata_url,
            self.oauth_issuer,
            self.oauth_scopes,
            self.oauth_redirect_port,
            self.oauth_flow,
            None if self.state == usual_state() else str(self.state),
            None if self.profile == KEYID else self.profile,
        )

    @property
    def server(self) -> str:
        """The upstream's address without its query: what counters and records name it by."""
        return server_of(self.upstream)

    @property
    def keeping(self) -> Keeping:
        """What the audit log keeps of arguments."""
        return Keeping(self.audit_arguments, self.audit_redact)

    @property
    def site_policies(self) -> tuple[Path, ...]:
        """Where an administrator may keep a policy that every call needs.

        A variable of the environment can move the folder on some platforms; the one that it cannot move counts as well.
        """
        folders = [Path(platformdirs.site_config_dir(APP))]
        if sys.platform not in ("win32", "darwin"):
            folders.append(Path("/etc/xdg") / APP)
        return tuple(folder / f"policy.{ending}" for folder in dict.fromkeys(folders) for ending in ("json", "yaml"))

    @property
    def overlays(self) -> tuple[tuple[Path, Layer], ...]:
        """The files that can only restrict what the policy lets through, and whose they are; not all of them exist."""
        files: tuple[tuple[Path, Layer], ...] = tuple((file, "site") for file in self.site_policies)
        return files if self.project_policy is None else (*files, (self.project_policy, "project"))

    @property
    def user_policy(self) -> Path:
        """The policy that is in force where no flag names one."""
        return self.config_dir / "policy.json"
