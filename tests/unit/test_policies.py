"""Which policy is in force, and how another one takes its place."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway import policies
from gateway.errors import ConfigError, StateError
from gateway.policies import BUILT_IN, NoPolicy, Policies, Source, choose, load_source, read
from gateway.policy import Policy, load

PATIENCE = 20.0
PACK = load(b'{"version": "1", "default": "deny"}', name=BUILT_IN)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def text(description: str) -> str:
    return json.dumps({"version": "1", "default": "allow", "description": description})


# --- which file -------------------------------------------------------------------------------------------------------


def test_what_is_named_goes_first(tmp_path: Path) -> None:
    user = tmp_path / "policy.json"
    user.write_text(text("user"), encoding="utf-8")
    assert choose("/some/file", user, "/used", "g") == Source(Path("/some/file"))
    assert choose(BUILT_IN, user, "/used", "g") == Source(None)


def test_then_the_file_in_the_config_folder_also_where_it_was_used_and_is_gone(tmp_path: Path) -> None:
    user = tmp_path / "policy.json"
    assert choose(None, user, str(user), "g") == Source(user)
    user.write_text(text("user"), encoding="utf-8")
    assert choose(None, user, None, "g") == choose(None, user, "/used", "g") == Source(user)


def test_then_the_built_in_pack_until_that_file_appears(tmp_path: Path) -> None:
    user = tmp_path / "policy.json"
    assert choose(None, user, None, "g") == Source(None, awaited=user)


def test_but_never_for_a_grant_that_used_a_file(tmp_path: Path) -> None:
    source = choose(None, tmp_path / "policy.json", "/used/once upon.json", "ann")
    assert (source.file, source.watched) == (None, tmp_path / "policy.json")
    assert source.blocked == (
        "grant `ann` was judged by `/used/once upon.json` before, and no policy file is given now; "
        "pass `--policy '/used/once upon.json'`, or `--policy builtin:recommended` for the built-in pack"
    )
    with pytest.raises(ConfigError):
        load_source(source, lambda: PACK)


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_file_is_read_up_to_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "MAX_POLICY_BYTES", 2**20)
    file = tmp_path / "p.json"
    file.write_bytes(b" " * 2**20)
    assert len(read(file)) == 2**20
    file.write_bytes(b" " * (2**20 + 1))
    with pytest.raises(ConfigError) as refused:
        read(file)
    assert str(refused.value) == f"policy file `{file}` is larger than 1 MiB\nhint: is it the right file?"


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as missing:
        read(tmp_path / "none")
    assert missing.value.message == f"policy file `{tmp_path / 'none'}` does not exist"
    with pytest.raises(ConfigError) as folder:
        read(tmp_path)
    assert folder.value.message == f"`{tmp_path}` is a folder, not a policy file"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError) as below:
        read(tmp_path / "file" / "p.json")
    assert "cannot be read: not a directory" in below.value.message


# --- in force ---------------------------------------------------------------------------------------------------------


@dataclass
class Stage:
    """`Policies` on a file, and what they reported."""

    file: Path
    changes: asyncio.Queue[tuple[Policy | NoPolicy, Policy | NoPolicy]] = field(default_factory=asyncio.Queue)
    rejections: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    failures: list[StateError] = field(default_factory=list)
    source: Source | None = None
    watching: asyncio.Task[None] | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.policies = Policies(
            self._choose,
            lambda: PACK,
            changed=lambda old, new: self.changes.put_nowait((old, new)),
            rejected=self.rejections.put_nowait,
        )

    async def _choose(self) -> Source:
        if self.failures:
            raise self.failures.pop(0)
        self.asked.set()
        return self.source or Source(self.file)

    def write(self, words: str) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(words, encoding="utf-8")
        fresh.replace(self.file)

    async def begin(self) -> Policy | NoPolicy:
        """The policy that is in force, and its file is watched from here on."""
        policy = await self.policies.current()
        self.watching = asyncio.create_task(self.policies.watch())
        return policy

    async def change(self) -> tuple[Policy | NoPolicy, Policy | NoPolicy]:
        async with asyncio.timeout(PATIENCE):
            return await self.changes.get()

    async def rejection(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return await self.rejections.get()


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(policies, "_LOOK_SECONDS", 0.005)
    monkeypatch.setattr(policies, "_RETRY_SECONDS", 0.005)
    made = Stage(tmp_path / "policy.json")
    yield made
    if made.watching is not None:
        made.watching.cancel()
        await asyncio.wait({made.watching})


def revision(policy: Policy | NoPolicy) -> str:
    assert isinstance(policy, Policy)
    return policy.revision


async def test_a_policy_is_loaded_once_for_all_who_ask(stage: Stage) -> None:
    stage.write(text("one"))
    found = await asyncio.gather(*(stage.policies.current() for _ in range(5)))
    assert all(policy is found[0] for policy in found)
    assert stage.policies.file == str(stage.file)


async def test_an_edit_takes_its_place_whole(stage: Stage) -> None:
    stage.write(text("one"))
    first = await stage.begin()
    stage.write(text("two"))
    old, new = await stage.change()
    assert old is first
    assert await stage.policies.current() is new
    assert revision(new) != revision(old)


async def test_an_edit_that_changes_nothing_is_not_announced(stage: Stage) -> None:
    stage.write(text("one"))
    await stage.begin()
    stage.write("{")
    await stage.rejection()
    stage.write(text("one"))
    stage.write(text("one"))
    os.utime(stage.file, (1, 1))
    stage.write("{ ")
    await stage.rejection()
    assert stage.changes.empty()


async def test_an_edit_that_is_not_valid_leaves_the_last_good_one(stage: Stage) -> None:
    stage.write(text("one"))
    first = await stage.begin()
    stage.write('{"version": "1", "defualt": "deny"}')
    report = await stage.rejection()
    assert report.startswith("the edited policy is not taken, the last good one stays in force: ")
    assert "\n" not in report
    stage.file.unlink()
    assert "does not exist" in await stage.rejection()
    assert await stage.policies.current() is first


async def test_without_a_policy_the_newest_cause_is_told_until_there_is_one(stage: Stage) -> None:
    nothing = await stage.begin()
    assert isinstance(nothing, NoPolicy)
    assert "does not exist" in nothing.cause
    stage.write("{")
    report = await stage.rejection()
    assert report.startswith("the edited policy is not taken, every call is still refused: ")
    worse = await stage.policies.current()
    assert isinstance(worse, NoPolicy)
    assert "not valid JSON" in worse.cause
    stage.write(text("mended"))
    old, new = await stage.change()
    assert (old, isinstance(new, Policy)) == (worse, True)


async def test_a_file_that_is_awaited_takes_the_place_of_the_pack(stage: Stage) -> None:
    stage.source = Source(None, awaited=stage.file)
    assert await stage.begin() is PACK
    assert stage.policies.file is None
    stage.write(text("appeared"))
    assert (await stage.change())[0] is PACK
    assert stage.policies.file == str(stage.file)


async def test_a_grant_that_may_not_use_the_pack_waits_for_the_file(stage: Stage) -> None:
    stage.source = Source(None, "it used a file", awaited=stage.file)
    assert await stage.begin() == NoPolicy("it used a file")
    stage.write(text("appeared"))
    old, new = await stage.change()
    assert (old, isinstance(new, Policy)) == (NoPolicy("it used a file"), True)


async def test_where_the_state_must_be_asked_and_cannot_nothing_is_in_force_and_it_is_asked_again(stage: Stage) -> None:
    stage.write(text("one"))
    stage.failures = [StateError("it is locked"), StateError("it is locked")]
    for _ in range(2):
        with pytest.raises(StateError):
            await stage.policies.current()
    assert isinstance(await stage.policies.current(), Policy)


async def test_watching_survives_a_state_that_cannot_be_asked_at_first(stage: Stage) -> None:
    stage.write(text("one"))
    stage.failures = [StateError("it is locked")] * 3
    stage.watching = asyncio.create_task(stage.policies.watch())
    async with asyncio.timeout(PATIENCE):
        await stage.asked.wait()
    await stage.policies.current()
    stage.write(text("two"))
    assert isinstance((await stage.change())[1], Policy)
