"""HTTP with credentials: each request carries what is valid now, and is sent once more if that was not enough.

Only a request that was not let in is repeated (401, or 403 for want of a scope): it certainly did not run, and the
specification says to send it again with what was missing. What the credentials wait for is outside the time-out of a
request, and no request waits for another one that is in flight.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from gateway.credentials import Challenge, Credentials
from gateway.upstream import Answer, Deliver
from gateway.upstream.http import HttpClient, HttpLimits, Outgoing
from gateway.upstream.sse import EventStream
from gateway.upstream.streams import Messages

_TRIES: Final = 3
"""As it is; after a renewal (401); with more scopes (403)."""
_NOT_NOW: Final = 429


class Admission:
    """An `HttpClient` whose requests carry credentials."""

    def __init__(self, http: HttpClient, credentials: Credentials) -> None:
        self._http = http
        self._credentials = credentials

    @property
    def limits(self) -> HttpLimits:
        return self._http.limits

    async def post(self, outgoing: Outgoing, deliver: Deliver) -> Answer:
        """See `HttpClient.post`. Where nobody is let in, the failure says what the person has to do."""
        answer = Answer("not sent")
        for attempt in range(1, _TRIES + 1):
            shown = await self._credentials.authorization()
            shows = outgoing if shown is None else outgoing._replace(headers=_with(outgoing.headers, shown))
            answer = await self._http.post(shows, deliver)
            if answer.challenge is None or attempt == _TRIES:
                return answer
            why = await self._credentials.refused(answer.challenge, shown, may_ask=True)
            if isinstance(why, str):
                return answer._replace(response=None, failure=why)
            if not why or (outgoing.still is not None and not await outgoing.still()):
                return answer
        return answer

    @asynccontextmanager
    async def listen(
        self, headers: Mapping[str, str], events: EventStream, idle: float | None = None
    ) -> AsyncIterator[tuple[int, Messages]]:
        """See `HttpClient.listen`. Nobody is asked for the sake of a stream; a 401 is none now, not none for ever."""
        shown = await self._credentials.authorization()
        async with self._http.listen(_with(headers, shown), events, idle) as (status, messages):
            if status != 401:
                yield status, messages
                return
        await self._credentials.refused(Challenge(401, ""), shown, may_ask=False)
        shown = await self._credentials.authorization()
        async with self._http.listen(_with(headers, shown), events, idle) as (status, messages):
            yield _NOT_NOW if status == 401 else status, messages

    async def delete(self, headers: Mapping[str, str]) -> None:
        """See `HttpClient.delete`."""
        await self._http.delete(_with(headers, await self._credentials.authorization()))

    def close(self) -> None:
        self._http.close()
        self._credentials.close()


def _with(headers: Mapping[str, str], shown: str | None) -> Mapping[str, str]:
    return headers if shown is None else {**headers, "Authorization": shown}
