"""Files of ours are for their owner only, and stand there whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from gateway import disk


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="modes say nothing there")
def test_every_folder_that_is_made_is_private_and_none_that_was_there(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    there.chmod(0o755)
    disk.make_private(there / "a" / "b")
    disk.make_private(there / "a" / "b")
    assert [mode(there), mode(there / "a"), mode(there / "a" / "b")] == [0o755, 0o700, 0o700]


@pytest.mark.skipif(os.name == "nt", reason="as above")
def test_a_file_takes_the_place_of_another_with_the_mode_that_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / "f"
    before = os.umask(0)
    try:
        for data, wanted in ((b"1", 0o600), (b"22", 0o640)):
            disk.write(file, data, wanted)
            assert (file.read_bytes(), mode(file)) == (data, wanted)
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("durable", [True, False])
def test_where_the_disk_fails_what_was_there_stays_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, durable: bool
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "f"
    file.write_bytes(b"before")
    monkeypatch.setattr("os.fsync" if durable else "pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space"):
        disk.write(file, b"after", durable=durable)
    assert [found.read_bytes() for found in tmp_path.iterdir()] == [b"before"]


def test_a_new_file_is_never_one_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / "f"
    disk.create(file, b"1")
    with pytest.raises(FileExistsError):
        disk.create(file, b"2")
    assert file.read_bytes() == b"1"


def test_what_is_not_moved_is_gone(tmp_path: Path) -> None:
    with disk.drafted(tmp_path / "f", b"1") as draft:
        assert (draft.read_bytes(), draft.parent) == (b"1", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "words"),
    [(OSError(13, "Permission denied"), "permission denied"), (RuntimeError("Symlink loop"), "symlink loop")],
)
def test_what_the_system_says_fits_into_a_sentence(error: Exception, words: str) -> None:
    assert disk.why(error) == words
