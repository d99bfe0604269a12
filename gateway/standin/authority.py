"""The authorization server of a stand-in with OAuth: the SDK's own routes over a memory of clients, codes and tokens.

Whoever asks is let in: there is no person behind it, and no page. All else is real: metadata, dynamic registration,
PKCE, one-time codes, refresh tokens that are replaced with each use and revoke their family when one is used twice.
What a test or a demonstration turns is an attribute; nothing is kept.
"""

import secrets
from collections import Counter
from urllib.parse import urlsplit

from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    AuthorizeError,
    IdentityAssertionParams,
    RefreshToken,
    TokenError,
    construct_redirect_uri,
)
from mcp.server.auth.routes import build_resource_metadata_url, create_auth_routes, create_protected_resource_routes
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl, AnyUrl
from starlette.applications import Starlette
from starlette.types import ASGIApp

from gateway.clock import Clock

SCOPES = ("identity", "send")
"""What can be granted. A sign-in begins with the first."""
_CODE_SECONDS = 60.0


class Authority:
    """One authorization server. Its attributes may be turned while it serves."""

    def __init__(self, clock: Clock) -> None:
        self.lifetime = 3600
        """Seconds that an access token lasts."""
        self.consents = True
        """Whether the person agrees."""
        self.demands: dict[str, str] = {}
        """Tool -> the scope that a call of it needs."""
        self.counts: Counter[str] = Counter()
        """What was asked of it: `register`, `authorize`, `code`, `refresh`, `revoke`."""
        self._clock = clock
        self._clients: dict[str, OAuthClientInformationFull] = {}
        self._codes: dict[str, AuthorizationCode] = {}
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, RefreshToken] = {}
        self._spent: dict[str, str] = {}
        self._issuer = ""
        self._resource = ""

    # --- what a test or a demonstration does --------------------------------------------------------------------------

    def add_client(self, client_id: str, client_secret: str, redirect_uri: str) -> None:
        """Register a client as a person would, with the secret that it then has to show."""
        self._clients[client_id] = OAuthClientInformationFull(
            client_id=client_id,
            client_secret=client_secret,
            redirect_uris=[AnyUrl(redirect_uri)],
            token_endpoint_auth_method="client_secret_basic",  # noqa: S106 - the name of a method
            scope=" ".join(SCOPES),
        )

    def end_access(self) -> None:
        """No access token is valid any more; refresh tokens are."""
        self._access.clear()

    def end_all(self) -> None:
        """Nobody is signed in any more."""
        self._access.clear()
        self._refresh.clear()

    # --- what the door asks -------------------------------------------------------------------------------------------

    def app(self, resource: str) -> ASGIApp:
        """The application for the addresses of OAuth; `resource` is where the MCP server listens."""
        parts = urlsplit(resource)
        self._resource, self._issuer = resource, f"{parts.scheme}://{parts.netloc}/"
        issuer = AnyHttpUrl(self._issuer)
        registration = ClientRegistrationOptions(enabled=True, valid_scopes=list(SCOPES), default_scopes=list(SCOPES))
        return Starlette(
            routes=[
                *create_auth_routes(
                    self,
                    issuer,
                    client_registration_options=registration,
                    revocation_options=RevocationOptions(enabled=True),
                ),
                *create_protected_resource_routes(AnyHttpUrl(resource), [issuer], list(SCOPES)),
            ]
        )

    def challenge(self, authorization: str, tool: str | None) -> tuple[int, str] | None:
        """Why a request is not let in, as a status and a `WWW-Authenticate`; None where it is."""
        where = f'resource_metadata="{build_resource_metadata_url(AnyHttpUrl(self._resource))}"'
        scheme, _, value = authorization.partition(" ")
        token = self._access.get(value.strip()) if scheme.lower() == "bearer" else None
        if token is None or (token.expires_at is not None and token.expires_at <= self._clock.now()):
            error = 'error="invalid_token", ' if authorization else ""
            return 401, f'Bearer {error}scope="{SCOPES[0]}", {where}'
        needed = self.demands.get(tool or "")
        if needed is not None and needed not in token.scopes:
            return 403, f'Bearer error="insufficient_scope", scope="{needed}", {where}'
        return None

    # --- what the SDK's routes ask ------------------------------------------------------------------------------------

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self._clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        self.counts["register"] += 1
        self._clients[client_info.client_id] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        self.counts["authorize"] += 1
        if not self.consents:
            raise AuthorizeError("access_denied", "the person said no")
        code = AuthorizationCode(
            code=secrets.token_urlsafe(16),
            scopes=params.scopes or [SCOPES[0]],
            expires_at=self._clock.now() + _CODE_SECONDS,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self._codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state, iss=self._issuer)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        code = self._codes.get(authorization_code)
        return code if code is not None and code.client_id == client.client_id else None

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        self.counts["code"] += 1
        del self._codes[authorization_code.code]
        return self._issue(client.client_id, authorization_code.scopes, authorization_code.resource)

    async def load_refresh_token(self, client: OAuthClientInformationFull, refresh_token: str) -> RefreshToken | None:
        """The token, if it was not used before; one that was ends the sign-in of whoever has its successor."""
        self.counts["refresh"] += 1
        owner = self._spent.get(refresh_token)
        if owner is not None:
            self.end_all()
        token = self._refresh.get(refresh_token)
        return token if token is not None and token.client_id == client.client_id else None

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        del self._refresh[refresh_token.token]
        self._spent[refresh_token.token] = client.client_id
        return self._issue(client.client_id, scopes, refresh_token.resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self._access.get(token)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.counts["revoke"] += 1
        self.end_all()
        del token

    async def exchange_identity_assertion(
        self, client: OAuthClientInformationFull, params: IdentityAssertionParams
    ) -> OAuthToken:
        del client, params
        raise TokenError("unsupported_grant_type")

    def _issue(self, client_id: str, scopes: list[str], resource: str | None) -> OAuthToken:
        access, refresh = f"access-{secrets.token_urlsafe(24)}", f"refresh-{secrets.token_urlsafe(24)}"
        ends = int(self._clock.now()) + self.lifetime
        self._access[access] = AccessToken(
            token=access, client_id=client_id, scopes=scopes, expires_at=ends, resource=resource
        )
        self._refresh[refresh] = RefreshToken(token=refresh, client_id=client_id, scopes=scopes, resource=resource)
        return OAuthToken(access_token=access, expires_in=self.lifetime, scope=" ".join(scopes), refresh_token=refresh)
