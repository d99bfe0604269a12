"""The newest list of each server, kept beside the state file."""

from pathlib import Path

import pytest

from gateway.catalogue import Definition
from gateway.state import lists

SERVER = "https://mcp.example/mcp"
TOOLS: dict[str, Definition] = {"b": {"name": "b", "inputSchema": {"required": ["x"]}}, "a": {"name": "a"}}


def test_a_list_comes_back_as_it_was(tmp_path: Path) -> None:
    assert lists.keep(tmp_path / "state.db", SERVER, TOOLS)
    found = lists.last(tmp_path / "state.db", SERVER)
    assert found is not None
    assert (found.complete, found.names(), found.required_arguments("b")) == (True, ("b", "a"), ("x",))


def test_only_the_owner_can_read_it_and_nothing_else_is_left(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state.db"
    assert lists.keep(state, SERVER, TOOLS)
    (file,) = state.parent.iterdir()
    assert file == lists.place(state, SERVER)
    assert file.stat().st_mode & 0o777 == 0o600
    assert state.parent.stat().st_mode & 0o777 == 0o700


def test_each_server_has_its_own(tmp_path: Path) -> None:
    assert lists.keep(tmp_path / "state.db", SERVER, TOOLS)
    assert lists.last(tmp_path / "state.db", "https://other.example/mcp") is None


def test_the_same_list_is_not_written_again(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    lists.keep(state, SERVER, TOOLS)
    before = lists.place(state, SERVER).stat()
    assert lists.keep(state, SERVER, TOOLS)
    after = lists.place(state, SERVER).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)  # it was read, so not the whole
    assert lists.keep(state, SERVER, {"a": {"name": "a"}})
    found = lists.last(state, SERVER)
    assert found is not None
    assert found.names() == ("a",)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"server": "https://other.example/mcp", "tools": []}', '{"tools": 1}']
)
def test_what_cannot_be_read_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    state = tmp_path / "state.db"
    lists.place(state, SERVER).write_text(text, encoding="utf-8")
    assert lists.last(state, SERVER) is None


def test_what_cannot_be_written_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file", encoding="utf-8")
    assert not lists.keep(tmp_path / "folder" / "state.db", SERVER, TOOLS)
    lists.place(tmp_path / "state.db", SERVER).mkdir()
    assert not lists.keep(tmp_path / "state.db", SERVER, TOOLS)
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_a_list_that_is_too_large_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "LARGEST", 20)
    assert not lists.keep(tmp_path / "state.db", SERVER, TOOLS)
    assert list(tmp_path.iterdir()) == []
