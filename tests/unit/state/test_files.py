import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.state import State
from gateway.state.files import identity, prepare
from tests.unit.state.manual import ManualClock


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def complaint(path: Path) -> str:
    with pytest.raises(StateError) as raised:
        prepare(path)
    return str(raised.value)


def test_the_folders_and_the_file_are_made_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "state.db"
    before = os.umask(0)
    try:
        prepare(path)
    finally:
        os.umask(before)
    assert [mode(found) for found in (tmp_path / "a", tmp_path / "a" / "b", path)] == [0o700, 0o700, 0o600]


async def test_what_sqlite_puts_beside_it_is_for_this_user_alone(path: Path, clock: ManualClock) -> None:
    before = os.umask(0)
    try:
        state = await State.open(path, clock=clock)
        await state.atomically(lambda tx: state.note_policy(tx, "default", "policy.json"))
    finally:
        os.umask(before)
    beside = {found.name: mode(found) for found in path.parent.iterdir()}
    assert beside == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    state.close()


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    prepare(tmp_path / "state.db")
    assert mode(tmp_path) == 0o755


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.touch()
    path.chmod(0o644)
    prepare(path)
    assert mode(path) == 0o600


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert prepare(Path("state.db")) == tmp_path / "state.db"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert complaint(tmp_path) == f"the state file `{tmp_path}` is not a regular file\nhint: choose the path of a file"


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert complaint(path) == f"the state file `{path}` is not a regular file\nhint: choose the path of a file"


def test_a_link_to_a_file_of_ours_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.db").touch()
    (tmp_path / "state.db").symlink_to(tmp_path / "real.db")
    prepare(tmp_path / "state.db")
    assert identity(tmp_path / "state.db") == identity(tmp_path / "real.db")


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.symlink_to(tmp_path / "gone.db")
    assert complaint(path) == (
        f"the state file `{path}` is a symbolic link that leads nowhere\nhint: remove the link, or mend it"
    )
    assert not (tmp_path / "gone.db").exists()


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_the_files_of_the_log_can_be_written_as_soon_as_the_file_can(tmp_path: Path, mode: int) -> None:
    """SQLite makes them with its mode, so they are left behind where it could only be read for a while."""
    path, logs = tmp_path / "state.db", [tmp_path / "state.db-wal", tmp_path / "state.db-shm"]
    for file in (path, *logs):
        file.touch()
        file.chmod(0o400)
    path.chmod(mode)
    prepare(path)
    assert [file.stat().st_mode & 0o777 for file in (path, *logs)] == [mode] * 3


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    path.touch()
    stranger = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    assert complaint(path) == (f"the state file `{path}` belongs to another user\nhint: choose a path of your own")


def test_a_file_in_the_place_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "state.db"
    assert complaint(path) == (
        f"the state file `{path}` cannot be opened: not a directory\n"
        "hint: check that the file and its folder belong to you and can be written"
    )


def test_a_folder_that_cannot_be_written_is_said() -> None:
    path = Path("/proc/self/keyid/state.db")  # nobody can write there, not even root
    if sys.platform != "linux":
        path = Path("/dev/keyid/state.db")
    assert complaint(path).startswith(f"the state file `{path}` cannot be opened: ")


def test_where_there_is_no_file_there_is_no_identity(tmp_path: Path) -> None:
    assert identity(tmp_path / "gone") is None


def test_looking_at_a_file_drops_no_lock_of_this_process(tmp_path: Path) -> None:
    path = prepare(tmp_path / "state.db")
    held = sqlite3.connect(path, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    prepare(path)
    identity(path)
    another = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    tried = subprocess.run([sys.executable, "-c", another, path], capture_output=True, text=True, check=False)
    held.close()
    assert "database is locked" in tried.stderr
