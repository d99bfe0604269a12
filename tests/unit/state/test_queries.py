"""What is asked of the log is answered from its indexes, and whole."""

import sqlite3
from collections.abc import Iterator

import pytest

from gateway.state import Record
from gateway.state.audit import SqliteAudit
from gateway.state.evidence import Evidence
from gateway.state.queries import Query, statement_of
from gateway.state.statistics import Latency
from tests.unit.state.manual import MIDNIGHT, RECORD
from tests.unit.state.test_verification import evidence, written

DAY = 86_400


def call(number: int, outcome: str | None, **changes: object) -> list[Record]:
    first = RECORD._replace(decision_id=f"d{number}", at=MIDNIGHT + number, **changes)  # type: ignore[arg-type] # as given
    if outcome is None:
        return [first]
    return [first, first._replace(kind="settled", at=first.at + 0.5, outcome=outcome, latency_ms=float(number))]


CALLS = [
    *call(1, "ok"),
    *call(2, "tool error", tool="get_identity", rule="/tools/get_identity"),
    *call(3, None, kind="refused", effect="deny", tool="delete_file", rule="(hidden)", reason="hidden", message="no"),
    *call(4, None, grant="other", server="https://other.example/mcp"),
    *call(5, "ok", session="s2", client_name="cursor"),
    *call(6, "no answer: timed out", tool="a[b]*c"),
    RECORD._replace(kind="pruned", decision_id="p", at=MIDNIGHT + 7, method="audit/prune", tool=""),
]


@pytest.fixture
def log() -> Iterator[Evidence]:
    connection = written(records=0)
    audit = SqliteAudit(connection)
    for record in CALLS:
        audit.append(record)
    yield evidence(connection)
    connection.close()


def ids(log: Evidence, query: Query) -> list[int]:
    return [int(found.first.record.decision_id[1:]) for found in log.find(query, order="oldest", limit=None)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), [1, 2, 3, 4, 5, 6]),
        (Query(since=MIDNIGHT + 2, until=MIDNIGHT + 4), [2, 3]),
        (Query(tool="get_identity"), [2]),
        (Query(tool="get"), []),
        (Query(tool="*_identity"), [2]),
        (Query(tool="?et_*"), [2]),
        (Query(tool="a[b]*c"), [6]),
        (Query(tool="a[b]?c"), [6]),
        (Query(rule="(hidden)"), [3]),
        (Query(rule="/tools/*"), [1, 2, 4, 5, 6]),
        (Query(effect="deny"), [3]),
        (Query(reason="hidden"), [3]),
        (Query(grant="other"), [4]),
        (Query(session="s2"), [5]),
        (Query(client="cursor"), [5]),
        (Query(server="https://other.example/mcp"), [4]),
        (Query(outcome="ok"), [1, 5]),
        (Query(outcome="tool error"), [2]),
        (Query(outcome="no answer*"), [6]),
        (Query(outcome="failed"), [2, 6]),
        (Query(outcome="failed", tool="get_*"), [2]),
        (Query(outcome="not sent"), [3]),
        (Query(outcome="not settled"), [4]),
        (Query(tool="' OR 1=1 --"), []),
    ],
)
def test_calls_are_found_by_what_is_asked(log: Evidence, query: Query, found: list[int]) -> None:
    assert ids(log, query) == found


def test_the_newest_come_first_and_only_so_many(log: Evidence) -> None:
    answer = list(log.find(Query(), order="newest", limit=2))
    assert [found.first.record.decision_id for found in answer] == ["d6", "d5"]
    assert [found.settled.record.latency_ms if found.settled else None for found in answer] == [6.0, 5.0]


@pytest.mark.parametrize(
    ("query", "plan"),
    [
        (Query(), "SCAN first USING INDEX audit_calls"),
        (Query(tool="x", session="s", client="c", grant="g", rule="r", effect="deny", reason="hidden"), "audit_calls"),
        (Query(since=1.0), "SEARCH first USING INDEX audit_calls (at>?)"),
        (Query(since=1.0, until=2.0), "SEARCH first USING INDEX audit_calls (at>? AND at<?)"),
        (Query(outcome="not settled"), "SEARCH last USING INDEX audit_decision (decision_id=?)"),
        (Query(outcome="failed"), "SCAN last USING INDEX audit_failed"),
        (Query(outcome="tool error"), "USING INDEX audit_failed (outcome"),
    ],
)
def test_every_question_has_its_index(log: Evidence, query: Query, plan: str) -> None:
    statement, values = statement_of(query, "newest")
    steps = [str(row[3]) for row in log.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert any(plan in step for step in steps), steps
    assert not [step for step in steps if step in ("SCAN first", "SCAN last")]


def test_filters_are_answered_without_reading_the_records(log: Evidence) -> None:
    """The bytecode reads the record (cursor of the table) only after the last filter was passed: `DeferredSeek`."""
    statement, values = statement_of(Query(tool="x", client="c"), "newest")
    program = [row[1] for row in log.connection.execute(f"EXPLAIN {statement}", values)]
    assert "DeferredSeek" in program
    assert "audit_calls" in str(
        log.connection.execute("SELECT sql FROM sqlite_master WHERE name = 'audit_calls'").fetchone()
    )


def test_the_story_of_a_call_has_all_its_rounds(log: Evidence) -> None:
    audit = SqliteAudit(log.connection)
    for record in (
        *call(8, "input required"),
        *call(9, "ok", message="round 2 of the call that decision d8 began"),
        *call(10, "ok", message="round 3 of the call that decision d8 began", session="another"),
    ):
        audit.append(record)
    for asked in ("d8", "d9"):
        story = log.story(asked)
        assert [entry.record.decision_id for entry, _ in story] == ["d8", "d8", "d9", "d9"]
        assert all(len(linked) == 64 for _, linked in story)
    assert log.story("nothing") == []
    assert len(log.story("d1")) == 2


def test_ids_are_found_by_their_beginning(log: Evidence) -> None:
    assert log.beginning_with("d", 3) == ["d1", "d2", "d3"]
    assert log.beginning_with("d5", 3) == ["d5"]
    assert log.beginning_with("x", 3) == []


def test_the_log_in_numbers(log: Evidence) -> None:
    found = log.count(None, None)
    assert found.calls == 6
    assert found.effects == {"allow": 5, "deny": 1}
    assert found.tools["send_email"] == {"allow": 3}
    assert found.rules == {"(hidden)": 1}
    assert found.outcomes == {"ok": 2, "tool error": 1, "no answer: timed out": 1}
    assert found.days == {int(MIDNIGHT): {"allow": 5, "deny": 1}}
    assert found.latency == Latency(2.0, 6.0)
    assert found.latencies["send_email"] == Latency(1.0, 5.0)
    assert log.count(MIDNIGHT + 3, MIDNIGHT + 4).calls == 1
    assert log.count(MIDNIGHT + DAY, None).latency is None


def test_everything_comes_with_its_hash(log: Evidence) -> None:
    found = list(log.everything(None, None))
    assert [entry.seq for entry, _ in found] == list(range(1, len(CALLS) + 1))
    assert found[-1][1] == log.head(0.0).hash
    assert [entry.seq for entry, _ in log.everything(MIDNIGHT + 6, MIDNIGHT + 7)] == [9, 10]


def test_a_damaged_log_has_no_head(log: Evidence) -> None:
    log.connection.execute("DELETE FROM audit_chain")
    with pytest.raises(Exception, match="nothing says where it begins and ends"):
        log.head(0.0)


def test_a_query_needs_the_indexes(log: Evidence) -> None:
    log.connection.execute("DROP INDEX audit_calls")
    with pytest.raises(sqlite3.OperationalError, match="no such index: audit_calls"):
        list(log.find(Query(), order="newest", limit=1))
