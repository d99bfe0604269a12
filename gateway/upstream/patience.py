"""How long one exchange may take in all (2025-11-25 and 2026-07-28, Timeouts).

The time begins when the request is written: waiting for a free connection is bounded in the same way, connecting by a
setting of its own, and neither takes from it. Progress that belongs to the request begins the time anew, up to a
ceiling over all, so that a server cannot hold a request for ever by reporting progress. While the client does not take
what it is given, the time stands still: that is no fault of the server's.
"""

import asyncio
from typing import Final

from gateway.jsonrpc import Id, Message
from gateway.upstream import Deliver
from gateway.upstream.streams import same_id

_AT_ONCE_SECONDS: Final = 0.01


class Patience:
    """The time of one exchange: `TimeoutError` leaves the context `time` when none is left, and `spent` says why.

    `seconds` is None for a request that has no end, such as one that listens.
    """

    def __init__(self, seconds: float | None, setting: str, ceiling: float) -> None:
        self._seconds = seconds
        self._setting = setting
        self._ceiling = max(ceiling, seconds or 0.0)
        self._now = asyncio.get_running_loop().time
        self._began = self._now()
        self._last = self._began + self._ceiling
        self._progressed = False
        self.time = asyncio.Timeout(None if seconds is None else self._began + seconds)
        self.sent = False
        """Whether the request may have arrived."""

    def begin(self) -> None:
        """The request is written."""
        self.sent = True
        now = self._now()
        if now - self._began > _AT_ONCE_SECONDS:  # it had to wait for that
            self._last = now + self._ceiling
            self._renew()

    def taken_back(self) -> None:
        """The request was certainly not taken where it was written, and is to be written elsewhere."""
        self.sent = False

    def watching(self, token: Id | None, deliver: Deliver) -> Deliver:
        """`deliver`, such that progress of this request extends its time, and a client that does not read does too."""
        if self._seconds is None:
            return deliver

        async def delivered(message: Message) -> None:
            due, began = self.time.when(), self._now()
            self.time.reschedule(None)
            await deliver(message)
            waited = self._now() - began
            self._last += waited
            self.time.reschedule(None if due is None else due + waited)
            if token is not None and _is_progress(message, token):
                self._progressed = True
                self._renew()

        return delivered

    def spent(self) -> str:
        """Which time it was that ended, and the setting that it is."""
        if not self.sent:
            return f"no connection to the upstream was free within {self._seconds:g} s (`{self._setting}`)"
        if self._now() >= self._last and self._progressed:
            return (
                f"the upstream did not answer within {self._ceiling:g} s, whatever progress it reported"
                " (`--call-ceiling`)"
            )
        if self._progressed:
            return f"the upstream reported no progress for {self._seconds:g} s (`{self._setting}`)"
        return f"the upstream did not answer within {self._seconds:g} s (`{self._setting}`)"

    def _renew(self) -> None:
        if self._seconds is not None:
            self.time.reschedule(min(self._now() + self._seconds, self._last))


def _is_progress(message: Message, token: Id) -> bool:
    found = message.params.get("progressToken") if message.method == "notifications/progress" else None
    return isinstance(found, str | int) and same_id(found, token)
