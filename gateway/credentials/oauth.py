"""The credentials of `run`: a valid token at once, from memory or from its file; a new one from the helper.

- The file is looked at before every request (one `stat`): a login or a logout in another terminal counts at once, and
  what another gateway has renewed is taken up.
- A token that ends soon is renewed meanwhile, and used until it has ended; only then a request waits, and all of them
  for the same renewal. Requests with a valid token never wait for anything.
- A renewal that failed is not repeated for every request: not for a while, or where only a person can mend it, not
  until the file has changed. The sentence is kept, because it is the answer to the 401 that follows.
- Where a person may be asked (`--sign-in`), nobody waits for longer than a request may take; the sign-in goes on, and
  the next request finds its result.
- What has just been granted because of a refusal is not asked for again when the server refuses that too.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final, Literal

from gateway.clock import Clock
from gateway.credentials import Challenge
from gateway.credentials.client import Client
from gateway.credentials.helper import Ask, Failed, Granted, NotIt, Opened, Request, Waiting, ask
from gateway.credentials.records import Record, Records, Stamp, margin
from gateway.errors import StateError

_LOG = logging.getLogger(__name__)

_EARLY_SECONDS: Final = 60.0
_EARLY_SHARE: Final = 0.1
"""How long before its end a token is renewed: so many seconds, or that share of its life, whichever is less."""
_REST_SECONDS: Final = 5.0
_PERSON_REST_SECONDS: Final = 30.0
"""Before a person who has said no, or has not come, is asked again."""
_WAIT_SECONDS: Final = 40.0


@dataclass(frozen=True, slots=True)
class _Held:
    """A token in memory. `renew_at` and `expires_at` in seconds since the epoch."""

    authorization: str
    expires_at: float
    renew_at: float
    renewable: bool


class OAuth:
    """The credentials for one upstream. Made anywhere, used inside the running loop.

    `sign_in`: whether a browser may be opened. `others`: whether the settings have credentials in other headers, which
    may be what is meant where nobody has ever signed in. `wait`: how long a request waits for a renewal, in seconds.
    """

    def __init__(
        self, client: Client, clock: Clock, *, sign_in: bool, others: bool = False, wait: float = _WAIT_SECONDS
    ) -> None:
        self._client = client
        self._clock = clock
        self._records = Records(client.folder)
        self._ask: Ask = "browser" if sign_in else "no"
        self._others = others
        self._wait = wait
        self._stamp: Stamp | None = None
        self._held: _Held | None = None
        self._in_keyring = False
        self._task: asyncio.Task[Failed | None] | None = None
        self._failed: Failed | None = None
        self._failed_at = float("-inf")
        self._granted_for: set[str] = set()
        self._granted: str | None = None
        self._in_vain = False
        self._granted_at = float("-inf")

    # --- what HTTP asks -----------------------------------------------------------------------------------------------

    async def authorization(self) -> str | None:
        """See `Credentials`. None where there is nothing to show: whatever the server allows without, it will."""
        self._look()
        held = self._held
        if held is None:
            if not self._in_keyring or self._resting():
                return None
            await self._shared(Request("renew", self._client))
        elif held.renewable and held.renew_at <= self._clock.now() and not self._resting():
            request = Request("renew", self._client, refused=_token(held))
            if held.expires_at <= self._clock.now():
                await self._shared(request)
            else:
                self._start(request)
        return None if self._held is None else self._held.authorization

    async def refused(self, challenge: Challenge, used: str | None, *, may_ask: bool) -> bool | str:
        """See `Credentials`."""
        self._look()
        held = self._held
        if held is not None and held.authorization != used:
            return True  # somebody else has renewed it meanwhile
        asking: Ask = self._ask if may_ask else "no"
        if challenge.text in self._granted_for and challenge.status == 403:
            return "the upstream still forbids this (HTTP 403) with the scopes that were granted for it"
        again = challenge.status == 401 and used is not None and used == self._granted and self._just_granted(asking)
        if again and (asking == "no" or self._in_vain):  # once more with a person: the server may have moved elsewhere
            return "the upstream refuses what was granted for it just now (HTTP 401): ask whoever runs it"
        if not self._worth_trying(asking, challenge):
            return self._sentence(challenge)
        request = Request(
            "renew", self._client, asking, challenge.status, challenge.text, None if used is None else used[7:]
        )
        await self._shared(request)
        if self._held is not None and self._held.authorization != used:
            self._granted, self._granted_at = self._held.authorization, self._clock.monotonic()
            self._in_vain = again
            if challenge.status == 403:
                self._granted_for.add(challenge.text)
            return True
        if self._task is not None and not self._task.done():
            return f"the sign-in to `{self._client.server}` is not finished: finish it in the browser, then try again"
        return self._sentence(challenge)

    def close(self) -> None:
        """Wait for nobody any more; a helper that is exchanging a token finishes that by itself."""
        if self._task is not None:
            self._task.cancel()

    # --- the file -----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Take up the file, if it has changed."""
        stamp = self._records.stamp(self._client.name)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self._held, self._in_keyring, self._failed = None, False, None
        try:
            record = self._records.read(self._client.name)
        except StateError as error:
            _LOG.error("%s", error)
            return
        if record is None:
            return
        self._in_keyring = record.kept == "keyring"
        if record.secret is not None:
            self._held = self._holding(record.secret.access_token, record.expires_at, record)

    def _holding(self, token: str, expires_at: float | None, record: Record | None) -> _Held:
        if expires_at is None:
            return _Held(f"Bearer {token}", float("inf"), float("inf"), renewable=True)
        began = record.obtained_at if record is not None else self._clock.now()
        life = max(0.0, expires_at - began)
        early = min(_EARLY_SECONDS, _EARLY_SHARE * life)
        by_secret = self._client.flow == "client_credentials" or self._in_keyring
        renewable = by_secret or (
            record is not None and record.secret is not None and record.secret.refresh_token is not None
        )
        return _Held(f"Bearer {token}", expires_at - margin(life), expires_at - early, renewable)

    # --- the helper ---------------------------------------------------------------------------------------------------

    async def _shared(self, request: Request) -> None:
        """Wait for the helper: the one that is at work, else a new one. Not for ever: it goes on without us."""
        task = self._start(request)
        await asyncio.wait({task}, timeout=self._wait)

    def _start(self, request: Request) -> asyncio.Task[Failed | None]:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._renew(request))
        return self._task

    async def _renew(self, request: Request) -> Failed | None:
        answer = await ask(request, self._tell)
        self._look()
        if isinstance(answer, Granted):
            if self._held is None:  # what is in the keyring is only handed over
                self._held = self._holding(answer.token, answer.expires_at, None)
            self._failed = None
            _LOG.info("signed in to %s by %s", self._client.server, answer.issuer)
            return None
        self._failed, self._failed_at = answer, self._clock.monotonic()
        _LOG.warning("%s", f"{answer.message} ({answer.hint})" if answer.hint else answer.message)
        return answer

    def _tell(self, what: Opened | NotIt | Waiting) -> None:
        if isinstance(what, Waiting):
            _LOG.info("another process is at work on the sign-in to %s: waiting for it", self._client.server)
            return
        _LOG.warning("sign in to %s in the browser that has just opened", self._client.server)

    # --- what to say --------------------------------------------------------------------------------------------------

    def _resting(self) -> bool:
        """Whether a renewal failed so lately, or so finally, that another is no use."""
        if self._failed is None:
            return False
        return self._failed.lasting or self._clock.monotonic() - self._failed_at < _REST_SECONDS

    def _just_granted(self, asking: Ask) -> bool:
        rest = _REST_SECONDS if asking == "no" else _PERSON_REST_SECONDS
        return self._clock.monotonic() - self._granted_at < rest

    def _worth_trying(self, asking: Ask, challenge: Challenge) -> bool:
        if self._task is not None and not self._task.done():
            return True
        if asking != "no" or self._client.flow == "client_credentials":
            rest = _PERSON_REST_SECONDS if self._failed is not None and self._failed.lasting else _REST_SECONDS
            return self._failed is None or self._clock.monotonic() - self._failed_at >= rest
        return challenge.status == 401 and self._stamp is not None and not self._resting()

    def _sentence(self, challenge: Challenge) -> str | Literal[False]:
        failed = self._failed
        if failed is not None:
            return f"{failed.message}: {failed.hint}" if failed.hint else failed.message
        if self._others and self._stamp is None:
            return False
        if challenge.status == 403:
            return (
                "the upstream wants a scope that the sign-in does not have (HTTP 403): "
                f"start the gateway with --sign-in, or run `{self._client.login}`"
            )
        return (
            f"the upstream wants a sign-in (HTTP 401): run `{self._client.login}`, "
            "or pass credentials with `--header 'Authorization: env:NAME'`"
        )


def _token(held: _Held) -> str:
    return held.authorization[7:]
