import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import StateError
from gateway.state import AuditLog, Entry, Record, State
from gateway.state.audit import SqliteAudit
from gateway.state.migrations import migrate
from tests.unit.state.manual import MIDNIGHT

TEXTS = [
    "decision_id",
    "grant",
    "session",
    "client_name",
    "client_version",
    "server",
    "method",
    "tool",
    "policy_revision",
    "rule",
    "reason",
    "message",
    "argument_digest",
    "outcome",
    "values",
]


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def audit(connection: sqlite3.Connection) -> AuditLog:
    return SqliteAudit(connection)


def changed(record: Record, field: str, text: str) -> Record:
    return record._replace(**{field: text})  # type: ignore[arg-type] # the fields in TEXTS are


def stored(audit: AuditLog, record: Record) -> Record:
    seq = audit.append(record)
    (entry,) = audit.tail(seq - 1, 10)
    assert entry.seq == seq
    return entry.record


def test_a_decision_comes_back_as_it_was(audit: AuditLog, record: Record) -> None:
    assert stored(audit, record) == record


def test_what_came_of_it_comes_back_as_it_was(audit: AuditLog, record: Record) -> None:
    settled = record._replace(
        kind="settled", upstream_status=200, outcome="result", latency_ms=12.345, values='{"to": "a"}'
    )
    assert stored(audit, settled) == settled


def test_a_refusal_comes_back_as_it_was(audit: AuditLog, record: Record) -> None:
    refused = record._replace(kind="refused", effect="deny", rule="(hidden)", reason="hidden", message="no", tool="")
    assert stored(audit, refused) == refused


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("text", ["a\0b", "\r\n\u2028", "\u202e\x1b[31m", "' OR 1=1 --", "🔑"])
def test_odd_text_is_kept_whole(audit: AuditLog, record: Record, field: str, text: str) -> None:
    odd = changed(record, field, text)
    assert stored(audit, odd) == odd


@pytest.mark.parametrize("field", TEXTS)
def test_long_text_is_cut_and_says_so(audit: AuditLog, record: Record, field: str) -> None:
    kept = stored(audit, changed(record, field, "x" * 10_000))
    assert kept == changed(record, field, "x" * 4096 + "… (+5904 bytes)")


@pytest.mark.parametrize("name", ["a\0b", '"', ",", "…", "\ud800", "é" * 128])
def test_odd_names_of_arguments_stay_apart(audit: AuditLog, record: Record, name: str) -> None:
    kept = stored(audit, record._replace(argument_names=(name, "to"))).argument_names
    assert kept == (name.replace("\ud800", "\\ud800"), "to")


def test_many_and_long_names_of_arguments_are_bounded(audit: AuditLog, record: Record) -> None:
    many = tuple(f"{number:03}" for number in range(100))
    assert stored(audit, record._replace(argument_names=many)).argument_names == (*many[:64], "… (+36 names)")
    long = ("n" * 300,)
    assert stored(audit, record._replace(argument_names=long)).argument_names == ("n" * 256 + "… (+44 bytes)",)


@given(text=st.text(alphabet=st.characters(exclude_categories=[]), max_size=500), names=st.lists(st.text(max_size=60)))
def test_any_text_can_be_recorded(text: str, names: list[str]) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    audit = SqliteAudit(connection)
    odd = Record("refused", text, 0.0, text, text, text, text, text, text, text, text, "deny", text, text, text)
    kept = stored(audit, odd._replace(argument_names=tuple(names)))
    connection.close()
    assert kept.tool == text.encode("utf-8", "backslashreplace").decode()
    assert kept.argument_names == tuple(names)


async def test_the_log_is_read_in_the_order_it_was_written(state: State, record: Record) -> None:
    written = [record._replace(at=MIDNIGHT + number) for number in range(5)]
    seqs = await state.atomically(lambda tx: [tx.audit.append(each) for each in written])
    entries = [Entry(number, each) for number, each in enumerate(written, start=1)]
    assert seqs == [1, 2, 3, 4, 5]
    assert await state.atomically(lambda tx: tx.audit.tail(0, 100)) == entries
    assert await state.atomically(lambda tx: tx.audit.tail(2, 2)) == entries[2:4]
    assert await state.atomically(lambda tx: tx.audit.tail(5, 2)) == []
    assert await state.atomically(lambda tx: tx.audit.newest(2)) == entries[3:]
    assert await state.atomically(lambda tx: tx.audit.newest(100)) == entries
    assert await state.atomically(lambda tx: tx.audit.newest(0)) == []


def test_names_that_are_no_list_are_damage(audit: AuditLog, connection: sqlite3.Connection, record: Record) -> None:
    seq = audit.append(record)
    connection.execute("UPDATE audit SET argument_names = '{' WHERE seq = ?", (seq,))
    with pytest.raises(StateError) as raised:
        audit.newest(1)
    assert raised.value.message == "the state file is damaged: the argument names of a record are no list"
