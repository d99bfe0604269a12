"""The state file fails while a person is in the loop: nothing passes, nothing is lost, nothing used twice (B25, B26).

The faults are real: a file that takes no byte more, a lock that another program holds, modes that forbid, pages that
were overwritten. What reached the upstream is what it says itself.
"""

import re
import resource
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from gateway.state import EVERYONE, Halt
from gateway.state.evidence import examining
from tests.e2e.asked import answer, changed, pending
from tests.e2e.process import PATIENCE, Gateway, Home, Json, decision
from tests.e2e.scripted import Scripted, after, result, said

MAIL, OTHER = {"to": "ann"}, {"to": "eve"}
LIMIT = {"counter": "mail", "window": 10**7, "max": 2, "scope": "grant"}
SAID = "[POLICY DENIED] Internal policy error: the state file "

Fault = Callable[[Gateway], AbstractContextManager[object]]


def policy(**asked: Json) -> Json:
    """A policy that has every mail approved, and lets two of them pass."""
    rule = {"conditions": [], "reason": "Mail goes out.", **asked}
    return {"version": "1", "default": "allow", "tools": {"send": {"approve_if": [rule], "limits": [LIMIT]}}}


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted(tools=("one", "send")) as running:
        yield running


@pytest.fixture
def quick(home: Home) -> Home:
    """A home whose gateways do not wait for an answer."""
    home.environment["KEYID_GATEWAY_APPROVAL_WAIT"] = "0"
    return home


@contextmanager
def full(gateway: Gateway) -> Iterator[None]:
    """No file of this gateway takes a byte more, its log neither."""
    pid, unlimited = gateway.process.pid, resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, unlimited))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))


@contextmanager
def locked(gateway: Gateway) -> Iterator[None]:
    """Another program is in the middle of a transaction."""
    with closing(sqlite3.connect(gateway.home.state, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


FAULTS = {
    "full": (full, "cannot be read or written: the disk reports an error", "hint: free some space on that disk"),
    "locked": (locked, "is locked by another process", "hint: see which program holds it open"),
}


@pytest.fixture(params=list(FAULTS.values()), ids=list(FAULTS))
def fault(request: pytest.FixtureRequest) -> tuple[Fault, str, str]:
    found: tuple[Fault, str, str] = request.param
    return found


def open_gateway(home: Home, upstream: Scripted, document: Json, **more: Json) -> Gateway:
    gateway = Gateway(home, upstream.url, policy=document, **more)
    gateway.initialize()
    return gateway


def refused(found: Json) -> str:
    """The text of a result that refuses because of the state."""
    assert (found["isError"], decision(found)["rule"]) == (True, "(state)"), found
    return str(found["content"][0]["text"])


def required(found: Json) -> str:
    """The question that a result says is open."""
    assert decision(found)["reason"] == "approval", found
    return str(decision(found)["question"])


def verifies(home: Home, *kinds: str) -> None:
    """The chain holds, and says just this, call by call."""
    with examining(home.state) as found:
        assert found.verify().broken is None
    assert [record.kind for record in home.records()] == list(kinds)


# --- while it runs ----------------------------------------------------------------------------------------------------


def test_nothing_is_asked_or_used_and_an_approval_is_there_afterwards_once(
    quick: Home, upstream: Scripted, fault: tuple[Fault, str, str]
) -> None:
    fails, cause, hint = fault
    with open_gateway(quick, upstream, policy(), altered="hasty") as gateway:
        answer(quick, "approve", required(gateway.call("send", MAIL)))
        with fails(gateway):
            assert refused(gateway.call("send", MAIL)).startswith(f"{SAID}{cause}. Nothing passes unrecorded")
            refused(gateway.call("send", OTHER))
            refused(gateway.call("one"))
            gateway.wait_for_error(hint)
        assert not pending(quick, 0)
        assert upstream.asked("tools/call") == []
        assert gateway.call("send", MAIL) == said("send ran")
        required(gateway.call("send", MAIL))
        assert len(upstream.calls("send")) == 1
        assert gateway.close() == 0
    verifies(quick, "question", "answer", "refused", "decided", "settled", "question", "refused")


def test_what_is_remembered_lets_nothing_pass_unrecorded(
    quick: Home, upstream: Scripted, fault: tuple[Fault, str, str]
) -> None:
    covers = {"remember": {"paths": ["args.to"], "seconds": 600}}
    with open_gateway(quick, upstream, policy(**covers), altered="hasty") as gateway:
        answer(quick, "approve", required(gateway.call("send", {**MAIL, "n": 1})))
        assert gateway.call("send", {**MAIL, "n": 2}) == said("send ran")
        with fault[0](gateway):
            refused(gateway.call("send", {**MAIL, "n": 3}))
        assert gateway.call("send", {**MAIL, "n": 4}) == said("send ran")
        assert decision(gateway.call("send", {**MAIL, "n": 5}))["reason"] == "limit"
    assert [asked.message["params"]["arguments"]["n"] for asked in upstream.calls("send")] == [2, 4]


def test_what_came_of_a_call_is_written_when_it_can_be(
    home: Home, upstream: Scripted, fault: tuple[Fault, str, str]
) -> None:
    ready = threading.Event()
    upstream.script("one", after(ready, result(said("late"))))
    with open_gateway(home, upstream, policy(), altered="hasty") as gateway:
        away = gateway.begin("tools/call", {"name": "one"})
        upstream.wait_for("tools/call")
        with fault[0](gateway):
            ready.set()
            assert gateway.answer(away)["result"] == said("late")
            refused(gateway.call("one"))
            gateway.wait_for_error("what came of calls cannot be written, and is kept until it can")
        assert gateway.call("one") == said("one ran")
        assert gateway.close() == 0
    verifies(home, "decided", "settled", "decided", "settled")
    assert [record.outcome for record in home.records()] == [None, "ok", None, "ok"]


def test_a_held_call_whose_answer_finds_a_full_disk_is_refused_and_may_be_made_again(
    home: Home, upstream: Scripted
) -> None:
    with open_gateway(home, upstream, policy()) as gateway:
        held = gateway.begin("tools/call", {"name": "send", "arguments": MAIL})
        number = pending(home)[0].question.id
        with full(gateway):
            answer(home, "approve", number)
            refused(gateway.answer(held)["result"])
        assert upstream.calls("send") == []
        assert gateway.call("send", MAIL) == said("send ran")
        assert gateway.close() == 0
    assert len(upstream.calls("send")) == 1
    verifies(home, "question", "answer", "decided", "settled")


def test_an_answer_that_cannot_be_written_counts_for_nothing(home: Home, upstream: Scripted) -> None:
    words = ("--approve-in-client", "test-client")
    with Gateway(home, upstream.url, *words, policy=policy()) as gateway:
        gateway.initialize({"elicitation": {}})
        held = gateway.begin("tools/call", {"name": "send", "arguments": MAIL})
        asked = gateway.hear("elicitation/create")
        with full(gateway):
            approve = {"action": "accept", "content": {"decision": "approve"}}
            gateway.send({"jsonrpc": "2.0", "id": asked["id"], "result": approve})
            gateway.wait_for_error("could not be written, and counts for nothing: the state file")
        assert upstream.asked("tools/call") == []
        answer(home, "approve")
        assert gateway.answer(held)["result"] == said("send ran")


def test_a_held_call_waits_for_a_lock_and_then_for_its_answer(home: Home, upstream: Scripted) -> None:
    with open_gateway(home, upstream, policy()) as gateway:
        held = gateway.begin("tools/call", {"name": "send", "arguments": MAIL})
        pending(home)
        with locked(gateway):
            assert gateway.request("ping")["result"] == {}
        answer(home, "approve")
        assert gateway.answer(held)["result"] == said("send ran")


def test_a_clock_that_is_set_back_by_an_hour_opens_nothing(quick: Home, upstream: Scripted) -> None:
    """Not an approval, nor what is remembered, nor a limit, nor what was stopped; the log verifies all the same."""
    covers = {"remember": {"paths": ["args.to"], "seconds": 7200}, "timeout": 7200}
    with open_gateway(quick, upstream, policy(**covers), clocked=True) as gateway:
        answer(quick, "approve", required(gateway.call("send", MAIL)))
        assert gateway.call("send", MAIL) == said("send ran")
        answer(quick, "approve", required(gateway.call("send", OTHER)))
        changed(quick, lambda tx: tx.switch.halt(Halt(EVERYONE, time.time(), "me", "Enough.")))
        quick.move_clock(-3600)
        assert decision(gateway.call("send", MAIL))["rule"] == "(stopped)"
        changed(quick, lambda tx: tx.switch.lift(EVERYONE))
        required(gateway.call("send", MAIL))
        required(gateway.call("send", OTHER))
        assert gateway.close() == 0
    assert len(upstream.calls("send")) == 1
    with examining(quick.state) as found:
        assert found.verify().broken is None


def test_an_approval_is_used_by_a_transaction_that_no_power_cut_takes_back(quick: Home, upstream: Scripted) -> None:
    with open_gateway(quick, upstream, policy(), altered="traced") as gateway:
        answer(quick, "approve", required(gateway.call("send", MAIL)))
        assert gateway.call("send", MAIL) == said("send ran")
        assert gateway.close() == 0
    lines = (line.removeprefix("sql: ") for line in gateway.errors.splitlines() if line.startswith("sql: "))
    told = [line for line in lines if line.startswith(("PRAGMA synchronous", "UPDATE approvals SET state", "COMMIT"))]
    (used,) = (place for place, line in enumerate(told) if "'used'" in line)
    before = next(line for line in reversed(told[:used]) if line.startswith("PRAGMA"))
    assert (before, told[used + 1]) == ("PRAGMA synchronous = FULL", "COMMIT")
    after_it = next(line for line in told[used:] if line.startswith("PRAGMA"))
    assert after_it == "PRAGMA synchronous = NORMAL", "no longer than that"


# --- from the start ---------------------------------------------------------------------------------------------------


@contextmanager
def without_write(place: Path, mode: int) -> Iterator[None]:
    before = place.stat().st_mode
    place.chmod(mode)
    yield
    place.chmod(before)


@pytest.mark.parametrize("what", ["the file", "its folder"])
def test_a_state_that_may_not_be_written_refuses_every_call_until_it_may(
    home: Home, upstream: Scripted, what: str
) -> None:
    home.environment["KEYID_GATEWAY_STATE"] = str(home.path / "folder" / "state.db")
    state = Path(home.environment["KEYID_GATEWAY_STATE"])
    with open_gateway(home, upstream, policy()) as gateway:
        assert gateway.call("one") == said("one ran")
        assert gateway.close() == 0
    place, mode = (state, 0o400) if what == "the file" else (state.parent, 0o500)
    with without_write(place, mode), open_gateway(home, upstream, policy(), altered="unprivileged") as gateway:
        assert refused(gateway.call("one")).startswith(f"{SAID}cannot be written. Nothing passes")
        refused(gateway.call("send", MAIL))
        gateway.wait_for_error("hint: check that the file and its folder belong to you and can be written")
        place.chmod(0o700)
        deadline = time.monotonic() + PATIENCE
        while (found := gateway.call("one")) != said("one ran"):
            refused(found)
            assert time.monotonic() < deadline, gateway.errors
    assert len(upstream.asked("tools/call")) == 2


def spoil(state: Path, table: str) -> None:
    """Overwrite the first page of a table."""
    with closing(sqlite3.connect(state)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with state.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


@pytest.mark.parametrize(
    ("table", "passes"),
    [("approvals", {"one"}), ("covers", {"one"}), ("passcode", {"one", "send"}), ("halts", set()), ("audit", set())],
)
def test_a_damaged_table_refuses_whatever_needs_it(
    quick: Home, upstream: Scripted, table: str, passes: set[str]
) -> None:
    with open_gateway(quick, upstream, policy()) as gateway:
        gateway.call("one")
        answer(quick, "approve", required(gateway.call("send", MAIL)))
        assert gateway.close() == 0
    before = len(upstream.asked("tools/call"))
    spoil(quick.state, table)
    with open_gateway(quick, upstream, policy()) as gateway:
        for tool in ("one", "send"):
            found = gateway.call(tool, MAIL)
            if tool in passes:
                assert found == said(f"{tool} ran")
            else:
                assert re.match(re.escape(SAID) + "is damaged", refused(found))
    assert len(upstream.asked("tools/call")) - before == len(passes)
