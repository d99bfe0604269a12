"""The policy that is a grant's own: looked up, loaded, replaced by another, and none where nobody knows."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway import assigned, policies
from gateway.assigned import Assigned
from gateway.errors import StateError
from gateway.policies import NoPolicy
from gateway.policy import Policy

PATIENCE = 10


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assigned, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(policies, "_LOOK_SECONDS", 0.001)


class Stage:
    """A folder of policies, and the one that is assigned."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path: str | None = None
        self.fault: StateError | None = None
        self.changes: asyncio.Queue[tuple[Policy | NoPolicy, Policy | NoPolicy]] = asyncio.Queue()
        self.rejections: asyncio.Queue[str] = asyncio.Queue()
        self.assigned = Assigned(
            self._look,
            changed=lambda old, new: self.changes.put_nowait((old, new)),
            rejected=self.rejections.put_nowait,
        )

    async def _look(self) -> str | None:
        if self.fault is not None:
            raise self.fault
        return self.path

    def assign(self, name: str, default: str = "deny") -> Path:
        file = self.folder / name
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps({"version": "1", "default": default}), encoding="utf-8")
        fresh.replace(file)
        self.path = str(file)
        return file

    async def change(self) -> tuple[Policy | NoPolicy, Policy | NoPolicy]:
        async with asyncio.timeout(PATIENCE):
            return await self.changes.get()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def loaded(stage: Stage) -> Policy:
    policy = await stage.assigned.current()
    assert isinstance(policy, Policy)
    return policy


async def test_nothing_is_in_force_before_it_was_looked_up(stage: Stage) -> None:
    assert stage.assigned.in_force == NoPolicy("it is being loaded")


async def test_a_grant_without_one_is_not_restricted(stage: Stage) -> None:
    assert (await loaded(stage)).text == ""
    assert stage.assigned.in_force is await stage.assigned.current()


async def test_its_own_policy_is_a_layer_of_that_name(stage: Stage) -> None:
    file = stage.assign("one.json")
    policy = await loaded(stage)
    assert (policy.name, policy.layer, policy.default) == (str(file), "grant", "deny")


async def test_a_file_that_is_missing_is_no_policy_and_is_named(stage: Stage) -> None:
    stage.path = str(stage.folder / "missing.json")
    found = await stage.assigned.current()
    assert isinstance(found, NoPolicy)
    assert found.cause.startswith(f"the grant policy cannot be taken: policy file `{stage.path}` does not exist")


async def test_where_nobody_knows_there_is_none_until_somebody_does(stage: Stage) -> None:
    stage.fault = StateError("x", told="the state file is damaged")
    found = await stage.assigned.current()
    assert found == NoPolicy("the state file is damaged, so nobody knows whether the grant has a policy of its own")
    assert stage.assigned.in_force == found
    stage.fault = None
    assert (await loaded(stage)).text == ""


async def test_one_that_is_assigned_edited_and_taken_away_meanwhile_is_followed(stage: Stage) -> None:
    await loaded(stage)
    watching = asyncio.create_task(stage.assigned.watch())
    stage.assign("one.json")
    old, new = await stage.change()
    assert isinstance(old, Policy)
    assert isinstance(new, Policy)
    assert (old.text, new.default) == ("", "deny")
    stage.assign("one.json", "allow")
    _, new = await stage.change()
    assert isinstance(new, Policy)
    assert new.default == "allow"
    stage.fault = StateError("locked")
    stage.path = None
    assert stage.assigned.in_force is new
    stage.fault = None
    _, new = await stage.change()
    assert isinstance(new, Policy)
    assert new.text == ""
    watching.cancel()
    await asyncio.wait({watching})


async def test_another_file_takes_the_place_of_the_first_which_is_followed_no_more(stage: Stage) -> None:
    first = stage.assign("one.json")
    await loaded(stage)
    watching = asyncio.create_task(stage.assigned.watch())
    second = stage.assign("two.json", "allow")
    _, new = await stage.change()
    assert isinstance(new, Policy)
    assert new.name == str(second)
    stage.assign(first.name, "allow")
    stage.path = str(second)
    stage.assign("two.json")
    _, new = await stage.change()
    assert isinstance(new, Policy)
    assert (new.name, new.default) == (str(second), "deny")
    assert stage.changes.empty()
    watching.cancel()
    await asyncio.wait({watching})
