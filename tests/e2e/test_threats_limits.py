"""Bypass classes B24 to B26: nobody gains a call, and what cannot be counted or recorded is refused."""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.standin import Standin, StandinOptions
from gateway.state import reading
from tests.e2e.arena import ERAS, HANDSHAKE, META, STATELESS
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, called_tools, decision
from tests.e2e.scripted import Scripted, hang_up, http, message

DAY = 86_400
TOOL, SLOW, OWN = "list_contacts", "standin_write_3", "list_crons"
POLICY = {
    "version": "1",
    "default": "allow",
    "tools": {
        TOOL: {"limits": [{"counter": "a", "window": "day", "max": 5, "scope": "grant"}]},
        SLOW: {"limits": [{"counter": "a", "window": "day", "max": 1, "scope": "grant"}]},
        OWN: {"rate_limit": {"max": 3, "window": 60}},
        "work": {"limits": [{"counter": "a", "window": "day", "max": 3, "scope": "grant"}]},
    },
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Standin]:
    with Standin(StandinOptions(), clock=SystemClock()) as running:
        yield running


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def noon(home: Home) -> Home:
    """A home whose clocks say noon: no window ends while a test runs."""
    home.move_clock(DAY / 2 - time.time() % DAY)
    return home


def gateway_of(home: Home, url: str, era: str, *arguments: str, policy: Mapping[str, Any] = POLICY) -> Gateway:
    gateway = Gateway(home, url, *arguments, policy=policy, clocked=True)
    if era == HANDSHAKE:
        gateway.initialize()
    return gateway


def call(gateway: Gateway, era: str, tool: str = TOOL, arguments: Mapping[str, Any] | None = None) -> Any:
    return gateway.call(tool, arguments or {}, _meta=META[era])


def limited(result: Any) -> bool:
    return bool(result.get("_meta", {}).get("keyid-gateway/decision", {}).get("reason") == "limit")


def passed(results: list[Any]) -> int:
    return sum(not limited(result) for result in results)


def ran(upstream: Standin, since: int, tool: str = TOOL) -> int:
    return called_tools(upstream.journal[since:]).count(tool)


def happens(upstream: Standin, event: str, since: int) -> None:
    assert upstream.wait_for(lambda entry: entry.get("event") == event and int(str(entry["n"])) > since, PATIENCE)


def test_b24_two_gateways_and_a_burst_in_parallel_gain_no_call(noon: Home, upstream: Standin, era: str) -> None:
    since = len(upstream.journal)
    with gateway_of(noon, upstream.url, era) as one, gateway_of(noon, upstream.url, era) as two:
        params = {"name": TOOL, "arguments": {}, "_meta": META[era]}
        begun = [(one.begin("tools/call", params), two.begin("tools/call", params)) for _ in range(15)]
        answers = [*one.answers([pair[0] for pair in begun]), *two.answers([pair[1] for pair in begun])]
        results = [answer["result"] for answer in answers]
    assert passed(results) == ran(upstream, since) == 5
    assert all(decision(result)["retry_after_seconds"] >= 1 for result in results if limited(result))
    kinds = [record.kind for record in noon.records()]
    assert (kinds.count("decided"), kinds.count("settled"), kinds.count("refused")) == (5, 5, 25)


def test_b24_a_restart_gains_no_call(noon: Home, upstream: Standin, era: str) -> None:
    since = len(upstream.journal)
    results = []
    for _ in range(2):
        with gateway_of(noon, upstream.url, era) as gateway:
            results += [call(gateway, era) for _ in range(4)]
    assert passed(results) == ran(upstream, since) == 5


def test_b24_a_killed_gateway_keeps_its_charge_and_a_readable_log(noon: Home, upstream: Standin, era: str) -> None:
    since = len(upstream.journal)
    with gateway_of(noon, upstream.url, era) as gateway:
        gateway.begin("tools/call", {"name": SLOW, "arguments": {"seconds": 60}, "_meta": META[era]})
        happens(upstream, "tool", since)
        gateway.process.kill()
        assert gateway.wait() != 0
    with gateway_of(noon, upstream.url, era) as gateway:
        assert limited(call(gateway, era, SLOW, {"seconds": 0}))
        assert "structuredContent" in call(gateway, era)
    kinds = [(record.tool, record.kind) for record in noon.records()]
    assert kinds == [(SLOW, "decided"), (SLOW, "refused"), (TOOL, "decided"), (TOOL, "settled")]
    with closing(sqlite3.connect(noon.state)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("tool", [TOOL, OWN])
def test_b24_a_clock_that_is_moved_back_gains_no_call(noon: Home, upstream: Standin, era: str, tool: str) -> None:
    most = 5 if tool == TOOL else 3
    with gateway_of(noon, upstream.url, era) as gateway:
        assert passed([call(gateway, era, tool) for _ in range(most + 1)]) == most
        for back in (-1, -61, -3600, -DAY, -400 * DAY):
            noon.move_clock(back)
            assert limited(call(gateway, era, tool))
        noon.move_clock(401 * DAY + 3662 + DAY)
        assert passed([call(gateway, era, tool) for _ in range(most + 1)]) == most
        noon.move_clock(-DAY)
        assert limited(call(gateway, era, tool))
    with gateway_of(noon, upstream.url, era) as gateway:
        assert limited(call(gateway, era, tool)) is (tool == TOOL)


def test_b24_calls_that_fail_cost_as_much_as_others(noon: Home, upstream: Standin, era: str) -> None:
    with gateway_of(noon, upstream.url, era) as gateway:
        results = [call(gateway, era, TOOL, {"no such": 1}) for _ in range(6)]
        assert all(result["isError"] for result in results)
        assert passed(results) == 5


def test_b24_a_cancelled_call_costs_as_much_as_others(noon: Home, upstream: Standin, era: str) -> None:
    since = len(upstream.journal)
    with gateway_of(noon, upstream.url, era) as gateway:
        params = {"name": SLOW, "arguments": {"seconds": 60}, "_meta": META[era]}
        identifier = gateway.begin("tools/call", params)
        happens(upstream, "tool", since)
        gateway.notify("notifications/cancelled", {"requestId": identifier})
        happens(upstream, "cancelled", since)
        assert limited(call(gateway, era, SLOW, {"seconds": 0}))
    assert ran(upstream, since, SLOW) == 1


def test_b24_no_name_era_identity_or_new_handshake_opens_another_counter(
    noon: Home, upstream: Standin, era: str
) -> None:
    since = len(upstream.journal)
    with gateway_of(noon, upstream.url, era) as gateway:
        gateway.initialize()
        assert passed([call(gateway, era, OWN) for _ in range(4)]) == 3
        for other in ERAS:
            assert limited(call(gateway, other, OWN))
        for version in ("2024-11-05", "2025-11-25"):
            gateway.initialize(version=version)
            assert limited(call(gateway, HANDSHAKE, OWN))
        meta = {**META[STATELESS], "io.modelcontextprotocol/clientInfo": {"name": "somebody else", "version": "9"}}
        assert limited(gateway.call(OWN, {}, _meta=meta))
        for name in ("List_Crons", "list_crons ", "list\u200b_crons", "mcp__list_crons"):
            assert decision(call(gateway, era, name))["rule"] == "(unknown tool)"
    assert ran(upstream, since, OWN) == 3


def test_b24_another_query_of_the_upstream_opens_no_other_counter(noon: Home, upstream: Standin, era: str) -> None:
    results = []
    for suffix in ("?x=1", "?y=2#z"):
        with gateway_of(noon, upstream.url + suffix, era) as gateway:
            results += [call(gateway, era) for _ in range(4)]
    assert passed(results) == 5


@pytest.mark.parametrize("status", [401, 404, 429])
def test_b24_what_was_refused_unrun_is_given_back_at_most_as_often_as_the_limit_is_high(
    noon: Home, era: str, status: int
) -> None:
    with Scripted(["work"]) as upstream, gateway_of(noon, upstream.url, era) as gateway:
        refused = message({"error": {"code": -32000, "message": "no"}}, status=status)
        upstream.script("work", *[refused] * 40)
        results = [call(gateway, era, "work") for _ in range(12)]
        assert limited(results[-1])
        # a 404 says that the session is gone, so the call is sent once more; where there is none it says nothing
        sent = 2 if status == 404 and era == HANDSHAKE else 1
        assert len(upstream.calls("work")) == passed(results) * sent
        assert passed(results) == (3 if status == 404 and era == STATELESS else 6)


UNKNOWN_FATES = {
    "hang up": hang_up,
    "failure": http(500, b"boom"),
    "no json": http(200, b"not json"),
    "other id": message({"id": "other", "result": {}}),
    "error": message({"error": {"code": -32000, "message": "no"}}),
}


@pytest.mark.parametrize("reply", UNKNOWN_FATES.values(), ids=UNKNOWN_FATES)
def test_b24_a_call_of_unknown_fate_costs_and_is_not_sent_again(noon: Home, era: str, reply: Any) -> None:
    with Scripted(["work"]) as upstream, gateway_of(noon, upstream.url, era) as gateway:
        upstream.script("work", *[reply] * 10)
        results = [call(gateway, era, "work") for _ in range(5)]
        assert passed(results) == len(upstream.calls("work")) == 3
        assert limited(results[-1])


def test_b24_a_call_that_was_never_sent_costs_nothing(noon: Home, era: str) -> None:
    with Scripted(["work"]) as upstream, gateway_of(noon, upstream.url, era) as gateway:
        assert "content" in call(gateway, era, "work")
        upstream.stop()
        results = [call(gateway, era, "work") for _ in range(2)]
        assert [result["code"] for result in results] == [-32603, -32603]
        upstream.start()
        assert passed([call(gateway, era, "work") for _ in range(4)]) == 2


def test_b25_without_a_state_file_every_call_is_refused_and_the_gateway_lives(
    home: Home, upstream: Standin, era: str
) -> None:
    home.state.mkdir()
    since = len(upstream.journal)
    with gateway_of(home, upstream.url, era) as gateway:
        for tool in ("get_identity", TOOL):
            denial = call(gateway, era, tool)
            assert (decision(denial)["rule"], denial["isError"]) == ("(state)", True)
        assert gateway.request("tools/list", {"_meta": META[era]})["result"]["tools"]
        assert gateway.close() == 0
    assert called_tools(upstream.journal[since:]) == []


def test_b25_a_state_file_that_is_taken_away_refuses(noon: Home, upstream: Standin, era: str) -> None:
    since = len(upstream.journal)
    with gateway_of(noon, upstream.url, era) as gateway:
        assert passed([call(gateway, era) for _ in range(6)]) == 5
        noon.state.rename(noon.path / "elsewhere.db")
        assert decision(call(gateway, era))["rule"] == "(state)"
        (noon.path / "elsewhere.db").rename(noon.state)
        assert limited(call(gateway, era))
    assert ran(upstream, since) == 5


def test_b25_a_locked_state_file_delays_the_judged_and_nothing_else(noon: Home, upstream: Standin, era: str) -> None:
    since = len(upstream.journal)
    with gateway_of(noon, upstream.url, era) as gateway, closing(sqlite3.connect(noon.state)) as connection:
        assert "structuredContent" in call(gateway, era)
        connection.execute("BEGIN IMMEDIATE")
        identifier = gateway.begin("tools/call", {"name": TOOL, "arguments": {}, "_meta": META[era]})
        assert gateway.request("tools/list", {"_meta": META[era]})["result"]["tools"]
        assert ran(upstream, since) == 1
        connection.rollback()
        assert "structuredContent" in gateway.answer(identifier)["result"]


FAULTS = {
    "no record": "CREATE TRIGGER fault BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk is full'); END",
    "no count": "CREATE TRIGGER fault BEFORE UPDATE ON counters BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END",
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_b26_what_cannot_be_written_down_is_refused_and_leaves_nothing_behind(
    noon: Home, upstream: Standin, era: str, fault: str
) -> None:
    since = len(upstream.journal)
    with gateway_of(noon, upstream.url, era) as gateway, closing(sqlite3.connect(noon.state)) as connection:
        assert "structuredContent" in call(gateway, era)
        connection.execute(fault)
        connection.commit()
        assert [decision(call(gateway, era))["rule"] for _ in range(3)] == ["(state)"] * 3
        connection.execute("DROP TRIGGER fault")
        connection.commit()
        assert passed([call(gateway, era) for _ in range(6)]) == 4
    assert ran(upstream, since) == 5
    with reading(noon.state) as transaction:
        seqs = [entry.seq for entry in transaction.audit.tail(0, 1000)]
    assert seqs == list(range(1, len(seqs) + 1))


def test_b26_a_gateway_killed_in_a_burst_leaves_a_log_that_holds_every_call_that_arrived(
    noon: Home, upstream: Standin, era: str
) -> None:
    since = len(upstream.journal)
    with gateway_of(noon, upstream.url, era, policy=ALLOW_ALL) as gateway:
        for _ in range(200):
            gateway.begin("tools/call", {"name": "get_identity", "arguments": {}, "_meta": META[era]})
        happens(upstream, "tool", since)
        gateway.process.kill()
        assert gateway.wait() != 0
    decided = [record for record in noon.records() if record.kind == "decided"]
    assert len(decided) >= ran(upstream, since, "get_identity") > 0
    with gateway_of(noon, upstream.url, era, policy=ALLOW_ALL) as gateway:
        assert "structuredContent" in call(gateway, era, "get_identity")


def test_b26_a_state_file_that_is_no_database_refuses_and_is_not_touched(
    home: Home, upstream: Standin, era: str, tmp_path: Path
) -> None:
    rubbish = b"this is no database, and it is somebody's only copy of something\n" * 100
    (tmp_path / "state.db").write_bytes(rubbish)
    with gateway_of(home, upstream.url, era) as gateway:
        assert decision(call(gateway, era))["rule"] == "(state)"
        assert gateway.close() == 0
    assert (tmp_path / "state.db").read_bytes() == rubbish
