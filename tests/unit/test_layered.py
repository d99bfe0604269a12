"""The layers as files: what each of them does to what is in force."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway import policies
from gateway.assigned import Assigned
from gateway.errors import StateError
from gateway.layered import Layered, overlay, together
from gateway.policies import NoPolicy, Policies, Source
from gateway.policy import Facts, Layer, Policy, ToolCall, decide, load
from gateway.policy.layers import unrestricted

PATIENCE = 10
OPEN = load(b'{"version": "1", "default": "allow"}', name="open")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Stage:
    """Three layers in a folder, and what was reported of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changes: asyncio.Queue[tuple[Policy | NoPolicy, Policy | NoPolicy]] = asyncio.Queue()
        self.rejections: asyncio.Queue[str] = asyncio.Queue()
        self.file("user").write_text('{"version": "1", "default": "allow"}', encoding="utf-8")
        user = Policies(self._choose, lambda: OPEN, changed=self._replaced, rejected=self.rejections.put_nowait)
        layers: tuple[Layer, ...] = ("site", "project")
        overlays = [
            overlay(self.file(layer), layer, changed=self._replaced, rejected=self.rejections.put_nowait)
            for layer in layers
        ]
        self.layered = Layered(user, overlays, changed=lambda old, new: self.changes.put_nowait((old, new)))

    async def _choose(self) -> Source:
        return Source(self.file("user"))

    def _replaced(self, _old: Policy | NoPolicy, _new: Policy | NoPolicy) -> None:
        self.layered.replaced()

    def file(self, layer: str) -> Path:
        return self.folder / f"{layer}.json"

    def write(self, layer: str, words: str) -> None:
        fresh = self.file(layer).with_suffix(".new")
        fresh.write_text(words, encoding="utf-8")
        fresh.replace(self.file(layer))

    def close(self, layer: str, tool: str = "t") -> None:
        self.write(layer, json.dumps({"version": "1", "default": "allow", "tools": {tool: {"action": "deny"}}}))

    async def change(self) -> tuple[Policy | NoPolicy, Policy | NoPolicy]:
        async with asyncio.timeout(PATIENCE):
            return await self.changes.get()

    async def rejection(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return await self.rejections.get()

    def rule(self) -> str:
        """The rule for a call of `t`."""
        policy = self.layered.in_force
        return policy.cause if isinstance(policy, NoPolicy) else decide(policy, ToolCall("t", {}), Facts(True)).rule


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(policies, "_LOOK_SECONDS", 0.001)
    return Stage(tmp_path)


async def test_a_layer_without_a_file_restricts_nothing_until_there_is_one(stage: Stage) -> None:
    first = await stage.layered.current()
    assert isinstance(first, Policy)
    assert first.also == ()
    watching = asyncio.create_task(stage.layered.watch())
    stage.close("project")
    assert await stage.change() == (first, stage.layered.in_force)
    assert stage.rule() == "project:/tools/t/action"
    stage.close("site")
    await stage.change()
    assert stage.rule() == "site:/tools/t/action"
    watching.cancel()


async def test_a_project_that_breaks_or_vanishes_stays_as_it_was(stage: Stage) -> None:
    stage.close("project")
    await stage.layered.current()
    watching = asyncio.create_task(stage.layered.watch())
    stage.write("project", "{")
    assert (await stage.rejection()).startswith("the edited project policy is not taken, the last good one stays")
    assert stage.rule() == "project:/tools/t/action"
    stage.file("project").unlink()
    assert "does not exist" in await stage.rejection()
    assert stage.rule() == "project:/tools/t/action"
    watching.cancel()


async def test_a_site_that_breaks_refuses_everything_and_one_that_vanishes_stays(stage: Stage) -> None:
    stage.close("site", "other")
    await stage.layered.current()
    assert stage.rule() == "(default allow)"
    watching = asyncio.create_task(stage.layered.watch())
    stage.write("site", '{"version": "1", "default": "allow", "tolls": {}}')
    assert (await stage.rejection()).startswith("the edited site policy is not taken, every call is still refused")
    assert "the site policy cannot be taken" in stage.rule()
    stage.close("site")
    await stage.change()
    assert stage.rule() == "site:/tools/t/action"
    stage.file("site").unlink()
    await stage.rejection()
    assert stage.rule() == "site:/tools/t/action"
    watching.cancel()


@pytest.mark.parametrize("layer", ["site", "project"])
async def test_a_layer_that_is_broken_at_the_start_refuses_everything(stage: Stage, layer: str) -> None:
    stage.write(layer, "{")
    assert isinstance(await stage.layered.current(), NoPolicy)
    assert f"the {layer} policy cannot be taken" in stage.rule()


def test_what_is_together_is_none_where_one_is_none() -> None:
    none = NoPolicy("broken")
    assert together(OPEN, [unrestricted("site")]) is OPEN
    assert together(OPEN, [unrestricted("site"), none]) is none
    assert together(none, [unrestricted("site")]) is none


async def test_what_could_not_be_looked_up_is_not_loaded(stage: Stage) -> None:
    """Whoever asks next has it looked up again: nobody is refused any longer because of what is over."""
    faults = [StateError("locked", "wait")]

    async def look() -> str | None:
        if faults:
            raise faults.pop()
        return None

    user = Policies(stage._choose, lambda: OPEN, changed=stage._replaced, rejected=stage.rejections.put_nowait)
    own = Assigned(look, changed=stage._replaced, rejected=stage.rejections.put_nowait)
    layered = Layered(user, [own], changed=lambda _old, _new: None)
    assert isinstance(await layered.current(), NoPolicy)
    assert not layered.loaded
    assert isinstance(await layered.current(), Policy)
    assert layered.loaded
