"""Renew a token, or sign in, by the SDK's client.

Order (MCP 2025-11-25 and 2026-07-28, Authorization): the challenge, or the well-known place, names the resource's
metadata; that names the authorization server, whose own metadata must bear the issuer's name; then a registered client
id, a client metadata document, or dynamic registration; then the code with PKCE, `state` and `resource`. All of it is
the SDK's; ours are the conditions that it leaves open: no server without S256, none but the pinned issuer, no addresses
but allowed ones, nobody asked who may not be.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.client.auth.oauth2 import OAuthContext
from mcp.client.auth.utils import extract_field_from_www_auth, union_scopes, validate_authorization_response_iss
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from pydantic import AnyUrl

from gateway.credentials.child import failures
from gateway.credentials.child.callback import Callback, Returned
from gateway.credentials.child.exchange import Exchange
from gateway.credentials.child.failures import Stopped
from gateway.credentials.child.kept import Kept, choose_method
from gateway.credentials.client import Client

_VERSION: Final = "2025-11-25"
_ALGORITHMS: Final = ("ES256", "ES384", "RS256", "EdDSA")


class Person(Protocol):
    """Whoever may be asked."""

    async def show(self, url: str) -> None:
        """Bring somebody to this address."""
        ...

    async def answer(self, callback: Callback) -> Returned:
        """What came of it. Raises `Stopped` where nobody came."""
        ...


class Flow:
    """One attempt for one client."""

    def __init__(self, client: Client, kept: Kept, exchange: Exchange) -> None:
        self._client = client
        self._kept = kept
        self._exchange = exchange
        self._trouble: Stopped | None = None

    async def refresh(self) -> None:
        """Exchange the refresh token; `kept.saved` says whether there is a new one. Raises `Stopped`."""
        provider = self._provider(None, None)
        self._kept.bind(provider.context)
        self._kept.restore(provider.context)
        provider.context.token_expiry_time = 1.0  # long ago: so the SDK's flow begins with the refresh
        await self._drive(provider, None)

    async def machine(self, status: int, challenge: str) -> None:
        """Client credentials: no person. Raises `Stopped`."""
        client = self._client
        if client.id is None or (client.secret is None and client.key is None):
            raise Stopped(
                "no client",
                "client credentials need an id, and a secret or a private key",
                "pass --oauth-client-id, and the secret in KEYID_GATEWAY_OAUTH_CLIENT_SECRET or --oauth-client-key",
            )
        known = self._kept.record.issuer if self._kept.record is not None else None
        provider = _provider_of_a_machine(client, self._kept, client.issuer or known)
        self._kept.record = None
        self._kept.bind(provider.context)
        await self._drive(provider, (status, challenge))

    async def sign_in(self, status: int, challenge: str, person: Person, callback: Callback) -> None:
        """Ask a person. Raises `Stopped`."""
        provider = self._provider(person, callback)
        self._kept.bind(provider.context)
        if status == 403:
            self._kept.restore(provider.context)
        await self._drive(provider, (status, challenge))

    def _provider(self, person: Person | None, callback: Callback | None) -> OAuthClientProvider:
        client = self._client
        uri = callback.uri if callback is not None else "http://127.0.0.1/callback"
        metadata = OAuthClientMetadata(
            client_name="keyid-gateway", redirect_uris=[AnyUrl(uri)], software_id="keyid-gateway"
        )

        async def show(url: str) -> None:
            if person is None or callback is None:
                raise failures.not_signed_in(client)
            self._condition(provider.context)
            if provider.context.client_info is not None:
                choose_method(provider.context.client_info, provider.context.oauth_metadata)
            address, state = _authorization(url, provider.context)
            callback.expect(state)
            await person.show(address)

        async def answer() -> AuthorizationCodeResult:
            if person is None or callback is None:
                raise failures.not_signed_in(client)
            returned = await person.answer(callback)
            return _result(returned, provider.context)

        provider = OAuthClientProvider(client.upstream, metadata, self._kept, show, answer, client.metadata_url)
        return provider

    # --- driving the SDK's generator ----------------------------------------------------------------------------------

    async def _drive(self, provider: OAuthClientProvider, challenge: tuple[int, str] | None) -> None:
        """Run the flow to its end; without a challenge, only as far as its refresh. Raises `Stopped`."""
        request = httpx2.Request("POST", self._client.upstream, headers={"MCP-Protocol-Version": _VERSION})
        flow = provider.async_auth_flow(request)
        try:
            outgoing = await anext(flow)
            while True:
                if outgoing is not request:
                    response = await self._sent(provider.context, outgoing)
                elif challenge is None:
                    return
                else:
                    response, challenge = self._challenged(request, *challenge), None
                outgoing = await flow.asend(response)
        except StopAsyncIteration:
            return
        except OAuthFlowError as error:
            raise failures.of_the_sdk(self._client, str(error)) from None
        except ValueError:  # pydantic's too: what came is not what it should be
            raise failures.of_the_sdk(self._client, "") from None
        finally:
            await _closed(flow)

    def _challenged(self, request: httpx2.Request, status: int, challenge: str) -> httpx2.Response:
        """The answer that the relay got, as far as it matters, with the scopes that the settings want besides."""
        came = httpx2.Response(status, headers={"WWW-Authenticate": _printable(challenge)})
        fields = {name: extract_field_from_www_auth(came, name) for name in ("error", "resource_metadata")}
        fields["scope"] = union_scopes(self._client.scopes, extract_field_from_www_auth(came, "scope"))
        text = ", ".join(f'{name}="{value}"' for name, value in fields.items() if value)
        headers = {"WWW-Authenticate": f"Bearer {text}"} if text else {}
        return httpx2.Response(status, headers=headers, request=request)

    async def _sent(self, context: OAuthContext, request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            self._condition(context)
        response = await self._exchange.send(request)
        if response.status_code >= 500:
            where = request.url.netloc.decode("ascii", "replace")
            self._trouble = failures.unavailable(where, f"answered HTTP {response.status_code}")
        if request.method == "POST" and response.status_code >= 400:
            raise self._refusal(context, request, response)
        return response

    def _condition(self, context: OAuthContext) -> None:
        """What must be true before anything but metadata is asked for. Raises `Stopped`."""
        client, metadata = self._client, context.oauth_metadata
        if metadata is None:
            raise self._trouble or failures.no_metadata(client)
        issuer = str(metadata.issuer)
        if client.issuer is not None and issuer.rstrip("/") != client.issuer.rstrip("/"):
            raise failures.other_issuer(client, issuer, client.issuer)
        if client.id is not None and context.client_info is None:  # the SDK gave it up: it belongs to another issuer
            known = self._kept.record.issuer if self._kept.record is not None else client.issuer
            raise failures.other_issuer(client, issuer, known)
        if client.flow == "code" and "S256" not in (metadata.code_challenge_methods_supported or ()):
            raise failures.no_pkce(issuer)

    def _refusal(self, context: OAuthContext, request: httpx2.Request, response: httpx2.Response) -> Stopped:
        metadata = context.oauth_metadata
        issuer = str(metadata.issuer) if metadata is not None else self._client.server
        status, said = response.status_code, _error_of(response)
        if status >= 500 or status == 429:
            return failures.unavailable(issuer, f"answered HTTP {status}")
        if metadata is not None and str(request.url) != str(metadata.token_endpoint):
            return failures.registration(issuer, said)
        if b"grant_type=refresh_token" in request.content:
            return failures.sign_in_ended(self._client, issuer, said)
        return failures.exchange(issuer, said)


def _provider_of_a_machine(client: Client, kept: Kept, issuer: str | None) -> OAuthClientProvider:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the issuer should be named: it is from the second time on
        if client.key is not None:
            signed = _signature(client.id or "", client.key)
            return PrivateKeyJWTOAuthProvider(client.upstream, kept, client.id or "", signed, client.scopes, issuer)
        return ClientCredentialsOAuthProvider(
            client.upstream, kept, client.id or "", client.secret or "", scope=client.scopes, issuer=issuer
        )


def _signature(client_id: str, key: str) -> Callable[[str], Awaitable[str]]:
    """Who signs for the client (RFC 7523, section 2.2), by the algorithm that the key is for. Raises `Stopped`."""
    import jwt

    for name in _ALGORITHMS:
        try:
            jwt.get_algorithm_by_name(name).prepare_key(key)
        except (jwt.InvalidKeyError, TypeError, ValueError, UnicodeError):
            continue
        parameters = SignedJWTParameters(issuer=client_id, subject=client_id, signing_key=key, signing_algorithm=name)
        return parameters.create_assertion_provider()
    raise Stopped(
        "key",
        "the private key of the client cannot be used",
        "it must be RSA, EC (P-256, P-384) or Ed25519, in PEM, without a password",
    )


def _authorization(url: str, context: OAuthContext) -> tuple[str, str]:
    """The address to look at, and the state in it. Raises `Stopped`.

    The endpoint may have a query of its own, which the SDK does not expect, and no fragment (RFC 6749, section 3.1).
    """
    endpoint = str(context.oauth_metadata.authorization_endpoint) if context.oauth_metadata is not None else ""
    parts = urlsplit(endpoint)
    if not endpoint or parts.fragment or not url.startswith(f"{endpoint}?"):
        raise failures.address(endpoint, "an authorization server's address has no fragment")
    asked = url[len(endpoint) + 1 :]
    return f"{endpoint}{'&' if parts.query else '?'}{asked}", parse_qs(asked)["state"][0]


def _result(returned: Returned, context: OAuthContext) -> AuthorizationCodeResult:
    """A code for the SDK, which checks state and issuer. An error is believed only from the right issuer (RFC 9207)."""
    if returned.error is not None:
        validate_authorization_response_iss(returned.issuer, context.oauth_metadata)
        issuer = context.oauth_metadata.issuer if context.oauth_metadata is not None else None
        raise failures.denied(issuer, returned.error)
    return AuthorizationCodeResult(code=returned.code, state=returned.state, iss=returned.issuer)


def _error_of(response: httpx2.Response) -> str:
    """The error code of an OAuth answer (RFC 6749, section 5.2), else its status."""
    try:
        error = json.loads(response.content)["error"]
    except (ValueError, KeyError, TypeError):
        error = None
    return error if isinstance(error, str) and error else f"HTTP {response.status_code}"


def _printable(text: str) -> str:
    return "".join(char if " " <= char <= "~" else " " for char in text)


async def _closed(flow: AsyncGenerator[Any, Any]) -> None:
    async with asyncio.timeout(1.0):
        await flow.aclose()
