"""The credentials of `run` until they are needed: most upstreams want none, and what is not imported costs nothing.

They are needed when somebody has signed in at this upstream, or when it refuses a request.
"""

import os

from gateway.clock import Clock
from gateway.credentials import Challenge, Credentials
from gateway.credentials.client import Client


class Later:
    """See `OAuth`, which it becomes."""

    def __init__(self, client: Client, clock: Clock, *, sign_in: bool, others: bool) -> None:
        self._client = client
        self._file = str(client.file)
        self._clock = clock
        self._sign_in = sign_in
        self._others = others
        self._oauth: Credentials | None = None

    async def authorization(self) -> str | None:
        """See `Credentials`."""
        if self._oauth is None and not os.access(self._file, os.F_OK):  # asked before every request
            return None
        return await self._loaded().authorization()

    async def refused(self, challenge: Challenge, used: str | None, *, may_ask: bool) -> bool | str:
        """See `Credentials`."""
        return await self._loaded().refused(challenge, used, may_ask=may_ask)

    def close(self) -> None:
        """See `Credentials`."""
        if self._oauth is not None:
            self._oauth.close()

    def _loaded(self) -> Credentials:
        if self._oauth is None:
            from gateway.credentials.oauth import OAuth  # a tenth of the start

            self._oauth = OAuth(self._client, self._clock, sign_in=self._sign_in, others=self._others)
        return self._oauth
