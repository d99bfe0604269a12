"""A policy that is edited while the gateway runs: in force soon, whole, or not at all."""

import json
import threading
import time
from collections.abc import Iterator

import pytest

from gateway.policy import load
from tests.e2e.process import PATIENCE, Gateway, Home, Json, decision
from tests.e2e.scripted import Scripted, said

CHANGED = "notifications/tools/list_changed"
LOG = "notifications/message"


def document(version: str, **more: Json) -> Json:
    """A policy whose refusal of `probe` tells which one is in force."""
    tools = {"probe": {"action": "deny", "reason": version}, **more.pop("tools", {})}
    return {"version": "1", "default": "allow", "tools": tools, **more}


def revision(text: Json) -> str:
    return load(json.dumps(text).encode(), name="policy").revision


def in_force(gateway: Gateway) -> str:
    """The version of the policy that judges now."""
    return str(gateway.call("probe", {})["content"][0]["text"]).removeprefix("[POLICY DENIED] ")


def await_version(gateway: Gateway, version: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while (found := in_force(gateway)) != version:
        assert time.monotonic() < deadline, f"still {found}"


def heard(gateway: Gateway) -> list[str]:
    """The methods of what the client has been told so far, and forgets now."""
    gateway.request("ping")
    methods = [message["method"] for message in gateway.others]
    gateway.others.clear()
    return methods


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    with Scripted(["probe", "one", "two"], {"tools": {"listChanged": True}, "logging": {}}) as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, upstream: Scripted) -> Iterator[Gateway]:
    home = Home(tmp_path_factory.mktemp("reload"))
    with Gateway(home, upstream.url, policy=document("first"), altered="watchful") as gateway:
        gateway.initialize()
        gateway.request("tools/list")
        yield gateway


@pytest.fixture
def gateway(running: Gateway, request: pytest.FixtureRequest) -> Gateway:
    """The gateway of this module, with a policy of this test in force."""
    start = f"before {request.node.name}"
    running.home.policy(document(start))
    await_version(running, start)
    heard(running)
    return running


def test_an_edit_is_in_force_soon_however_the_file_is_written(gateway: Gateway) -> None:
    file = gateway.home.policy(document("replaced by renaming"))
    await_version(gateway, "replaced by renaming")
    file.write_text(json.dumps(document("written in place")), encoding="utf-8")
    await_version(gateway, "written in place")
    file.unlink()
    file.write_text(json.dumps(document("deleted and made anew")), encoding="utf-8")
    await_version(gateway, "deleted and made anew")
    elsewhere = file.with_name("elsewhere.json")
    elsewhere.write_text(json.dumps(document("behind a link")), encoding="utf-8")
    file.unlink()
    file.symlink_to(elsewhere)
    await_version(gateway, "behind a link")
    elsewhere.write_text(json.dumps(document("edited behind a link")), encoding="utf-8")
    await_version(gateway, "edited behind a link")


def test_the_last_of_many_quick_edits_is_the_one_in_force(gateway: Gateway) -> None:
    for number in range(50):
        gateway.home.policy(document(f"edit {number}"))
    await_version(gateway, "edit 49")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('{"version": "1", "defualt": "deny"}', "did you mean `default`?"),
        ('{"version": "1", "default": "deny"', "not valid JSON"),
        ("", "empty"),
    ],
    ids=["a misspelt key", "not closed", "empty"],
)
def test_an_invalid_edit_keeps_the_last_good_policy_and_says_so(gateway: Gateway, text: str, mistake: str) -> None:
    before = in_force(gateway)
    gateway.home.policy(text)
    said_so = gateway.hear(LOG)["params"]
    assert (said_so["level"], said_so["logger"]) == ("error", "keyid-gateway")
    assert said_so["data"].startswith("the edited policy is not taken, the last good one stays in force: ")
    assert mistake in said_so["data"]
    gateway.wait_for_error(mistake)
    assert "the edited policy is not taken, the last good one stays in force" in gateway.errors
    assert in_force(gateway) == before
    gateway.home.policy(document(f"mended after {mistake}"))
    await_version(gateway, f"mended after {mistake}")


def test_a_file_that_is_only_half_written_is_not_taken_and_its_other_half_is(gateway: Gateway) -> None:
    before = in_force(gateway)
    text = json.dumps(document("whole"))
    file = gateway.home.path / "policy.json"
    with file.open("w", encoding="utf-8") as stream:
        stream.write(text[: len(text) // 2])
        stream.flush()
        gateway.hear(LOG)
        assert in_force(gateway) == before
        stream.write(text[len(text) // 2 :])
    await_version(gateway, "whole")


def test_a_file_that_vanishes_keeps_the_last_good_policy_and_says_so(gateway: Gateway) -> None:
    before = in_force(gateway)
    file = gateway.home.path / "policy.json"
    file.unlink()
    assert f"policy file `{file}` does not exist" in gateway.hear(LOG)["params"]["data"]
    assert in_force(gateway) == before
    gateway.home.policy(document("back again"))
    await_version(gateway, "back again")


def test_the_client_hears_of_other_tools_when_what_is_visible_changes(gateway: Gateway) -> None:
    gateway.home.policy(document("hides two", hide=["two"]))
    await_version(gateway, "hides two")
    assert heard(gateway) == [CHANGED]
    names = [tool["name"] for tool in gateway.request("tools/list")["result"]["tools"]]
    assert names == ["probe", "one"]
    assert decision(gateway.call("two", {}))["rule"] == "(hidden)"
    gateway.home.policy(document("shows two again"))
    await_version(gateway, "shows two again")
    assert heard(gateway) == [CHANGED]
    assert gateway.call("two", {}) == said("two ran")


def test_the_client_hears_nothing_when_what_is_visible_stays(gateway: Gateway) -> None:
    denying = document("denies more", hide=["nobody"], tools={"one": {"action": "deny"}})
    gateway.home.policy(denying)
    await_version(gateway, "denies more")
    gateway.home.policy(json.dumps(denying, indent=8))
    gateway.home.policy(document("allows more"))
    await_version(gateway, "allows more")
    assert heard(gateway) == []


def test_every_call_is_judged_by_one_revision(gateway: Gateway) -> None:
    allows, denies = document("allows"), document("denies", default="deny")
    by_revision = {revision(allows): ("allow", "(default allow)"), revision(denies): ("deny", "(default deny)")}
    gateway.home.policy(allows)
    await_version(gateway, "allows")
    seen = len(gateway.home.records())
    gateway.answers([gateway.begin("tools/call", {"name": "one"}) for _ in range(20)])
    edits = threading.Thread(target=lambda: [gateway.home.policy(text) for text in (denies, allows, denies)])
    edits.start()
    deadline = time.monotonic() + PATIENCE
    while in_force(gateway) != "denies":
        gateway.answers([gateway.begin("tools/call", {"name": "one"}) for _ in range(20)])
        assert time.monotonic() < deadline
    gateway.answers([gateway.begin("tools/call", {"name": "one"}) for _ in range(20)])
    edits.join()
    records = [record for record in gateway.home.records()[seen:] if record.tool == "one"]
    judged = {(record.policy_revision, (record.effect, record.rule)) for record in records}
    assert judged == set(by_revision.items())


def test_a_client_that_takes_no_logging_is_not_sent_any(home: Home) -> None:
    with (
        Scripted(["probe"], {"tools": {}}) as upstream,
        Gateway(home, upstream.url, policy=document("good")) as gateway,
    ):
        gateway.initialize()
        assert in_force(gateway) == "good"
        home.policy("{")
        gateway.wait_for_error("the edited policy is not taken")
        assert in_force(gateway) == "good"
        assert heard(gateway) == []
        assert gateway.close() == 0
