"""A client's file is replaced whole or not at all, keeps what it was, and is never written over something new."""

import os
import stat
import threading
from pathlib import Path

import pytest

from gateway.clients import files, originals
from gateway.clients.originals import Original
from gateway.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "client"
    folder.mkdir()
    found = folder / "mcp.json"
    found.write_bytes(b"{}\n")
    found.chmod(0o640)
    return found


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "ours" / "backups"


def replacing(file: Path, kept: Path, text: str = '{"a": 1}\n') -> Path | None:
    return files.replace(files.read(file), text, keep_in=kept, name="c.mcp.json")


def test_a_file_is_replaced_and_what_it_was_is_kept(file: Path, kept: Path) -> None:
    backup = replacing(file, kept)
    assert file.read_text() == '{"a": 1}\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert backup == kept / "c.mcp.json.1"
    assert backup.read_bytes() == b"{}\n"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.stat().st_mode) == stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert [found.name for found in file.parent.iterdir()] == ["mcp.json"]


def test_nothing_that_was_kept_is_written_over(file: Path, kept: Path) -> None:
    for number in range(1, 4):
        assert replacing(file, kept, f"{number}") == kept / f"c.mcp.json.{number}"
    assert [(kept / f"c.mcp.json.{number}").read_bytes() for number in (1, 2, 3)] == [b"{}\n", b"1", b"2"]
    (kept / "c.mcp.json.7").write_text("theirs")
    assert replacing(file, kept, "4") == kept / "c.mcp.json.8"


def test_a_new_file_is_its_owners_only_and_there_is_nothing_to_keep(tmp_path: Path, kept: Path) -> None:
    file = tmp_path / "mcp.json"
    assert replacing(file, kept) is None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = os.umask(0o027)
    try:
        assert files.read(tmp_path / "project.json", shared=True).mode == 0o640
    finally:
        os.umask(before)


def test_a_link_stays_one_and_its_target_is_written(file: Path, kept: Path, tmp_path: Path) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    target = file.rename(dotfiles / "mcp.json")
    file.symlink_to(target)
    replacing(file, kept)
    assert file.is_symlink()
    assert target.read_text() == '{"a": 1}\n'


def test_the_mark_of_an_editor_at_the_beginning_stays(file: Path, kept: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf{}")
    assert files.read(file).text == "{}"
    replacing(file, kept)
    assert file.read_bytes() == b'\xef\xbb\xbf{"a": 1}\n'


def test_a_file_that_changed_meanwhile_is_left_alone(file: Path, kept: Path) -> None:
    content = files.read(file)
    file.write_bytes(b'{"theirs": 1}')
    with pytest.raises(ConfigError, match="was changed by something else meanwhile"):
        files.replace(content, "{}", keep_in=kept, name="c")
    assert file.read_bytes() == b'{"theirs": 1}'
    assert sorted(found.name for found in file.parent.iterdir()) == ["mcp.json"]


def test_a_file_that_appeared_meanwhile_is_left_alone(tmp_path: Path, kept: Path) -> None:
    content = files.read(tmp_path / "new.json")
    (tmp_path / "new.json").write_text("theirs")
    with pytest.raises(ConfigError, match="meanwhile"):
        files.replace(content, "{}", keep_in=kept, name="c")
    assert (tmp_path / "new.json").read_text() == "theirs"


def test_of_two_at_once_one_writes_and_the_other_says_so(file: Path, kept: Path) -> None:
    contents = [files.read(file), files.read(file)]
    start = threading.Barrier(2)
    errors: list[str] = []

    def write(number: int) -> None:
        start.wait(20)
        try:
            files.replace(contents[number], f"{number}", keep_in=kept, name="c")
        except ConfigError as error:
            errors.append(error.message)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [message.endswith("meanwhile: it is left alone") for message in errors] == [True]
    assert file.read_text() in ("0", "1")


@pytest.mark.parametrize(("which", "said"), [("file", "is read-only"), ("folder", "nothing can be written in")])
def test_what_is_read_only_is_left_alone(file: Path, kept: Path, which: str, said: str) -> None:
    place = file if which == "file" else file.parent
    mode = place.stat().st_mode
    place.chmod(mode & ~0o222)
    try:
        with pytest.raises(ConfigError, match=said) as caught:
            replacing(file, kept)
        assert str(caught.value.hint).startswith("chmod u+w")
    finally:
        place.chmod(mode)
    assert file.read_bytes() == b"{}\n"
    assert not kept.exists()


def test_what_belongs_to_another_user_is_left_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        files.read(file)


def test_what_is_no_file_or_no_text_is_left_alone(file: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: is a directory"):
        files.read(file.parent)
    os.mkfifo(file.with_name("pipe"))
    with pytest.raises(ConfigError, match="is not a regular file"):
        files.read(file.with_name("pipe"))
    file.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ConfigError, match=r"is not UTF-8 \(at byte 7\)"):
        _ = files.read(file).text
    file.unlink()
    file.symlink_to(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        files.read(file)


def test_a_disk_that_fails_changes_nothing(file: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: no space left on device"):
        replacing(file, kept)
    assert file.read_bytes() == b"{}\n"
    assert [found.name for found in file.parent.iterdir()] == ["mcp.json"]
    assert [found.name for found in kept.iterdir()] == ["lock"]


ORIGINAL = Original("/x/mcp.json", "mcpServers", "keyid", '{ "url": "s3cret" }', "keyid", {"upstream": ["u"]})


def test_what_an_entry_was_is_kept_for_this_user_only(tmp_path: Path) -> None:
    folder = tmp_path / "wrapped"
    originals.keep(folder, ORIGINAL)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert originals.find(folder, "/x/mcp.json", "mcpServers", "keyid") == ORIGINAL
    assert originals.find(folder, "/x/mcp.json", "mcpServers", "other") is None
    assert "s3cret" not in repr(ORIGINAL)
    originals.forget(folder, ORIGINAL)
    assert originals.find(folder, "/x/mcp.json", "mcpServers", "keyid") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "file": "/x/mcp.json"}', '{"format": 1}']
)
def test_what_was_kept_and_cannot_be_read_is_said(tmp_path: Path, text: str) -> None:
    originals.keep(tmp_path, ORIGINAL)
    (file,) = tmp_path.iterdir()
    file.write_text(text)
    with pytest.raises(ConfigError, match="does not say what the entry was"):
        originals.find(tmp_path, "/x/mcp.json", "mcpServers", "keyid")
