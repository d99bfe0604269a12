"""The tools that the upstream announces now, fetched with the official SDK's client: for commands, never for `run`.

The proxies and `.netrc` of the environment are not read, as `run` does not read them. Whatever fails becomes an
`UpstreamError` with its cure.
"""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from gateway import __version__
from gateway.catalogue import Catalogue
from gateway.cli.causes import causes
from gateway.cli.progress import working
from gateway.cli.words import shown
from gateway.clock import SystemClock
from gateway.credentials import Challenge, is_credential
from gateway.credentials.oauth import OAuth
from gateway.errors import UpstreamError
from gateway.jsonrpc import Json
from gateway.settings import Settings
from gateway.upstream.failures import no_tls, reason

if TYPE_CHECKING:
    from httpx2 import AsyncClient

BOUND_SECONDS: Final = 10.0
_MAX_PAGES: Final = 1000


@dataclass(slots=True)
class Seen:
    """What was to be seen of the upstream on the way, as far as it came. `answered_at` is a moment of this machine."""

    date: str = ""
    """What its clock said, as an HTTP date."""
    answered_at: float = 0.0
    revision: str = ""
    server: str = ""
    status: int | None = None
    """The HTTP status that was no success, if there was one."""


def fetch(settings: Settings, seen: Seen | None = None) -> Catalogue:
    """The upstream's whole list; what else was to be seen is put into `seen`. Raises `UpstreamError`."""
    with working("loading the client"):
        from httpx2 import HTTPError
        from mcp import MCPError
        from pydantic import ValidationError

    logging.getLogger("mcp").setLevel(logging.CRITICAL)  # what it would log is said below, once and with the cure
    refusals: list[int] = []
    seen = seen or Seen()
    try:
        with working(f"asking {shown(settings.server, 60)} for its tools"):
            return asyncio.run(_bounded(settings, refusals, seen))
    except (HTTPError, MCPError, ValidationError, OSError, RuntimeError, TimeoutError, ExceptionGroup) as error:
        if refusals:
            seen.status = refusals[-1]
            raise _refused(settings, refusals[-1]) from error
        raise _failed(settings, list(causes(error))) from error


async def _bounded(settings: Settings, refusals: list[int], seen: Seen) -> Catalogue:
    """The list; an HTTP status that refuses is noted in `refusals`, because the SDK's errors do not say it.

    A sign-in that is refused is renewed once, as `run` does.
    """
    if settings.oauth is None:
        return await _fetch(settings, None, refusals, seen)
    oauth = OAuth(settings.oauth, SystemClock(), sign_in=False)
    shown = await oauth.authorization()
    try:
        return await _fetch(settings, shown, refusals, seen)
    except Exception:  # the SDK wraps a refusal in what it likes (groups too); all but a noted 401 goes on as it came
        if shown is None or refusals[-1:] != [401]:
            raise
        if await oauth.refused(Challenge(401, ""), shown, may_ask=False) is not True:
            raise
    refusals.clear()
    return await _fetch(settings, await oauth.authorization(), refusals, seen)


async def _fetch(settings: Settings, shown: str | None, refusals: list[int], seen: Seen) -> Catalogue:
    from httpx2 import AsyncClient, Response

    async def look(response: Response) -> None:
        seen.date, seen.answered_at = response.headers.get("date", ""), SystemClock().now()
        if response.status_code >= 300 and response.request.method == "POST":
            refusals.append(response.status_code)

    headers = {header.name: header.value for header in settings.header}
    headers |= {} if shown is None else {"Authorization": shown}
    async with (
        asyncio.timeout(BOUND_SECONDS),
        AsyncClient(headers=headers, timeout=BOUND_SECONDS, trust_env=False, event_hooks={"response": [look]}) as http,
    ):
        return await _walk(settings, http, seen)


async def _walk(settings: Settings, http: "AsyncClient", seen: Seen) -> Catalogue:
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client
    from mcp_types import Implementation

    catalogue, cursor = Catalogue(), None
    me = Implementation(name="keyid-gateway", version=__version__)
    async with Client(
        streamable_http_client(settings.upstream, http_client=http), client_info=me, cache=None
    ) as client:
        catalogue.instructions = client.instructions or ""
        seen.revision = client.protocol_version
        if client.server_info is not None:
            seen.server = f"{client.server_info.name} {client.server_info.version}"
        for _ in range(_MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            catalogue.page(
                cursor, cast(dict[str, Json], page.model_dump(mode="json", by_alias=True, exclude_none=True))
            )
            cursor = page.next_cursor
            if cursor is None:
                return catalogue
    raise UpstreamError(f"the list of tools of `{settings.server}` has more than {_MAX_PAGES} pages")


def _refused(settings: Settings, status: int) -> UpstreamError:
    where = f"`{settings.server}` answered HTTP {status}"
    if status == 401 and settings.oauth is not None:
        cure = f"run `{settings.oauth.login}`, or pass credentials: `--header 'Authorization: env:VARIABLE'`"
        return UpstreamError(f"{where}: it wants a sign-in", cure)
    if status in (401, 403):
        given = " and ".join(f"`{header.name}`" for header in settings.header if is_credential(header.name))
        where_kept = "`keyid-gateway profiles show` says where"
        cure = f"what {given} says is wrong or expired: renew it where it is kept ({where_kept})"
        return UpstreamError(
            f"{where}: it wants other credentials",
            cure if given else "pass them: `--header 'Authorization: env:VARIABLE'`",
        )
    if status == 404:
        return UpstreamError(f"{where}: there is no MCP server at this path", "check `--upstream`; most end in `/mcp`")
    if 300 <= status < 400:
        return UpstreamError(f"{where}: it is somewhere else", "pass the address it redirects to with `--upstream`")
    return UpstreamError(where, "try again later, or ask whoever runs the server")


def _unreachable(where: str, found: list[BaseException]) -> UpstreamError:
    """Why there is no connection, in the words that `run` has for it. Libraries hand the cause on as an argument."""
    inner = [
        cause for item in found for argument in item.args if isinstance(argument, OSError) for cause in causes(argument)
    ]
    errors = [item for item in inner if isinstance(item, OSError)]
    if errors and isinstance(errors[-1], ssl.SSLError):
        said, cure = no_tls(errors[-1])
        return UpstreamError(f"{where} cannot be reached: {said}", cure)
    said = f": {reason(errors[-1])}" if errors else ""
    return UpstreamError(
        f"{where} cannot be reached{said}", "check `--upstream` and the network; is the server running?"
    )


def _failed(settings: Settings, found: list[BaseException]) -> UpstreamError:
    from httpx2 import ConnectError

    where = f"`{settings.server}`"
    if any(isinstance(item, TimeoutError) for item in found):
        return UpstreamError(
            f"{where} did not answer within {BOUND_SECONDS:.0f} s", "check `--upstream` and the network"
        )
    if any(isinstance(item, ConnectError) for item in found):
        return _unreachable(where, found)
    said = str(found[0]).strip().splitlines() if found else []
    detail = f": {said[0]}" if said else ""
    return UpstreamError(
        f"{where} did not answer as an MCP server does{detail}", "check `--upstream`; most end in `/mcp`"
    )
