"""HTTP for a sign-in: bounded in size and time, to checked addresses only, following nothing by itself."""

import asyncio
from typing import Final

import httpx2

from gateway.credentials.child import failures
from gateway.credentials.child.addresses import Addresses

_SECONDS: Final = 15.0
_BYTES: Final = 1024 * 1024
_HEADERS: Final = {"User-Agent": "keyid-gateway", "Accept": "application/json"}
"""Some servers answer nobody without a name, or with a form where nobody asks for JSON."""


class Exchange:
    """One client; `close` it. Proxies and `.netrc` of the environment are not read, as `run` does not read them."""

    def __init__(self, addresses: Addresses) -> None:
        self._client = httpx2.AsyncClient(transport=_Checked(addresses), timeout=_SECONDS, trust_env=False)

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; the whole answer. Raises `Stopped` where there is none, or where it may not be asked."""
        where = request.url.netloc.decode("ascii", "replace")
        for name, value in _HEADERS.items():
            request.headers.setdefault(name, value)
        try:
            async with asyncio.timeout(_SECONDS):
                response = await self._client.send(request, stream=True, follow_redirects=False)
                try:
                    return await _whole(response, request, where)
                finally:
                    await response.aclose()
        except (TimeoutError, httpx2.TimeoutException):
            raise failures.unavailable(where, f"did not answer within {_SECONDS:.0f} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError):
            raise failures.unavailable(where, "cannot be reached") from None

    async def close(self) -> None:
        await self._client.aclose()


async def _whole(response: httpx2.Response, request: httpx2.Request, where: str) -> httpx2.Response:
    if response.headers.get("content-encoding", "identity") != "identity":  # nobody asked for it, and it may explode
        raise failures.unavailable(where, "answered in a compressed form that was not asked for")
    body = bytearray()
    if "text/event-stream" not in response.headers.get("content-type", ""):  # of a stream, the status is enough
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > _BYTES:
                raise failures.unavailable(where, f"answered with more than {_BYTES} bytes")
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() != "transfer-encoding"]
    whole = httpx2.Response(response.status_code, headers=headers, content=bytes(body), request=request)
    whole.next_request = response.next_request  # for the SDK, which follows it within the origin
    return whole


class _Checked(httpx2.AsyncBaseTransport):
    """Connects to the addresses that were checked, under the name that was asked for."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        failed: httpx2.ConnectError | None = None
        for address in await self._addresses.resolve(str(request.url)):
            pinned = httpx2.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": request.url.host},
            )
            try:
                return await self._inner.handle_async_request(pinned)
            except httpx2.ConnectError as error:
                failed = error
        raise failed or httpx2.ConnectError("no address", request=request)

    async def aclose(self) -> None:
        await self._inner.aclose()
