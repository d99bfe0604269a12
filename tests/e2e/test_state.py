"""The state file: without it nothing passes, with it every gateway of a user counts together, whatever ends them."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.state.evidence import examining
from gateway.state.migrations import APPLICATION_ID
from tests.e2e import scripted
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, Json, decision
from tests.e2e.scripted import Scripted, said
from tests.unit.state.old import RECORDS, make

DAY = 86_400


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


@pytest.fixture
def noon(home: Home) -> Home:
    """A home whose clock is far from midnight, where the windows of a day change."""
    home.move_clock(DAY + DAY / 2 - time.time() % DAY)
    return home


def a_day(most: int) -> Json:
    limit = {"counter": "calls", "window": "day", "max": most, "scope": "grant"}
    return {"version": "1", "default": "allow", "all_tools": {"limits": [limit]}}


def is_refused(result: Json, rule: str) -> bool:
    return bool(result.get("isError")) and decision(result)["rule"] == rule


def await_allowed(gateway: Gateway) -> None:
    deadline = time.monotonic() + PATIENCE
    while (result := gateway.call("one")) != said("one ran"):
        assert is_refused(result, "(state)"), result
        assert time.monotonic() < deadline, gateway.errors


# --- without a state --------------------------------------------------------------------------------------------------


def unreachable(state: Path) -> None:
    state.parent.write_bytes(b"a file where a folder should be")


def a_folder(state: Path) -> None:
    state.mkdir(parents=True)


def another_file(state: Path) -> None:
    state.parent.mkdir()
    state.write_bytes(b"this is no database, " * 1000)


def another_database(state: Path) -> None:
    state.parent.mkdir()
    change(state, "CREATE TABLE notes (text)")


def newer(state: Path) -> None:
    state.parent.mkdir()
    change(state, f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = 99")


def change(state: Path, *statements: str) -> None:
    connection = sqlite3.connect(state)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def clear_away(state: Path) -> None:
    """What a person does about it: whatever is in the way goes."""
    wrong = state if state.exists() else state.parent
    wrong.rename(wrong.with_name("moved away"))


BAD: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "unreachable": (
        unreachable,
        "cannot be opened: not a directory",
        "hint: check that the file and its folder belong",
    ),
    "a folder": (a_folder, "is not a regular file", "hint: choose the path of a file"),
    "another file": (another_file, "is not a state file", "hint: choose another path, or move that file away"),
    "another database": (another_database, "the state file is a database of another program", "hint: choose another"),
    "newer": (newer, "the state file has version 99, newer than this program knows", "hint: upgrade this program"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_without_a_state_every_call_is_refused_and_the_log_says_why_until_it_is_mended(
    home: Home, upstream: Scripted, case: tuple[Callable[[Path], None], str, str]
) -> None:
    spoil, cause, hint = case
    state = home.path / "folder" / "state.db"
    spoil(state)
    with Gateway(home, upstream.url, "--state", str(state), policy=ALLOW_ALL) as gateway:
        assert "result" in gateway.initialize()
        refused = gateway.call("one")
        assert is_refused(refused, "(state)")
        text = refused["content"][0]["text"]
        assert text.startswith("[POLICY DENIED] Internal policy error: the state file ")
        assert text.endswith(
            ". Nothing passes unrecorded; the owner of this machine finds what to do in the gateway's log"
        )
        assert str(state.parent) not in text
        assert len(gateway.request("tools/list")["result"]["tools"]) == 1
        message = gateway.request("resources/read", {"uri": "a:b"})["error"]["message"]
        assert message == text.replace("[POLICY DENIED]", "Denied by policy:")
        gateway.wait_for_error(hint)
        assert cause in gateway.errors
        assert upstream.asked("tools/call") == []
        clear_away(state)
        await_allowed(gateway)
        assert gateway.close() == 0


def test_without_a_policy_file_the_state_decides_whether_the_built_in_pack_may_be_used(
    home: Home, upstream: Scripted
) -> None:
    """The state knows whether this grant has ever used a file; as long as it cannot be asked, nothing is in force."""
    upstream.tools.append("get_identity")
    home.state.write_bytes(b"this is no database, " * 1000)
    with Gateway(home, upstream.url) as gateway:
        gateway.initialize()
        assert is_refused(gateway.call("get_identity"), "(state)")
        clear_away(home.state)
        deadline = time.monotonic() + PATIENCE
        while gateway.call("get_identity") != said("get_identity ran"):
            assert time.monotonic() < deadline, gateway.errors
        assert is_refused(gateway.call("one"), "(default deny)")


def test_a_state_that_is_replaced_while_the_gateway_runs_is_not_trusted(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        assert gateway.call("one") == said("one ran")
        home.state.rename(home.path / "aside.db")
        assert is_refused(gateway.call("one"), "(state)")
        gateway.wait_for_error("was moved or replaced")
        (home.path / "aside.db").rename(home.state)
        assert gateway.call("one") == said("one ran")
        assert gateway.close() == 0


# --- held by somebody else --------------------------------------------------------------------------------------------


@pytest.fixture
def holder(home: Home, upstream: Scripted) -> Iterator[sqlite3.Connection]:
    """Another program's connection to a state that is in use."""
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        gateway.call("one")
    connection = sqlite3.connect(home.state, isolation_level=None)
    yield connection
    connection.close()


def test_a_state_that_stays_locked_refuses_calls_and_serves_again_when_it_is_free(
    home: Home, upstream: Scripted, holder: sqlite3.Connection
) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL, altered="hasty") as gateway:
        gateway.initialize()
        assert gateway.call("one") == said("one ran")
        holder.execute("BEGIN IMMEDIATE")
        assert is_refused(gateway.call("one"), "(state)")
        gateway.wait_for_error("is locked by another process")
        holder.execute("ROLLBACK")
        assert gateway.call("one") == said("one ran")
    assert len(upstream.calls("one")) == 3


def test_a_call_waits_for_a_locked_state_and_nothing_else_waits_for_the_call(
    home: Home, upstream: Scripted, holder: sqlite3.Connection
) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        gateway.call("one")
        holder.execute("BEGIN IMMEDIATE")
        waiting = gateway.begin("tools/call", {"name": "one"})
        pings = [gateway.begin("ping") for _ in range(3)]
        assert [answer["result"] for answer in gateway.answers(pings)] == [{}] * 3
        assert len(upstream.calls("one")) == 2
        holder.execute("ROLLBACK")
        assert gateway.answer(waiting)["result"] == said("one ran")


# --- shared, and kept -------------------------------------------------------------------------------------------------


def test_gateways_that_run_together_share_one_limit(noon: Home, upstream: Scripted) -> None:
    with (
        Gateway(noon, upstream.url, policy=a_day(25), clocked=True) as one,
        Gateway(noon, upstream.url, policy=a_day(25), clocked=True) as other,
    ):
        gateways = (one, other)
        for gateway in gateways:
            gateway.initialize()
        calls = [[gateway.begin("tools/call", {"name": "one"}) for _ in range(20)] for gateway in gateways]
        answers = [gateway.answers(ids) for gateway, ids in zip(gateways, calls, strict=True)]
    results = [answer["result"] for each in answers for answer in each]
    assert results.count(said("one ran")) == 25
    assert sum(is_refused(result, "/all_tools/limits/0") for result in results if "_meta" in result) == 15
    assert len(upstream.calls("one")) == 25


def test_a_limit_outlives_the_gateway_and_ends_with_its_window(noon: Home, upstream: Scripted) -> None:
    with Gateway(noon, upstream.url, policy=a_day(2), clocked=True) as gateway:
        gateway.initialize()
        assert gateway.call("one") == gateway.call("one") == said("one ran")
    with Gateway(noon, upstream.url, policy=a_day(2), clocked=True) as gateway:
        gateway.initialize()
        assert is_refused(gateway.call("one"), "/all_tools/limits/0")
        noon.move_clock(DAY)
        assert gateway.call("one") == said("one ran")


def test_another_grant_has_limits_of_its_own(noon: Home, upstream: Scripted) -> None:
    for grant in ("alice", "bob"):
        with Gateway(noon, upstream.url, "--grant", grant, policy=a_day(1), clocked=True) as gateway:
            gateway.initialize()
            assert gateway.call("one") == said("one ran")
            assert is_refused(gateway.call("one"), "/all_tools/limits/0")


def test_a_killed_gateway_loses_no_count_and_leaves_a_decision_without_an_outcome(
    noon: Home, upstream: Scripted
) -> None:
    upstream.script("one", scripted.silence)
    with Gateway(noon, upstream.url, policy=a_day(1), clocked=True) as gateway:
        gateway.initialize()
        gateway.begin("tools/call", {"name": "one"})
        upstream.wait_for("tools/call")
        gateway.process.kill()
        assert gateway.wait() == -9
    assert [(record.kind, record.effect) for record in noon.records()] == [("decided", "allow")]
    with Gateway(noon, upstream.url, policy=a_day(1), clocked=True) as gateway:
        gateway.initialize()
        assert is_refused(gateway.call("one"), "/all_tools/limits/0")
    assert len(upstream.calls("one")) == 1


def test_a_state_file_of_the_first_version_is_upgraded_and_judged_by_and_its_log_verifies(
    home: Home, upstream: Scripted
) -> None:
    make(home.state, 1)
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        assert gateway.call("one") == said("one ran")
        assert gateway.close() == 0
    kinds = [record.kind for record in home.records()]
    assert kinds[: RECORDS + 1] == ["decided"] * RECORDS + ["adopted"]
    assert {"decided", "settled"} <= set(kinds[RECORDS + 1 :])
    with examining(home.state) as found:
        assert found.verify().broken is None
