"""What the SDK's client remembers, as records: alone it keeps neither the expiry nor the metadata (python-sdk #3250).

Tokens are written the moment they arrive, because a rotated refresh token that is lost ends the sign-in.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Final

from mcp.client.auth.oauth2 import OAuthContext
from mcp.shared.auth import OAuthClientInformationFull, OAuthMetadata, OAuthToken, ProtectedResourceMetadata
from pydantic import AnyUrl

from gateway.clock import Clock
from gateway.credentials import vault
from gateway.credentials.client import Client
from gateway.credentials.helper import Granted
from gateway.credentials.records import Record, Records, Secret, margin, secret_from

_LONGEST_SECONDS: Final = 10 * 365 * 86_400
_SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")


class Kept:
    """The SDK's `TokenStorage` over one record, bound to the context whose metadata belongs to the tokens that come."""

    def __init__(self, client: Client, records: Records, record: Record | None, clock: Clock) -> None:
        self.record = record
        self.saved = False
        self._client = client
        self._records = records
        self._clock = clock
        self._context: OAuthContext | None = None

    def bind(self, context: OAuthContext) -> None:
        """Take the metadata of what is stored from here."""
        self._context = context

    def restore(self, context: OAuthContext) -> None:
        """Give the SDK's client what it does not restore itself: whose tokens these are."""
        record = self.record
        if record is None:
            return
        context.oauth_metadata = OAuthMetadata.model_validate(record.metadata)
        context.auth_server_url = record.issuer
        if record.resource is not None:
            context.protected_resource_metadata = ProtectedResourceMetadata.model_validate(record.resource)

    def valid(self, refused: str | None) -> Granted | None:
        """The token there is, unless it has ended or is the one that was refused."""
        record = self.record
        if record is None or record.secret is None or record.secret.access_token == refused:
            return None
        ends = record.expires_at
        if ends is not None and ends - margin(ends - record.obtained_at) <= self._clock.now():
            return None
        return self.granted()

    def granted(self) -> Granted:
        """What the record says."""
        record = self.record
        assert record is not None  # noqa: S101 - asked for only where there is one
        assert record.secret is not None  # noqa: S101 - as above
        return Granted(record.secret.access_token, record.expires_at, record.scope, record.issuer, record.kept)

    def way_back(self, port: int, *, more_scopes: bool) -> None:
        """Drop a registration of ours that the server would hold against us, so that another is made.

        It names the port of the way back, and the scopes that were asked for at first; many servers grant no others.
        """
        record = self.record
        if record is None or record.secret is None or record.secret.client is None:
            return
        if more_scopes or registered_port(record) != port:
            self.record = replace(record, secret=replace(record.secret, client=None))

    def forget(self) -> None:
        """Remove the record: what it has is worth nothing any more."""
        vault.forget(self._client.name, self.record)
        self._records.forget(self._client.name)
        self.record = None

    # --- the SDK's TokenStorage ---------------------------------------------------------------------------------------

    async def get_tokens(self) -> OAuthToken | None:
        if self.record is None or self.record.secret is None:
            return None
        secret = self.record.secret
        return OAuthToken(access_token=secret.access_token, refresh_token=secret.refresh_token, scope=self.record.scope)

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep them. Raises `ValueError` for a token that no header can carry."""
        context = self._context
        if context is None or context.oauth_metadata is None or context.client_info is None:
            raise RuntimeError("tokens of nobody")
        info = context.client_info
        now = self._clock.now()
        lasts = tokens.expires_in
        registered = None if self._client.id is not None else _dump(info)
        resource = context.protected_resource_metadata
        record = Record(
            upstream=self._client.server,
            issuer=str(context.oauth_metadata.issuer),
            client_id=info.client_id,
            scope=tokens.scope,
            obtained_at=now,
            expires_at=None if lasts is None else now + max(0, min(lasts, _LONGEST_SECONDS)),
            metadata=_dump(context.oauth_metadata),
            resource=None if resource is None else _dump(resource),
            secret=secret_from(asdict(Secret(tokens.access_token, tokens.refresh_token, registered))),
        )
        written = vault.keep(self._client.name, record)
        self._records.write(self._client.name, written)
        self.record = replace(written, secret=record.secret)
        self.saved = True

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """The client of the settings, bound to the issuer that it was used at; else the registration that was kept."""
        client, record = self._client, self.record
        if client.id is not None:
            issuer = client.issuer or (record.issuer if record is not None else None)
            info = OAuthClientInformationFull(client_id=client.id, client_secret=client.secret, issuer=issuer)
            choose_method(info, self._context.oauth_metadata if self._context is not None else None)
            return info
        if record is None or record.secret is None or record.secret.client is None:
            return None
        return OAuthClientInformationFull.model_validate(record.secret.client)

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Nothing: a registration is kept together with the first tokens that it gave, else it is worth nothing."""


def choose_method(info: OAuthClientInformationFull, metadata: OAuthMetadata | None) -> None:
    """How a secret is shown where nothing says so: as the server's metadata allows, by default Basic (RFC 8414)."""
    if metadata is None or info.client_secret is None or info.token_endpoint_auth_method is not None:
        return
    allowed = metadata.token_endpoint_auth_methods_supported or _SECRET_METHODS
    info.token_endpoint_auth_method = next((name for name in _SECRET_METHODS if name in allowed), "none")


def _dump(model: OAuthMetadata | OAuthClientInformationFull | ProtectedResourceMetadata) -> Mapping[str, object]:
    return model.model_dump(mode="json", exclude_none=True)


def registered_port(record: Record | None) -> int:
    """The port that a kept registration names for the way back; 0 where there is none."""
    client = record.secret.client if record is not None and record.secret is not None else None
    uris = client.get("redirect_uris") if client is not None else None
    if not isinstance(uris, list) or not uris:
        return 0
    return AnyUrl(str(uris[0])).port or 0
