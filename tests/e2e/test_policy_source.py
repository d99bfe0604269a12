"""Where the policy comes from; and without one, every call is refused, with the cause, until there is one."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, Json, decision
from tests.e2e.scripted import Scripted, said

TOOLS = ["get_identity", "delete_file", "unheard_of"]
BUILT_IN = "policy in force: builtin:recommended"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    with Scripted(TOOLS) as running:
        yield running


def write(file: Path, policy: Json) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(policy), encoding="utf-8")


def refusal(gateway: Gateway, rule: str, tool: str = "get_identity") -> str:
    """The text of a refusal by this rule."""
    result = gateway.call(tool, {})
    assert decision(result)["rule"] == rule
    return str(result["content"][0]["text"])


def await_allowed(gateway: Gateway, tool: str = "get_identity") -> None:
    deadline = time.monotonic() + PATIENCE
    while (result := gateway.call(tool, {})) != said(f"{tool} ran"):
        assert time.monotonic() < deadline, result


def nothing(_: Path) -> None:
    """There is no file."""


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (nothing, "policy file `{file}` does not exist · hint: check the path, or write one with"),
    "empty": (lambda file: file.write_bytes(b""), "{file}:1:1: the document is empty"),
    "a folder": (lambda file: file.mkdir(), "`{file}` is a folder, not a policy file"),
    "50 MB": (lambda file: file.write_bytes(b" " * 50_000_000), "policy file `{file}` is larger than 8 MiB"),
    "not UTF-8": (lambda file: file.write_bytes(b'{"version": "\xff"}'), "not valid UTF-8"),
    "a misspelt key": (lambda file: write(file, {**ALLOW_ALL, "tolls": {}}), "did you mean `tools`?"),
    "not JSON": (lambda file: file.write_bytes(b"version: 1"), "not valid JSON"),
    "nested without end": (lambda file: file.write_bytes(b"[" * 200_000), "nested"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_a_bad_policy_refuses_every_call_with_the_cause_until_it_is_mended(
    home: Home, upstream: Scripted, case: tuple[Callable[[Path], object], str]
) -> None:
    spoil, cause = case
    file = home.path / "policy.json"
    spoil(file)
    before = len(upstream.asked("tools/call"))
    with Gateway(home, upstream.url, policy=file) as gateway:
        assert "result" in gateway.initialize()
        text = refusal(gateway, "(no policy)")
        assert text.startswith("[POLICY DENIED] No policy is in force: ")
        assert cause.format(file=file) in text
        assert refusal(gateway, "(no policy)", "unheard_of") == text
        assert len(gateway.request("tools/list")["result"]["tools"]) == len(TOOLS)
        assert gateway.request("resources/read", {"uri": "a:b"})["error"]["code"] == -33403
        gateway.wait_for_error("no policy is in force, every call is refused")
        assert len(upstream.asked("tools/call")) == before
        if file.is_dir():
            file.rmdir()
        write(file, ALLOW_ALL)
        await_allowed(gateway)
        assert gateway.close() == 0
    assert [record.kind for record in home.records()[:3]] == ["refused"] * 3


def test_with_nothing_configured_the_built_in_pack_is_in_force_and_the_log_says_so(
    home: Home, upstream: Scripted
) -> None:
    with Gateway(home, upstream.url) as gateway:
        gateway.initialize()
        assert gateway.call("get_identity", {}) == said("get_identity ran")
        assert refusal(gateway, "(default deny)", "unheard_of")
        assert refusal(gateway, "(hidden)", "delete_file")
        assert [tool["name"] for tool in gateway.request("tools/list")["result"]["tools"]] == [
            "get_identity",
            "unheard_of",
        ]
        gateway.wait_for_error(BUILT_IN)
        write(home.config / "policy.json", ALLOW_ALL)
        await_allowed(gateway, "unheard_of")
        gateway.wait_for_error(f"policy in force: {home.config / 'policy.json'}")


def test_the_policy_in_the_config_folder_is_in_force(home: Home, upstream: Scripted) -> None:
    write(home.config / "policy.json", {**ALLOW_ALL, "hide": ["get_identity"]})
    with Gateway(home, upstream.url) as gateway:
        gateway.initialize()
        assert refusal(gateway, "(hidden)")
        assert gateway.call("unheard_of", {}) == said("unheard_of ran")
        gateway.wait_for_error(f"policy in force: {home.config / 'policy.json'}")
        assert BUILT_IN not in gateway.errors


def test_a_named_policy_goes_before_that_in_the_config_folder(home: Home, upstream: Scripted) -> None:
    write(home.config / "policy.json", ALLOW_ALL)
    with Gateway(home, upstream.url, "--policy", "builtin:recommended") as gateway:
        gateway.initialize()
        assert refusal(gateway, "(default deny)", "unheard_of")
        assert BUILT_IN in gateway.errors
        write(home.config / "policy.json", {**ALLOW_ALL, "description": "edited"})
        assert refusal(gateway, "(default deny)", "unheard_of")


def test_an_unknown_built_in_policy_is_a_mistake_of_the_command_line(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, "--policy", "builtin:recomended") as gateway:
        assert gateway.wait() == 2
        assert gateway.errors == (
            "error: --policy: the only built-in policy is `builtin:recommended`\n"
            "hint: --policy FILE: the policy document; `builtin:recommended` names the built-in pack\n"
        )


def test_a_grant_that_used_a_file_never_falls_back_to_the_built_in_pack(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        assert gateway.call("unheard_of", {}) == said("unheard_of ran")
    file = home.path / "policy.json"
    with Gateway(home, upstream.url) as gateway:
        gateway.initialize()
        cause = refusal(gateway, "(no policy)")
        assert f"was judged by `{file}` before, and no policy file is given now; pass `--policy {file}`" in cause
        assert BUILT_IN not in gateway.errors
        write(home.config / "policy.json", ALLOW_ALL)
        await_allowed(gateway)


def test_another_grant_still_gets_the_built_in_pack_and_the_pack_may_be_chosen(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        gateway.call("get_identity", {})
    for arguments in (["--grant", "somebody else"], ["--policy", "builtin:recommended"]):
        with Gateway(home, upstream.url, *arguments) as gateway:
            gateway.initialize()
            assert gateway.call("get_identity", {}) == said("get_identity ran")
            assert refusal(gateway, "(default deny)", "unheard_of")


def test_a_grant_whose_file_in_the_config_folder_is_gone_is_refused_until_it_is_back(
    home: Home, upstream: Scripted
) -> None:
    file = home.config / "policy.json"
    write(file, ALLOW_ALL)
    with Gateway(home, upstream.url) as gateway:
        gateway.initialize()
        assert gateway.call("get_identity", {}) == said("get_identity ran")
    file.unlink()
    with Gateway(home, upstream.url) as gateway:
        gateway.initialize()
        assert f"policy file `{file}` does not exist" in refusal(gateway, "(no policy)")
        write(file, ALLOW_ALL)
        await_allowed(gateway)
