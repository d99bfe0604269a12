"""Whatever is changed in a log that was written is found, at the first record that it changes."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.state import Record, chain
from gateway.state.audit import SqliteAudit
from gateway.state.evidence import Evidence
from gateway.state.heads import Head
from gateway.state.migrations import migrate
from gateway.state.verification import Break, Verification
from tests.unit.state.manual import MIDNIGHT, RECORD

LOG = 6
"""How many records the log has."""
CHANGED = "a field, its place or its hash is not as it was written"
ENDS = "the row that says where the log begins and ends was changed, or belongs to another state file"


def written(path: str | Path = ":memory:", records: int = LOG) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection)
    audit = SqliteAudit(connection)
    for number in range(records):
        settled = number % 2
        audit.append(
            RECORD._replace(
                kind="settled" if settled else "decided",
                decision_id=f"d{number // 2}",
                at=MIDNIGHT + number / 4,
                upstream_status=200 if settled else None,
                outcome="ok" if settled else None,
                latency_ms=1.5 if settled else None,
                values='{"to": "kim"}' if number == 2 else None,
            )
        )
    return connection


def examined(connection: sqlite3.Connection, *heads: Head) -> Verification:
    return evidence(connection).verify(heads)


def evidence(connection: sqlite3.Connection) -> Evidence:
    (state_id,) = connection.execute("SELECT value FROM meta WHERE name = 'state_id'").fetchone()
    return Evidence(connection, state_id.hex())


def broken(connection: sqlite3.Connection) -> Break:
    found = examined(connection)
    assert not found.ok
    assert found.broken is not None
    return found.broken


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = written()
    yield opened
    opened.close()


def test_what_was_written_is_whole(connection: sqlite3.Connection) -> None:
    found = examined(connection)
    assert (found.ok, found.broken, found.first, found.last, found.comparisons) == (True, None, 1, LOG, ())
    assert found.head == chain.ends(connection).hash.hex()


CELLS = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=9),
    st.binary(max_size=9),
    st.sampled_from(["settled", "decided", "refused", "pruned", "", "200", "ok", '["body", "to"]', '["to", "body"]']),
)


@settings(deadline=None)  # the machine may be busy
@given(
    seq=st.integers(1, LOG),
    column=st.sampled_from([*chain.COLUMNS, "hash", "seq"]),
    cell=CELLS,
)
def test_any_change_of_any_field_is_found(seq: int, column: str, cell: object) -> None:
    connection = written()
    before = connection.execute("SELECT * FROM audit ORDER BY seq").fetchall()
    try:
        connection.execute(f"UPDATE audit SET {column} = ? WHERE seq = ?", (cell, seq))  # noqa: S608 - constants
    except sqlite3.IntegrityError:  # the file itself takes no such value: nothing was changed
        assert examined(connection).ok
        return
    finally:
        same = connection.execute("SELECT * FROM audit ORDER BY seq").fetchall() == before
        found = examined(connection)
        connection.close()
    assert found.ok == same
    if not same:
        assert found.broken is not None
        named = (
            max(seq, cell) if isinstance(cell, int | float) else seq
        )  # the last one may have been given a later number
        assert found.broken.seq <= named if column == "seq" else found.broken.seq == seq


@settings(deadline=None)  # the machine may be busy
@given(st.permutations(range(1, LOG + 1)))
def test_any_other_order_is_found(order: list[int]) -> None:
    connection = written()
    connection.execute("UPDATE audit SET seq = -seq")
    for place, seq in enumerate(order, start=1):
        connection.execute("UPDATE audit SET seq = ? WHERE seq = ?", (place, -seq))
    found = examined(connection)
    connection.close()
    first = next((place for place, seq in enumerate(order, start=1) if place != seq), None)
    assert (found.broken.seq if found.broken else None) == first


@settings(deadline=None)  # the machine may be busy
@given(st.sets(st.integers(1, LOG), min_size=1))
def test_any_deletion_is_found(gone: set[int]) -> None:
    connection = written()
    connection.executemany("DELETE FROM audit WHERE seq = ?", [(seq,) for seq in gone])
    found = broken(connection)
    connection.close()
    assert found.seq == min(gone)
    assert "missing" in found.what


@pytest.mark.parametrize("seq", [-1, 0, LOG + 1, LOG + 2])
def test_an_insertion_is_found(connection: sqlite3.Connection, seq: int) -> None:
    connection.execute(
        f"INSERT INTO audit (seq, {chain.LIST}, hash) SELECT ?, {chain.LIST}, hash FROM audit WHERE seq = 1",  # noqa: S608 - constants
        (seq,),
    )
    assert broken(connection).seq == seq


SAID: dict[str, tuple[str, Break]] = {
    "changed": (
        "UPDATE audit SET tool = 'get_identity' WHERE seq = 3",
        Break(3, "record 3 was changed", CHANGED),
    ),
    "one deleted": ("DELETE FROM audit WHERE seq = 3", Break(3, "record 3 is missing", "they were deleted")),
    "some deleted": (
        "DELETE FROM audit WHERE seq IN (3, 4)",
        Break(3, "records 3 to 4 are missing", "they were deleted"),
    ),
    "cut off": (
        "DELETE FROM audit WHERE seq > 4",
        Break(5, "records 5 to 6 are missing", "the end of the log was cut off"),
    ),
    "behind": (
        "UPDATE audit SET seq = 7 WHERE seq = 6",
        Break(7, "record 7 stands behind the newest one (6)", "it was put there afterwards"),
    ),
    "before": (
        "UPDATE audit SET seq = 0 WHERE seq = 6",
        Break(0, "record 0 stands before the beginning of the log", "it was put there afterwards"),
    ),
    "no text": (
        "UPDATE audit SET tool = CAST(X'FF' AS TEXT) WHERE seq = 3",
        Break(3, "record 3 holds what is no text", CHANGED),
    ),
    "the head": (
        "UPDATE audit_chain SET hash = zeroblob(32)",
        Break(6, "record 6 does not have the hash of the head", "the head was changed"),
    ),
    "the ends": ("DELETE FROM audit_chain", Break(0, "nothing says where it begins and ends", ENDS)),
    "another file": (
        "UPDATE audit_chain SET pruned_hash = zeroblob(32)",
        Break(0, "the beginning of the log is not the one of this state file", ENDS),
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_it_says_what_is_wrong_and_what_that_means(connection: sqlite3.Connection, name: str) -> None:
    damage, words = SAID[name]
    connection.execute(damage)
    assert broken(connection) == words


def test_pruning_that_nobody_recorded_is_found(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE audit_chain SET pruned_seq = 2, pruned_hash = (SELECT hash FROM audit WHERE seq = 2)")
    connection.execute("DELETE FROM audit WHERE seq <= 2")
    assert broken(connection) == Break(
        1,
        "records 1 to 2 are gone, and no record says that they were pruned",
        "somebody removed them and made it look like pruning",
    )


# --- heads ------------------------------------------------------------------------------------------------------------


def compared(connection: sqlite3.Connection, head: Head) -> tuple[bool, str]:
    found = examined(connection, head)
    (comparison,) = found.comparisons
    assert comparison.head == head
    assert found.ok == (found.broken is None and comparison.same)
    return comparison.same, comparison.what


def test_a_head_is_found_again_after_more_records(connection: sqlite3.Connection) -> None:
    head = evidence(connection).head(5.0)
    assert (head.seq, head.at) == (LOG, 5.0)
    SqliteAudit(connection).append(RECORD)
    assert compared(connection, head) == (True, "record 6 has this hash")
    assert compared(connection, Head(head.hash)) == (True, "record 6 has this hash")


def test_the_head_of_an_empty_log_is_found_again() -> None:
    connection = written(records=0)
    head = evidence(connection).head(5.0)
    SqliteAudit(connection).append(RECORD)
    assert compared(connection, head) == (True, "record 0 has this hash")
    assert compared(connection, Head(head.hash)) == (True, "record 0 has this hash")
    connection.close()


REWRITES: dict[str, tuple[Callable[[list[Record]], list[Record]], str, str]] = {
    "edited": (
        lambda records: [records[0]._replace(tool="get_identity"), *records[1:]],
        "record 6 has another hash: the log was rewritten",
        "no record has this hash: the log was rewritten, cut off, or pruned beyond it",
    ),
    "cut off": (
        lambda records: records[:-1],
        "it is of record 6, and the log ends at 5: its end was cut off, or it is an older copy",
        "no record has this hash: the log was rewritten, cut off, or pruned beyond it",
    ),
}


@pytest.mark.parametrize("name", REWRITES)
def test_a_log_that_was_computed_anew_is_found_by_a_head_that_was_kept(
    connection: sqlite3.Connection, name: str
) -> None:
    rewrite, by_head, by_hash = REWRITES[name]
    head = evidence(connection).head(5.0)
    audit = SqliteAudit(connection)
    records = rewrite([entry.record for entry in audit.tail(0, 100)])
    connection.execute("DELETE FROM audit")
    connection.execute("UPDATE audit_chain SET seq = pruned_seq, hash = pruned_hash")
    for record in records:
        audit.append(record)
    assert examined(connection).ok, "by itself it cannot be told from an honest one"
    assert compared(connection, head) == (False, by_head)
    assert compared(connection, Head(head.hash)) == (False, by_hash)


def test_a_head_of_another_file_is_none_of_this_one(connection: sqlite3.Connection) -> None:
    other = written()
    assert compared(connection, evidence(other).head(5.0)) == (False, "it is a head of another state file")
    other.close()


def test_without_ends_no_head_can_be_compared(connection: sqlite3.Connection) -> None:
    head = evidence(connection).head(5.0)
    connection.execute("DELETE FROM audit_chain")
    assert compared(connection, head) == (False, "the log cannot be read")


def test_what_a_pruned_record_says_is_read_with_care(connection: sqlite3.Connection) -> None:
    for values in ("{", "[]", '{"through": "6"}', "{}", None, json.dumps({"through": 6})):
        SqliteAudit(connection).append(RECORD._replace(kind="pruned", values=values))
    assert examined(connection).ok


# --- only the end of it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, LOG - 1, LOG, LOG + 5])
def test_the_end_of_a_log_that_was_written_is_whole(connection: sqlite3.Connection, number: int) -> None:
    assert evidence(connection).verify_end(number) is None


def test_the_end_of_an_empty_log_is_whole() -> None:
    opened = written(records=0)
    assert evidence(opened).verify_end(3) is None
    opened.close()


def test_a_change_among_the_newest_is_found_and_an_older_one_is_not_looked_for(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE audit SET tool = 'other' WHERE seq = ?", (LOG - 1,))
    assert evidence(connection).verify_end(2) == Break(LOG - 1, f"record {LOG - 1} was changed", CHANGED)
    assert evidence(connection).verify_end(1) is None


def test_a_log_whose_end_was_cut_off_or_whose_ends_are_lost(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM audit WHERE seq >= ?", (LOG - 1,))
    cut = "the end of the log was cut off"
    assert evidence(connection).verify_end(3) == Break(LOG - 1, f"records {LOG - 1} to {LOG} are missing", cut)
    assert evidence(connection).verify_end(1) == Break(LOG - 1, f"record {LOG - 1} is missing", "it was deleted")
    connection.execute("DELETE FROM audit_chain")
    assert evidence(connection).verify_end(3) == Break(0, "nothing says where it begins and ends", ENDS)


def test_going_through_a_log_tells_how_far_it_is() -> None:
    opened = written(records=4096 + 1)
    told: list[tuple[int, int]] = []
    assert evidence(opened).verify((), lambda done, of: told.append((done, of))).ok
    assert told == [(4096, 4097)]
    opened.close()
