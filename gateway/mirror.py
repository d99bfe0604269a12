"""Keeps the catalogue true: fetches the upstream's tools when the client has not, or when a name is missing.

A call is judged against what the upstream announces *now*: the list is fetched when it never was and when the upstream
said that it changed, and again for a name it lacks, then at most every five seconds, so that an agent which guesses
names does not hammer the upstream.
"""

import asyncio

from gateway.catalogue import Catalogue
from gateway.clock import Clock
from gateway.jsonrpc import Json, Message
from gateway.upstream import Answer
from gateway.upstream.session import Upstream

_MISS_SECONDS = 5.0
_MAX_PAGES = 1000


class Mirror:
    """The catalogue and how it is filled."""

    def __init__(self, catalogue: Catalogue, upstream: Upstream, clock: Clock) -> None:
        self.catalogue = catalogue
        self._upstream = upstream
        self._clock = clock
        self._fetching = asyncio.Lock()
        self._fetched_at = float("-inf")

    async def ensure(self, tool: str, like: Message) -> str | None:
        """Make sure that what is known of `tool` is current. A sentence where the list could not be fetched."""
        if not self._wanted(tool):
            return None
        async with self._fetching:
            return await self._fetch(like) if self._wanted(tool) else None

    def _wanted(self, tool: str) -> bool:
        catalogue = self.catalogue
        if catalogue.stale or (not catalogue.complete and not catalogue):
            return True
        recently = self._clock.monotonic() - self._fetched_at < _MISS_SECONDS
        return tool not in catalogue and not recently

    async def _fetch(self, like: Message) -> str | None:
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            params: dict[str, Json] = {} if cursor is None else {"cursor": cursor}
            as_of = self.catalogue.changes
            answer = await self._upstream.ask("tools/list", params, like)
            if answer.result is None:
                return _failure(answer)
            self.catalogue.page(cursor, answer.result, as_of=as_of)
            following = answer.result.get("nextCursor")
            if not isinstance(following, str):
                self._fetched_at = self._clock.monotonic()
                return None
            cursor = following
        return f"the upstream's list of tools has more than {_MAX_PAGES} pages"


def _failure(answer: Answer) -> str:
    if answer.failure is not None:
        return answer.failure
    error = answer.response.body.get("error") if answer.response is not None else None
    said = error.get("message") if isinstance(error, dict) else None
    return f"the upstream refused to list its tools: {said}"
