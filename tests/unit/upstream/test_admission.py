from collections.abc import AsyncIterator

import pytest

from gateway.credentials import Challenge
from gateway.upstream.admission import Admission
from gateway.upstream.http import HttpClient, HttpLimits, Outgoing
from gateway.upstream.sse import EventStream
from tests.e2e.scripted import Scripted, http, message, raw, result

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="x"'}
SCOPE = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="w"'}


class Doorman:
    """Credentials that do what the test says: a token each time they are asked, and a verdict for each refusal."""

    def __init__(self) -> None:
        self.tokens: list[str | None] = ["one", "two", "three", "four"]
        self.verdicts: list[bool | str] = []
        self.challenges: list[tuple[Challenge, str | None, bool]] = []
        self.closed = False

    async def authorization(self) -> str | None:
        return self.tokens.pop(0)

    async def refused(self, challenge: Challenge, used: str | None, *, may_ask: bool) -> bool | str:
        self.challenges.append((challenge, used, may_ask))
        return self.verdicts.pop(0)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def doorman() -> Doorman:
    return Doorman()


@pytest.fixture
async def client(upstream: Scripted, doorman: Doorman) -> AsyncIterator[Admission]:
    made = Admission(HttpClient(upstream.url, {}, HttpLimits()), doorman)
    yield made
    made.close()
    assert doorman.closed


OUT = Outgoing(b'{"jsonrpc":"2.0","id":1,"method":"x"}', 1, {}, 5.0, "--request-timeout")


async def deliver(_: object) -> None:
    """Nothing comes before these answers."""


def shown(upstream: Scripted) -> list[str | None]:
    return [asked.headers.get("authorization") for asked in upstream.everything()]


async def test_a_request_carries_what_is_valid_now(upstream: Scripted, client: Admission, doorman: Doorman) -> None:
    doorman.tokens = ["one", None]
    upstream.script("x", result({}), result({}))
    assert [(await client.post(OUT, deliver)).fate for _ in range(2)] == ["answered", "answered"]
    assert shown(upstream) == ["one", None]


@pytest.mark.parametrize("allowed", [True, False])
async def test_whether_it_may_be_sent_once_more_is_asked_when_it_could_be(
    upstream: Scripted, client: Admission, doorman: Doorman, *, allowed: bool
) -> None:
    verdicts: list[bool | str] = [True]
    doorman.verdicts = verdicts
    upstream.script("x", http(401, headers=CHALLENGE), result({"fine": True}))

    async def still() -> bool:
        assert verdicts == [], "after what the credentials waited for"
        return allowed

    answer = await client.post(OUT._replace(still=still), deliver)
    assert answer.fate == ("answered" if allowed else "refused")
    assert shown(upstream) == ["one", "two"][: 1 + allowed]


async def test_one_that_was_not_let_in_is_sent_once_more(
    upstream: Scripted, client: Admission, doorman: Doorman
) -> None:
    doorman.verdicts = [True]
    upstream.script("x", http(401, headers=CHALLENGE), result({"fine": True}))
    answer = await client.post(OUT, deliver)
    assert (answer.fate, answer.result) == ("answered", {"fine": True})
    assert shown(upstream) == ["one", "two"]
    assert doorman.challenges == [(Challenge(401, 'Bearer realm="x"'), "one", True)]


async def test_what_has_a_result_did_run_whatever_its_status_says(
    upstream: Scripted, client: Admission, doorman: Doorman
) -> None:
    upstream.script("x", message({"result": {"ran": True}}, 401, CHALLENGE))
    answer = await client.post(OUT, deliver)
    assert (answer.fate, answer.result) == ("answered", {"ran": True})
    assert (shown(upstream), doorman.challenges) == (["one"], [])


async def test_a_challenge_for_another_scheme_does_not_hide_the_one_for_a_token(
    upstream: Scripted, client: Admission, doorman: Doorman
) -> None:
    doorman.verdicts = [False]
    lines = b'WWW-Authenticate: Bearer realm="x"\r\nWWW-Authenticate: Basic realm="y"\r\nContent-Length: 0\r\n\r\n'
    upstream.script("x", raw(b"HTTP/1.1 401 Unauthorized\r\n" + lines))
    await client.post(OUT, deliver)
    assert doorman.challenges == [(Challenge(401, 'Bearer realm="x"'), "one", True)]


async def test_after_more_scopes_too_but_never_for_ever(
    upstream: Scripted, client: Admission, doorman: Doorman
) -> None:
    doorman.verdicts = [True, True]
    upstream.script("x", http(401, headers=CHALLENGE), http(403, headers=SCOPE), http(403, headers=SCOPE))
    answer = await client.post(OUT, deliver)
    assert (answer.fate, answer.status) == ("refused", 403)
    assert shown(upstream) == ["one", "two", "three"]


async def test_what_credentials_say_is_the_failure(upstream: Scripted, client: Admission, doorman: Doorman) -> None:
    doorman.verdicts = ["run `login`"]
    upstream.script("x", http(401, {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "no"}}))
    answer = await client.post(OUT, deliver)
    assert (answer.fate, answer.response, answer.failure) == ("refused", None, "run `login`")


async def test_where_they_have_no_idea_the_answer_stands(
    upstream: Scripted, client: Admission, doorman: Doorman
) -> None:
    doorman.verdicts = [False]
    upstream.script("x", http(401, {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "no"}}))
    answer = await client.post(OUT, deliver)
    assert answer.response is not None
    assert len(shown(upstream)) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
async def test_no_other_status_is_a_matter_of_credentials(
    upstream: Scripted, client: Admission, doorman: Doorman, status: int
) -> None:
    upstream.script("x", http(status))
    assert (await client.post(OUT, deliver)).status == status
    assert (len(shown(upstream)), doorman.challenges) == (1, [])


async def test_a_stream_is_asked_for_once_more_and_is_none_now_rather_than_none_for_ever(
    upstream: Scripted, client: Admission, doorman: Doorman
) -> None:
    doorman.verdicts = ["no"]
    upstream.script("GET", http(401), http(401))
    async with client.listen({}, EventStream(1000)) as (status, _):
        assert status == 429
    assert shown(upstream) == ["one", "two"]
    assert doorman.challenges == [(Challenge(401, ""), "one", False)]
    upstream.script("GET", http(405))
    async with client.listen({}, EventStream(1000)) as (status, _):
        assert status == 405


async def test_the_end_of_a_session_carries_them_too(upstream: Scripted, client: Admission) -> None:
    await client.delete({"Mcp-Session-Id": "s"})
    assert shown(upstream) == ["one"]
