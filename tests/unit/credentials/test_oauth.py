"""The credentials of `run`, with a helper of the test's own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from gateway.credentials import Challenge, oauth
from gateway.credentials.client import Client
from gateway.credentials.helper import Failed, Granted, Request
from gateway.credentials.later import Later
from gateway.credentials.oauth import OAuth
from gateway.credentials.records import Record, Records, Secret

WANTED = Challenge(401, "Bearer")
MORE = Challenge(403, 'Bearer error="insufficient_scope", scope="write"')
NOW = 10_000.0


@dataclass
class Moved:
    """A clock that the test moves."""

    at: float = NOW

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class Helper:
    """Answers as the test says, when the test says."""

    records: Records
    name: str
    answers: list[Granted | Failed] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: Request, tell: Callable[[object], None]) -> Granted | Failed:
        assert callable(tell)
        self.asked.append(request)
        await self.released.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Granted):
            keep(self.records, self.name, answer.token, answer.expires_at)
        return answer


def keep(records: Records, name: str, token: str, expires_at: float | None, refresh: str | None = "r") -> None:
    """A sign-in, as the helper writes it."""
    secret = Secret(token, refresh)
    record = Record("https://a.example/mcp", "https://i.example", "me", "read", NOW - 3600, expires_at, {}, None)
    records.write(name, replace(record, secret=secret))


def granted(token: str, expires_at: float | None = NOW + 3600) -> Granted:
    return Granted(token, expires_at, "read", "https://i.example", "file")


async def finished(ours: OAuth) -> None:
    """Wait for the renewal that is under way."""
    assert ours._task is not None
    await ours._task


REFUSED = Failed("refresh refused", "the sign-in has ended", "run `login`", lasting=True)
DOWN = Failed("unavailable", "the server is down", "try again in a moment", lasting=False)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client("https://a.example/mcp?key=1", tmp_path / "credentials")


@pytest.fixture
def records(client: Client) -> Records:
    return Records(client.folder)


@pytest.fixture
def clock() -> Moved:
    return Moved()


@pytest.fixture
async def helper(client: Client, records: Records, monkeypatch: pytest.MonkeyPatch) -> Helper:
    made = Helper(records, client.name)
    made.released.set()
    monkeypatch.setattr(oauth, "ask", made)
    return made


@pytest.fixture
def ours(client: Client, clock: Moved, helper: Helper) -> OAuth:
    assert helper.asked == []
    return OAuth(client, clock, sign_in=False)


async def test_nobody_has_signed_in(ours: OAuth, helper: Helper) -> None:
    assert await ours.authorization() is None
    assert await ours.refused(WANTED, None, may_ask=True) == (
        "the upstream wants a sign-in (HTTP 401): run `keyid-gateway login --upstream 'https://a.example/mcp?...'`, "
        "or pass credentials with `--header 'Authorization: env:NAME'`"
    )
    assert helper.asked == []


async def test_where_other_headers_are_credentials_they_are_what_was_refused(client: Client, clock: Moved) -> None:
    assert await OAuth(client, clock, sign_in=False, others=True).refused(WANTED, None, may_ask=True) is False


async def test_a_valid_token_is_shown_at_once(ours: OAuth, records: Records, client: Client, helper: Helper) -> None:
    keep(records, client.name, "one", NOW + 3600)
    assert await ours.authorization() == "Bearer one"
    keep(records, client.name, "two", NOW + 3600)
    assert await ours.authorization() == "Bearer two"
    records.forget(client.name)
    assert await ours.authorization() is None
    assert helper.asked == []


async def test_one_that_ends_soon_is_renewed_while_it_is_used(
    ours: OAuth, records: Records, client: Client, helper: Helper
) -> None:
    keep(records, client.name, "old", NOW + 30)
    helper.released.clear()
    helper.answers = [granted("new")]
    assert await ours.authorization() == "Bearer old"
    assert await ours.authorization() == "Bearer old"
    helper.released.set()
    await finished(ours)
    assert await ours.authorization() == "Bearer new"
    assert [(request.ask, request.refused) for request in helper.asked] == [("no", "old")]


async def test_one_that_lasts_for_seconds_is_used_as_long_as_it_lasts(
    ours: OAuth, records: Records, client: Client, clock: Moved, helper: Helper
) -> None:
    keep(records, client.name, "short", NOW + 4)
    record = records.read(client.name)
    assert record is not None
    records.write(client.name, replace(record, obtained_at=NOW))
    helper.answers = [granted("new")]
    clock.at = NOW + 3
    assert await ours.authorization() == "Bearer short"
    clock.at = NOW + 4
    assert await ours.authorization() == "Bearer new"


async def test_for_one_that_has_ended_all_wait_for_one_renewal(
    ours: OAuth, records: Records, client: Client, helper: Helper
) -> None:
    keep(records, client.name, "old", NOW - 1)
    helper.answers = [granted("new")]
    assert await asyncio.gather(*(ours.authorization() for _ in range(20))) == 20 * ["Bearer new"]
    assert len(helper.asked) == 1


async def test_one_that_cannot_be_renewed_is_shown_as_long_as_it_is_there(
    ours: OAuth, records: Records, client: Client, helper: Helper
) -> None:
    keep(records, client.name, "old", NOW - 1, refresh=None)
    assert await ours.authorization() == "Bearer old"
    assert helper.asked == []


async def test_concurrent_refusals_share_one_renewal(
    ours: OAuth, records: Records, client: Client, helper: Helper
) -> None:
    keep(records, client.name, "old", NOW + 3600)
    helper.answers = [granted("new")]
    used = await ours.authorization()
    again = await asyncio.gather(*(ours.refused(WANTED, used, may_ask=True) for _ in range(20)))
    assert again == 20 * [True]
    assert await ours.authorization() == "Bearer new"
    assert await ours.refused(WANTED, used, may_ask=True) is True  # a straggler with the old one
    assert [request.refused for request in helper.asked] == ["old"]


async def test_a_refusal_that_lasts_is_not_tried_again_until_the_file_changes(
    ours: OAuth, records: Records, client: Client, clock: Moved, helper: Helper
) -> None:
    keep(records, client.name, "old", NOW - 1)
    helper.answers = [REFUSED, granted("new")]
    assert await ours.authorization() == "Bearer old"
    clock.at += 3600
    assert await ours.refused(WANTED, "Bearer old", may_ask=True) == "the sign-in has ended: run `login`"
    assert len(helper.asked) == 1
    keep(records, client.name, "other", NOW - 1)
    assert await ours.authorization() == "Bearer new"


async def test_a_failure_that_passes_is_tried_again_after_a_rest(
    ours: OAuth, records: Records, client: Client, clock: Moved, helper: Helper
) -> None:
    keep(records, client.name, "old", NOW - 1)
    helper.answers = [DOWN, granted("new")]
    assert await ours.authorization() == "Bearer old"
    said = await ours.refused(WANTED, "Bearer old", may_ask=True)
    assert said == "the server is down: try again in a moment"
    assert len(helper.asked) == 1
    clock.at += 6
    assert await ours.authorization() == "Bearer new"


async def test_without_sign_in_more_scopes_are_not_asked_for(ours: OAuth, records: Records, client: Client) -> None:
    keep(records, client.name, "t", NOW + 3600)
    assert str(await ours.refused(MORE, await ours.authorization(), may_ask=True)).startswith(
        "the upstream wants a scope that the sign-in does not have (HTTP 403): start the gateway with --sign-in, or run"
    )


async def test_with_sign_in_they_are_once(client: Client, clock: Moved, records: Records, helper: Helper) -> None:
    ours = OAuth(client, clock, sign_in=True)
    keep(records, client.name, "t", NOW + 3600)
    helper.answers = [granted("more")]
    assert await ours.refused(MORE, await ours.authorization(), may_ask=True) is True
    said = await ours.refused(MORE, await ours.authorization(), may_ask=True)
    assert said == "the upstream still forbids this (HTTP 403) with the scopes that were granted for it"
    assert [(request.ask, request.status) for request in helper.asked] == [("browser", 403)]


@pytest.mark.parametrize(("sign_in", "rest", "times"), [(False, 5, 1), (True, 30, 2)])
async def test_what_was_just_granted_and_is_refused_too_is_not_asked_for_again_and_again(
    client: Client, clock: Moved, records: Records, helper: Helper, sign_in: bool, rest: int, times: int
) -> None:
    """A person is asked once more: the server may have moved to another authorization server meanwhile."""
    ours = OAuth(client, clock, sign_in=sign_in)
    keep(records, client.name, "old", NOW + 3600)
    helper.answers = [granted("new"), granted("newer"), granted("newest")]
    for _ in range(times):
        assert await ours.refused(WANTED, await ours.authorization(), may_ask=True) is True
    for at in (NOW, NOW + rest - 1):
        clock.at = at
        said = await ours.refused(WANTED, await ours.authorization(), may_ask=True)
        assert said == "the upstream refuses what was granted for it just now (HTTP 401): ask whoever runs it"
    assert len(helper.asked) == times
    clock.at = NOW + rest
    assert await ours.refused(WANTED, await ours.authorization(), may_ask=True) is True


async def test_nobody_is_asked_for_the_sake_of_a_stream(
    client: Client, clock: Moved, records: Records, helper: Helper
) -> None:
    ours = OAuth(client, clock, sign_in=True)
    keep(records, client.name, "t", NOW + 3600)
    helper.answers = [REFUSED]
    await ours.refused(WANTED, await ours.authorization(), may_ask=False)
    assert [request.ask for request in helper.asked] == ["no"]


async def test_who_waits_for_a_person_is_answered_and_the_sign_in_goes_on(
    client: Client, clock: Moved, helper: Helper
) -> None:
    ours = OAuth(client, clock, sign_in=True, wait=0.01)
    helper.released.clear()
    helper.answers = [granted("new")]
    said = await ours.refused(WANTED, None, may_ask=True)
    assert said == ("the sign-in to `https://a.example/mcp` is not finished: finish it in the browser, then try again")
    helper.released.set()
    await finished(ours)
    assert await ours.authorization() == "Bearer new"
    assert len(helper.asked) == 1


async def test_a_person_who_said_no_is_left_in_peace_for_a_while(client: Client, clock: Moved, helper: Helper) -> None:
    ours = OAuth(client, clock, sign_in=True)
    helper.answers = [Failed("denied", "it was not granted", None, lasting=True), granted("new")]
    assert await ours.refused(WANTED, None, may_ask=True) == "it was not granted"
    clock.at += 20
    assert await ours.refused(WANTED, None, may_ask=True) == "it was not granted"
    clock.at += 20
    assert await ours.refused(WANTED, None, may_ask=True) is True


async def test_a_file_that_cannot_be_read_is_no_sign_in(ours: OAuth, records: Records, client: Client) -> None:
    keep(records, client.name, "t", NOW + 3600)
    records.path(client.name).write_text("{", encoding="utf-8")
    assert await ours.authorization() is None


async def test_what_is_in_the_keyring_is_asked_of_the_helper_once(
    ours: OAuth, records: Records, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(records, client.name, "t", NOW + 3600)
    record = records.read(client.name)
    assert record is not None
    records.write(client.name, replace(record, kept="keyring", secret=None))
    asked: list[Request] = []

    async def hand_over(request: Request, _: object) -> Granted:
        asked.append(request)
        return granted("of the keyring")

    monkeypatch.setattr(oauth, "ask", hand_over)
    assert await ours.authorization() == "Bearer of the keyring"
    assert await ours.authorization() == "Bearer of the keyring"
    assert [request.refused for request in asked] == [None]


async def test_later_becomes_it_when_it_is_needed(
    client: Client, clock: Moved, records: Records, helper: Helper
) -> None:
    later = Later(client, clock, sign_in=False, others=False)
    assert await later.authorization() is None
    assert str(await later.refused(WANTED, None, may_ask=True)).startswith("the upstream wants a sign-in (HTTP 401)")
    keep(records, client.name, "t", NOW + 3600)
    assert await later.authorization() == "Bearer t"
    assert helper.asked == []
    later.close()
