"""What the journal holds, in memory and in its file."""

import json
import stat
import threading
from pathlib import Path

import pytest

from gateway.clock import Clock
from gateway.standin.journal import Journal, readable_headers


def test_a_request_is_kept_as_it_came_without_its_credentials(clock: Clock) -> None:
    journal = Journal(clock)
    headers = [(b"Accept", b"a"), (b"accept", b"b"), (b"Authorization", b"Bearer x"), (b"Cookie", b"c=1")]
    journal.http("POST", "/mcp?q=1", headers, b'{"a": 1, "a": 2}')
    journal.event("tool", "get_secret", {"key": "k"})
    assert journal.entries() == [
        {
            "n": 1,
            "at": clock.now(),
            "http": "POST",
            "path": "/mcp?q=1",
            "headers": {"accept": "a, b", "authorization": "(present)", "cookie": "(present)"},
            "body": '{"a": 1, "a": 2}',
        },
        {"n": 2, "at": clock.now(), "event": "tool", "name": "get_secret", "arguments": {"key": "k"}},
    ]


def test_the_file_holds_each_entry_at_once_and_only_its_owner_reads_it(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text("")
    path.chmod(0o644)
    journal = Journal(clock, path)
    for name in ("one", "two"):
        journal.event("tool", name, {})
        lines = path.read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in lines] == journal.entries()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    journal.close()


@pytest.mark.parametrize("body", [b"\xff\xfe", "é€".encode(), b"\x00{", b'"\\ud800"'])
def test_any_bytes_can_be_had_back(clock: Clock, body: bytes, tmp_path: Path) -> None:
    journal = Journal(clock, tmp_path / "journal.jsonl")
    journal.http("POST", "/mcp", [], body)
    journal.close()
    line = json.loads((tmp_path / "journal.jsonl").read_text(encoding="utf-8"))
    assert line["body"].encode("utf-8", "surrogateescape") == body


def test_only_the_newest_are_kept_in_memory_and_numbers_go_on(clock: Clock) -> None:
    journal = Journal(clock, keep=2)
    for name in ("one", "two", "three"):
        journal.event("tool", name, {})
    assert [entry["n"] for entry in journal.entries()] == [2, 3]


def test_one_can_wait_for_an_entry(clock: Clock) -> None:
    journal = Journal(clock)
    writer = threading.Thread(target=journal.event, args=("tool", "late", {}))
    writer.start()
    entry = journal.wait_for(lambda entry: entry.get("name") == "late", timeout=5.0)
    writer.join()
    assert entry is not None
    assert entry["n"] == 1
    assert journal.wait_for(lambda entry: entry.get("name") == "never", timeout=0.0) is None


def test_header_names_are_lower_case() -> None:
    assert readable_headers([(b"Mcp-Session-Id", b"\xe9")]) == {"mcp-session-id": "é"}
