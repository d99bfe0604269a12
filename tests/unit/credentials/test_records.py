import asyncio
import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.credentials.records import Record, Records, Secret
from gateway.errors import StateError

RECORD = Record(
    upstream="https://a.example/mcp",
    issuer="https://issuer.example",
    client_id="me",
    scope="read",
    obtained_at=1000.0,
    expires_at=4600.0,
    metadata={"issuer": "https://issuer.example"},
    resource=None,
    secret=Secret("access", "refresh", {"client_id": "me"}),
)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "state" / "credentials")


def test_what_is_written_is_read_and_for_this_user_only(records: Records) -> None:
    assert records.read("x") is None
    assert records.stamp("x") is None
    records.write("x", RECORD)
    assert records.read("x") == RECORD
    assert records.path("x").stat().st_mode & 0o777 == 0o600
    assert records.folder.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in records.folder.iterdir()] == ["x.json"]


def test_a_stamp_changes_with_the_file(records: Records) -> None:
    records.write("x", RECORD)
    before = records.stamp("x")
    records.write("x", replace(RECORD, scope="read write"))
    assert records.stamp("x") != before


def test_forgetting(records: Records) -> None:
    records.write("x", RECORD)
    assert records.forget("x")
    assert not records.forget("x")
    assert records.read("x") is None


def test_a_mode_that_lets_others_read_is_put_right(records: Records) -> None:
    records.write("x", RECORD)
    records.path("x").chmod(0o644)
    records.folder.chmod(0o755)
    assert records.read("x") == RECORD
    assert records.path("x").stat().st_mode & 0o777 == 0o600
    records.write("x", RECORD)
    assert records.folder.stat().st_mode & 0o777 == 0o700


def test_a_link_is_not_followed(records: Records, tmp_path: Path) -> None:
    records.write("y", RECORD)
    records.path("x").symlink_to(records.path("y"))
    with pytest.raises(StateError, match="cannot be read"):
        records.read("x")
    assert tmp_path.exists()


def test_a_pipe_is_no_sign_in(records: Records) -> None:
    records.write("y", RECORD)
    os.mkfifo(records.path("x"))
    with pytest.raises(StateError, match="not a regular file"):
        records.read("x")


def test_where_there_is_no_room_nothing_is_left_over(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    records.write("x", RECORD)
    records.check_room("x")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match="no space left on device"):
        records.check_room("x")
    with pytest.raises(StateError) as refused:
        records.write("x", replace(RECORD, scope="other"))
    assert refused.value.message == f"the sign-in cannot be kept in `{records.folder}`: no space left on device"
    assert [file.name for file in records.folder.iterdir()] == ["x.json"]
    assert records.read("x") == RECORD


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"secret": {"access_token": ""}},
        {"secret": {"access_token": "a\r\nb"}},
        {"secret": {"access_token": "ä"}},
        {"secret": []},
        {"issuer": None},
        {"expires_at": "soon"},
        {"metadata": "none"},
        {"more": 1},
    ],
    ids=str,
)
def test_what_this_version_did_not_write_is_refused_with_the_cure(records: Records, change: dict[str, object]) -> None:
    records.write("x", RECORD)
    document = json.loads(records.path("x").read_text(encoding="utf-8"))
    records.path("x").write_text(json.dumps({**document, **change}), encoding="utf-8")
    with pytest.raises(StateError) as refused:
        records.read("x")
    assert refused.value.message == f"`{records.path('x')}` is not a sign-in that this version reads"
    assert refused.value.hint == "`keyid-gateway logout` with the --upstream of this gateway removes it"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"'])
def test_half_a_file_is_refused(records: Records, text: str) -> None:
    records.write("x", RECORD)
    records.path("x").write_text(text, encoding="utf-8")
    with pytest.raises(StateError):
        records.read("x")


async def test_one_after_the_other(records: Records) -> None:
    order: list[str] = []

    async def work(name: str, inside: asyncio.Event, leave: asyncio.Event) -> None:
        async with records.locked("x", 5.0):
            order.append(f"{name} in")
            inside.set()
            await leave.wait()
            order.append(f"{name} out")

    inside, leave, now = asyncio.Event(), asyncio.Event(), asyncio.Event()
    now.set()
    first = asyncio.create_task(work("first", inside, leave))
    await inside.wait()
    second = asyncio.create_task(work("second", asyncio.Event(), now))
    with pytest.raises(StateError, match="another sign-in to this server is under way"):
        async with records.locked("x", 0.0):
            order.append("third in")
    leave.set()
    await asyncio.gather(first, second)
    assert order == ["first in", "first out", "second in", "second out"]


async def test_sign_ins_of_two_servers_do_not_wait_for_each_other(records: Records) -> None:
    async with records.locked("x", 0.0), records.locked("y", 0.0):
        assert records.folder.is_dir()


def test_a_secret_is_not_part_of_any_text() -> None:
    assert "access" not in repr(RECORD).replace("access_token", "")
    assert "refresh" not in repr(RECORD)
