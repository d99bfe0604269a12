"""A policy in YAML judges, is followed when it is edited, and a mistake in it is said with its place."""

import time
from pathlib import Path

from tests.e2e.process import PATIENCE, Gateway, Home, decision
from tests.e2e.scripted import Scripted, said

POLICY = """\
version: "1"
default: deny
tools:
  probe:
    action: deny   # for now
    reason: {reason}
  one: {{}}
"""


def write(home: Home, reason: str) -> Path:
    file = home.path / "policy.yaml"
    fresh = file.with_suffix(".new")
    fresh.write_text(POLICY.format(reason=reason), encoding="utf-8")
    fresh.replace(file)
    return file


def reason(gateway: Gateway) -> str:
    return str(gateway.call("probe", {})["content"][0]["text"]).removeprefix("[POLICY DENIED] ")


def test_a_policy_in_yaml_is_in_force_and_followed(home: Home) -> None:
    with Scripted(["probe", "one"]) as upstream, Gateway(home, upstream.url, policy=write(home, "first")) as gateway:
        gateway.initialize()
        assert reason(gateway) == "first"
        assert decision(gateway.call("probe", {}))["rule"] == "/tools/probe/action"
        assert gateway.call("one", {}) == said("one ran")

        write(home, "second")
        deadline = time.monotonic() + PATIENCE
        while (found := reason(gateway)) != "second":
            assert time.monotonic() < deadline, found

        file = write(home, "[a list]")
        gateway.wait_for_error(f"{file}:6:13: /tools/probe/reason: must be a string, not a list")
        assert reason(gateway) == "second"
