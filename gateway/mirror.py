"""Keeps the catalogue true: fetches the upstream's tools when the client has not, or when a name is missing.

A call is judged against what the upstream announces *now*: the list is fetched when it never was and when the upstream
said that it changed, and again for a name it lacks, then at most every five seconds, so that an agent which guesses
names does not hammer the upstream.
"""

import asyncio

from gateway.catalogue import Catalogue
from gateway.clock import Clock
from gateway.jsonrpc import Json, Message
from gateway.policy.problem import printable
from gateway.upstream import Answer
from gateway.upstream.session import Upstream

_MISS_SECONDS = 5.0
_MAX_PAGES = 1000
_MAX_BYTES = 2**26
_LONGEST_CAUSE = 300


class Mirror:
    """The catalogue and how it is filled; `whole`: some pages that the client asked for are not enough."""

    def __init__(self, catalogue: Catalogue, upstream: Upstream, clock: Clock, *, whole: bool = False) -> None:
        self.catalogue = catalogue
        self._whole = whole
        self._upstream = upstream
        self._clock = clock
        self._fetching: asyncio.Task[Answer | None] | None = None
        self._fetched_at = float("-inf")

    async def ensure(self, tool: str, like: Message) -> Answer | None:
        """Make sure that what is known of `tool` is current. Where the list cannot be had: what was answered instead.

        All who wait share one fetch, and its failure. One that began before a change was announced does not count.
        """
        for _ in range(2):
            if not self.wants(tool):
                return None
            if self._fetching is None or self._fetching.done():
                self._fetching = asyncio.create_task(self._fetch(like))
            failed = await asyncio.shield(self._fetching)  # whoever is cancelled leaves the others the list
            if failed is not None:
                return failed
        return None

    def wants(self, tool: str) -> bool:
        """Whether the list has to be fetched before anybody can say what `tool` is."""
        catalogue = self.catalogue
        if catalogue.stale or (not catalogue.complete and (self._whole or not catalogue)):
            return True
        recently = self._clock.monotonic() - self._fetched_at < _MISS_SECONDS
        return tool not in catalogue and not recently

    async def _fetch(self, like: Message) -> Answer | None:
        cursor: str | None = None
        size = 0
        for _ in range(_MAX_PAGES):
            params: dict[str, Json] = {} if cursor is None else {"cursor": cursor}
            as_of = self.catalogue.changes
            answer = await self._upstream.ask("tools/list", params, like)
            if answer.response is None or answer.result is None:
                return _failed(answer)
            size += len(answer.response.raw)
            if size > _MAX_BYTES:
                return Answer("answered", failure=f"the upstream's list of tools is larger than {_MAX_BYTES} bytes")
            self.catalogue.page(cursor, answer.result, as_of=as_of)
            following = answer.result.get("nextCursor")
            if not isinstance(following, str):
                self._fetched_at = self._clock.monotonic()
                return None
            cursor = following
        return Answer("answered", failure=f"the upstream's list of tools has more than {_MAX_PAGES} pages")


def _failed(answer: Answer) -> Answer:
    """The answer, with a sentence for the client, who did not ask for the list itself, and for the log.

    The upstream's words in it are bounded, and nothing in them acts on a terminal.
    """
    if answer.response is None:
        return answer
    error = answer.response.body.get("error")
    said = error.get("message") if isinstance(error, dict) else None
    cause = f": {printable(said[:_LONGEST_CAUSE])[:_LONGEST_CAUSE]}" if isinstance(said, str) and said else ""
    return answer._replace(failure=f"the upstream refused to list its tools{cause}")
