import json

import pytest

from gateway.keyid import known_tools
from gateway.standin import Standin
from gateway.state import lists
from tests.cli.conftest import TOKEN, Home, Run

NEXT = "next: `keyid-gateway policy init --live FILE` writes a policy of this; a FILE.yaml says why in comments"


@pytest.fixture(autouse=True)
def server(home: Home, standin: Standin, monkeypatch: pytest.MonkeyPatch) -> str:
    assert home.folder.is_dir()
    monkeypatch.setenv("KEYID_GATEWAY_UPSTREAM", standin.url)
    monkeypatch.setenv("KEYID_GATEWAY_HEADER", f"Authorization: Bearer {TOKEN}")
    return standin.url


def test_every_tool_with_its_risk_and_the_reason(run: Run, server: str) -> None:
    ran = run("policy", "scan")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == f"64 tools of {server}"
    assert lines[2].split() == ["tool", "risk", "would", "be", "because"]
    rows = {line.split()[0]: line for line in lines[3:67]}
    assert len(rows) == 64
    assert rows["get_secret"].split("  ")[-1].strip() == "KeyID publishes it as Read"
    assert rows["standin_destructive_1"].split()[1:3] == ["Destructive", "hidden"]
    assert lines[-2:] == [
        "33 Read, 22 Write, 3 Execute, 6 Destructive",
        NEXT,
    ]


def test_json(run: Run, home: Home, server: str) -> None:
    found = json.loads(run("policy", "scan", "--json").out)
    assert found["server"] == server
    tools = {tool.pop("name"): tool for tool in found["tools"]}
    assert len(tools) == 64
    assert tools["block_registration_session"] == {
        "risk": "Write",
        "known": True,
        "sensitive": False,
        "writes": "10/minute, 40/day",
        "listed": True,
        "evidence": [
            {"risk": "Read", "why": "KeyID publishes it as Read"},
            {"risk": "Write", "why": "it says itself that it is not read-only"},
        ],
    }
    kept = lists.last(home.state, server)
    assert kept is not None
    assert set(known_tools()) < set(kept.names())


def test_a_live_policy_is_written_and_can_be_taken(run: Run, home: Home) -> None:
    ran = run("policy", "init", "--live")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"wrote `{home.policy}`: 64 tools: 33 Read, 22 Write, 3 Execute, 6 Destructive; `policy scan` says why\n"
        "next:\n"
        "  edit it; `keyid-gateway policy check` says what is wrong with an edit\n"
        "  a gateway without --policy takes it within half a second, as every later edit\n"
        "  a grant that was once judged by a file never falls back to the built-in pack\n"
    )
    ran = run("policy", "check")
    assert (ran.code, ran.err) == (0, "")
    assert ": 58 tools named, 6 hidden, 69 limits, what is not named is denied" in ran.out


def test_twice_the_same(run: Run) -> None:
    first, second = run("policy", "init", "--live", "-"), run("policy", "init", "--live", "-")
    assert first.out == second.out
    assert json.loads(first.out)["tools"]["standin_write_1"]["limits"][0]["max"] == 30


def test_the_pack_itself_is_json(run: Run, home: Home) -> None:
    ran = run("policy", "init", str(home.folder / "p.yaml"))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "error: the recommended pack is written as JSON\nhint: name a file that ends in `.json`, or add --live\n"
    )


def test_a_server_that_cannot_be_reached_writes_nothing(run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYID_GATEWAY_UPSTREAM", "http://127.0.0.1:1/mcp")
    ran = run("policy", "init", "--live")
    assert (ran.code, ran.out) == (4, "")
    assert not home.policy.exists()


def test_as_yaml_the_same_policy_with_its_reasons(run: Run, home: Home) -> None:
    assert run("policy", "init", "--live", str(home.folder / "live.yaml")).code == 0
    text = (home.folder / "live.yaml").read_text(encoding="utf-8")
    assert '  # KeyID publishes it as Read\n  "get_auto_reply": {}\n' in text
    ran = run("policy", "check", str(home.folder / "live.yaml"))
    assert (ran.code, ran.err) == (0, "")
    assert ": 58 tools named, 6 hidden, 69 limits, what is not named is denied" in ran.out
