"""The stream on which a server of a handshake era speaks of its own accord (2025-11-25, Listening for Messages).

It is held open for as long as the session lasts. Where it breaks it is opened again for ever, with a pause that grows
up to half a minute and is at least what the server asked for, and from where it broke if its events have ids. A server
that offers none says so, with 405, and is not asked again.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from gateway.errors import UpstreamError
from gateway.upstream import Deliver
from gateway.upstream.admission import Admission
from gateway.upstream.http import HttpClient, will_not_stream
from gateway.upstream.sse import EventStream
from gateway.upstream.streams import Messages
from gateway.upstream.wire import Broken, NotSent

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS: Final = (0.1, 30.0)
_LIVED_SECONDS: Final = 5.0
_LONGEST_RETRY_SECONDS: Final = 300.0
"""What a server may ask for between two streams of its own: to be slowed down, not to be silenced for days."""

Headers = Callable[[], Mapping[str, str] | None]
"""The headers of the session; None once there is none."""


class OwnStream:
    """One such stream at a time. `missed` hears of every break: what the server says until it is back is lost."""

    def __init__(self, http: HttpClient | Admission, deliver: Deliver, missed: Callable[[], None]) -> None:
        self._http = http
        self._deliver = deliver
        self._missed = missed
        self._task: asyncio.Task[None] | None = None

    def open(self, headers: Headers) -> None:
        """Listen from now on, in place of what was listened to before."""
        self.close()
        self._task = asyncio.create_task(self._listen(headers))

    def close(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()

    async def _listen(self, headers: Headers) -> None:
        wait = _RETRY_SECONDS[0]
        events = EventStream(self._http.limits.max_message_bytes)
        clock = asyncio.get_running_loop().time
        while (current := headers()) is not None:
            opened = clock()
            try:
                async with self._http.listen(current, events) as (status, messages):
                    if will_not_stream(status) and not events.last_id:
                        _LOG.debug("the upstream offers no stream of its own (HTTP %d)", status)
                        return
                    if will_not_stream(status):  # perhaps only what has passed since is gone: from now on, then
                        events.forget()
                    if status == 200:
                        await self._heard(messages)
            except (NotSent, Broken, UpstreamError) as error:
                _LOG.info("the upstream's stream broke, and is opened again: %s", error)
            self._missed()
            if clock() - opened > _LIVED_SECONDS:  # it was a stream, not a door that closes at once
                wait = _RETRY_SECONDS[0]
            await asyncio.sleep(max(wait, min(events.retry_seconds, _LONGEST_RETRY_SECONDS)))
            wait = min(2 * wait, _RETRY_SECONDS[1])

    async def _heard(self, messages: Messages) -> None:
        """Deliver what a stream says until it ends."""
        async for message in messages:
            if message.kind != "response":
                await self._deliver(message)
