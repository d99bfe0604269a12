"""The questions in the state file: each is one, is answered once, used once, and ends (B22)."""

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.jsonrpc import loads
from gateway.state import approvals
from gateway.state.approvals import Covering, Full, Question, Standing
from gateway.state.approving import SqliteApprovals
from gateway.state.migrations import migrate

NOW = 1_800_000_000.0
ASKED = Question("", "send", {"to": "a"}, "/r", "Why.", "me", "http://s", "s1", "client", "1", 0, 0, (), 600, "rev")


class Process:
    """One process at the file."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=20, check_same_thread=False)
        self.store = SqliteApprovals(self.connection)

    def ask(self, identity: str = "i", question: Question = ASKED, now: float = NOW) -> Standing:
        self.store.sweep(now)
        standing = self.store.open(identity) or self.store.ask(question, identity, now)
        assert isinstance(standing, Standing)
        self.store.join(standing.question.id)
        return standing

    def answer(self, number: str, verdict: Any = "approve", now: float = NOW, **more: Any) -> Standing | None:
        self.store.sweep(now)
        return self.store.answer(number, verdict, now, by="test", **more)

    def status(self, number: str) -> str:
        return self.store.named(number)[0].status


@pytest.fixture
def file(tmp_path: Path) -> Path:
    connection = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection)
    connection.close()
    return tmp_path / "state.db"


@pytest.fixture
def one(file: Path) -> Iterator[Process]:
    process = Process(file)
    yield process
    process.connection.close()


@pytest.fixture
def other(file: Path) -> Iterator[Process]:
    process = Process(file)
    yield process
    process.connection.close()


def test_a_question_is_kept_as_it_was_asked(one: Process, other: Process) -> None:
    exact = loads('{"n": 12345678901234567890, "x": 1.10, "t": "é\\u202e"}')
    assert isinstance(exact, dict)
    covering = (Covering(("args.to", "args.cc[*]"), 60, "key"),)
    asked = one.ask(question=replace(ASKED, arguments=exact, remember=covering)).question
    (standing,) = other.store.pending(NOW)
    assert standing == Standing(asked, "pending", waiters=1)
    assert (asked.arguments, asked.remember, asked.asked_at, asked.expires_at) == (exact, covering, NOW, NOW + 600)
    assert len(asked.id) == 5


def test_the_same_question_is_one_whoever_asks(one: Process, other: Process) -> None:
    first, second = one.ask(), other.ask()
    assert second.question == first.question
    assert one.ask("another").question.id != first.question.id
    assert one.store.leave(first.question.id) == 1
    assert other.store.leave(first.question.id) == 0
    assert other.store.leave(first.question.id) == 0


def test_an_answer_is_given_once(one: Process, other: Process) -> None:
    number = one.ask().question.id
    answered = other.answer(number)
    assert answered is not None
    assert (answered.status, answered.answered_by, answered.answered_at) == ("approved", "test", NOW)
    assert one.answer(number, "deny") is None
    assert one.status(number) == "approved"
    assert one.answer("zzzzz") is None


def test_an_approval_is_used_once(one: Process, other: Process) -> None:
    number = one.ask().question.id
    assert not one.store.use(number)
    other.answer(number)
    assert [who.store.use(number) for who in (one, other, one)] == [True, False, False]
    assert other.store.open("i") is None
    assert one.store.named(number)[0].question.arguments == {}


def test_of_many_that_use_it_at_once_one_does(file: Path, one: Process) -> None:
    number = one.ask().question.id
    one.answer(number)
    used, begin = [], threading.Barrier(8)

    def use() -> None:
        process = Process(file)
        begin.wait(20)
        process.connection.execute("BEGIN IMMEDIATE")
        used.append(process.store.use(number))
        process.connection.execute("COMMIT")
        process.connection.close()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(used) == [False] * 7 + [True]


def test_what_was_used_in_a_transaction_that_fails_is_not_used(one: Process, other: Process) -> None:
    number = one.ask().question.id
    one.answer(number)
    one.connection.execute("BEGIN IMMEDIATE")
    assert one.store.use(number)
    one.connection.execute("ROLLBACK")
    assert other.store.use(number)


def test_a_denial_holds_for_as_long_as_it_says(one: Process) -> None:
    number = one.ask().question.id
    one.answer(number, "deny", note="No.", now=NOW + 10)
    standing = one.ask(now=NOW + 600)
    assert (standing.status, standing.note, standing.question.arguments) == ("denied", "No.", {})
    assert one.store.sweep(NOW + 610) == []
    assert one.ask(now=NOW + 610).question.id != number
    longer = one.ask("j").question.id
    one.answer(longer, "deny", seconds=7200.0)
    assert one.ask("j", now=NOW + 7199).status == "denied"


@pytest.mark.parametrize("answered", [False, True])
def test_what_expires_is_told_once_and_is_gone(one: Process, other: Process, *, answered: bool) -> None:
    number = one.ask().question.id
    if answered:
        one.answer(number, now=NOW + 100)
    late = NOW + (700 if answered else 600)
    assert one.store.sweep(late - 1) == []
    assert [question.id for question in other.store.sweep(late)] == [number]
    assert one.store.sweep(late) == []
    assert one.answer(number, now=late) is None
    assert not one.store.use(number)
    assert one.status(number) == "expired"


def test_a_clock_that_is_set_back_revives_nothing(one: Process, other: Process) -> None:
    approved, waiting = one.ask("a").question.id, one.ask("w").question.id
    one.answer(approved, now=NOW + 1)
    one.store.sweep(NOW + 599)
    assert [question.id for question in other.store.sweep(NOW - 3600)] == [approved, waiting]
    assert not one.store.use(approved)
    asked = one.ask("a", now=NOW - 3600)
    assert asked.question.expires_at == NOW - 3000
    assert one.store.sweep(NOW - 3001) == []


def test_a_clock_that_trembles_stands_still(one: Process) -> None:
    one.store.sweep(NOW)
    asked = one.ask(now=NOW - 5).question
    assert (asked.asked_at, asked.expires_at) == (NOW, NOW + 600)
    assert one.answer(asked.id, now=NOW - 5) is not None


def test_time_that_the_log_has_seen_has_passed(one: Process) -> None:
    number = one.ask().question.id
    cells = ", ".join(["''"] * 21)
    one.connection.execute(f"INSERT INTO audit SELECT 1, {cells}, x''")
    one.connection.execute("UPDATE audit SET at = ?", (NOW + 601,))
    assert [question.id for question in one.store.sweep(NOW + 560)] == [number]


def test_who_is_covered(one: Process, other: Process) -> None:
    covering = (Covering(("args.to",), 60, "k1"), Covering((), 0), Covering(("args.to",), 30, "k2"))
    number = one.ask(question=replace(ASKED, remember=covering)).question.id
    assert other.store.covered({"k1", "k2"}, NOW) == frozenset()
    one.answer(number)
    assert other.store.covered({"k1", "k2", ""}, NOW) == {"k1", "k2"}
    assert other.store.covered({"k1", "k2"}, NOW + 30) == {"k1"}
    other.store.sweep(NOW + 60)
    assert other.store.covered({"k1", "k2"}, NOW) == frozenset()


def test_a_denial_covers_nothing(one: Process) -> None:
    number = one.ask(question=replace(ASKED, remember=(Covering(("args.to",), 60, "k"),))).question.id
    one.answer(number, "deny")
    assert one.store.covered({"k"}, NOW) == frozenset()


def test_a_question_is_withdrawn_while_it_waits_and_not_later(one: Process) -> None:
    number = one.ask().question.id
    withdrawn = one.store.withdraw(number)
    assert withdrawn is not None
    assert (withdrawn.id, one.status(number)) == (number, "withdrawn")
    assert one.store.withdraw(number) is None
    assert one.answer(number) is None
    approved = one.ask().question.id
    one.answer(approved)
    assert one.store.withdraw(approved) is None
    assert one.store.use(approved)


def test_a_thousand_that_wait_stay_usable_and_more_than_too_many_are_not_taken(
    one: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.state.approving.MOST_PENDING", 1000)
    for number in range(1000):
        one.ask(f"i{number}", replace(ASKED, session=f"s{number % 4}"))
    assert one.store.count_pending(NOW) == len(one.store.pending(NOW)) == 1000
    full = one.store.ask(ASKED, "one more", NOW)
    assert full == Full("too many questions are open (1000)")
    middle = one.store.pending(NOW)[500].question.id
    one.answer(middle)
    assert one.store.use(middle)
    assert isinstance(one.store.ask(ASKED, "one more", NOW), Standing)


def test_one_session_cannot_fill_it(one: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.state.approving.MOST_OF_SESSION", 3)
    for number in range(3):
        one.ask(f"i{number}")
    assert one.store.ask(ASKED, "x", NOW) == Full("too many questions of this session are open (3)")
    assert isinstance(one.store.ask(replace(ASKED, session="s2"), "x", NOW), Standing)


def test_what_no_person_reads_is_not_asked(one: Process) -> None:
    huge = replace(ASKED, arguments={"x": "y" * approvals.LARGEST})
    found = one.store.ask(huge, "x", NOW)
    assert found == Full("its arguments are larger than a person can read (1048584 bytes; at most 1048576)")


def test_how_large_they_are_together_is_bounded(one: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.state.approving.MOST_BYTES_OF_SESSION", 100)
    large = replace(ASKED, arguments={"x": "y" * 60})
    one.ask("a", large)
    assert isinstance(one.store.ask(large, "b", NOW), Full)
    one.store.withdraw(one.store.pending(NOW)[0].question.id)
    assert isinstance(one.store.ask(large, "b", NOW), Standing)


def test_what_is_over_is_remembered_but_not_for_ever(one: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.state.approving._MOST_KEPT", 5)
    over = [one.ask(f"i{number}").question.id for number in range(10)]
    for number in over:
        one.store.withdraw(number)
    one.ask("last")
    assert one.store.named(over[0]) == []
    assert one.store.named(over[-1])[0].status == "withdrawn"


def test_how_questions_stand_is_one_statement_without_a_transaction(one: Process, other: Process) -> None:
    first, second = one.ask("a").question.id, one.ask("b").question.id
    other.answer(second, "deny")
    statements: list[str] = []
    one.connection.set_trace_callback(statements.append)
    assert one.store.statuses([first, second, "none"]) == {first: "pending", second: "denied"}
    one.connection.set_trace_callback(None)
    assert len(statements) == 1


def test_arguments_may_nest_as_deep_as_any_setting_lets_them(one: Process) -> None:
    deep: Any = "x"
    for _ in range(499):
        deep = [deep]
    standing = one.ask(question=replace(ASKED, arguments={"deep": deep}))
    assert one.store.named(standing.question.id)[0].question.arguments == {"deep": deep}
