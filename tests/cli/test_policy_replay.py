import json
from datetime import datetime
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.policy import load
from tests.cli.conftest import SERVER, Home, Run, record, refused

NOW = SystemClock().now()
CANDIDATE = {
    "version": "1",
    "default": "deny",
    "tools": {
        "get_identity": {"limits": [{"counter": "c", "window": "day", "max": 1000, "scope": "grant"}]},
        "send_email": {"require": [{"conditions": [{"path": "args.to", "op": "eq", "value": "kim@example.com"}]}]},
    },
}


def shown(at: float) -> str:
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S %Z}"


@pytest.fixture
def candidate(home: Home) -> Path:
    file = home.folder / "candidate.json"
    file.write_text(json.dumps(CANDIDATE), encoding="utf-8")
    return file


@pytest.fixture
def log(home: Home) -> None:
    home.remember(
        [
            record(decision_id="d0", at=NOW - 30 * 86_400, tool="get_file", rule="/tools/get_file"),
            record(decision_id="d1", at=NOW - 50),
            record(decision_id="d2", at=NOW - 40, tool="get_file", rule="/tools/get_file"),
            record(decision_id="d3", at=NOW - 30, tool="send_email", rule="/tools/send_email", argument_names=("to",)),
            record(decision_id="d4", at=NOW - 20, server="https://other.example/mcp"),
            refused("d5", "get_file", at=NOW - 10, rule="(state)", reason="state"),
        ]
    )


@pytest.mark.usefixtures("log")
def test_what_comes_out_otherwise(run: Run, candidate: Path) -> None:
    ran = run("policy", "replay", str(candidate))
    assert (ran.code, ran.err) == (1, "")
    assert ran.out == (
        f"3 calls to {SERVER} since 7d, under `{candidate}`\n"
        "left out: 1 (refused outside of any policy)\n"
        "\n"
        "1 call would come out otherwise:\n"
        "\n"
        "     1  get_file: allowed -> denied\n"
        "        was  /tools/get_file\n"
        "        now  (default deny)\n"
        f"        {shown(NOW - 40)}; d2\n"
        "\n"
        "of 1 call nobody can tell, because a rule hangs on what is not known:\n"
        "\n"
        "     1  send_email: allowed -> cannot tell\n"
        "        was  /tools/send_email\n"
        "        now  /tools/send_email/require/0\n"
        "        for want of `args.to` (not kept)\n"
        f"        {shown(NOW - 30)}; d3\n"
        "\n"
        "1 of 3 come out as they did\n"
        "1 replayed by name: the log has no values of their arguments\n"
        "hint: `run --audit-arguments send_email=values` keeps values of the calls to come\n"
    )


@pytest.mark.usefixtures("log")
def test_a_longer_time(run: Run, candidate: Path) -> None:
    ran = run("policy", "replay", str(candidate), "--since", "6w")
    assert ran.out.startswith(f"4 calls to {SERVER} since 6w, under ")
    assert "     2  get_file: allowed -> denied\n" in ran.out


@pytest.mark.usefixtures("log")
def test_json(run: Run, candidate: Path) -> None:
    ran = run("policy", "replay", str(candidate), "--json")
    assert (ran.code, ran.err) == (1, "")
    found = json.loads(ran.out)
    assert found.pop("until") - found.pop("since") == pytest.approx(7 * 86_400)
    assert found.pop("policy")["name"] == str(candidate)
    assert found == {
        "calls": 3,
        "by_name": 1,
        "in_part": 0,
        "same": 1,
        "changed": [
            {
                "tool": "get_file",
                "was": "allow",
                "was_rule": "/tools/get_file",
                "would": "deny",
                "rules": ["(default deny)"],
                "unknown": [],
                "count": 1,
                "by_name": 0,
                "first": NOW - 40,
                "last": NOW - 40,
                "decisions": ["d2"],
            }
        ],
        "cannot_tell": [
            {
                "tool": "send_email",
                "was": "allow",
                "was_rule": "/tools/send_email",
                "would": "cannot tell",
                "rules": ["/tools/send_email/require/0"],
                "unknown": ["`args.to` (not kept)"],
                "count": 1,
                "by_name": 1,
                "first": NOW - 30,
                "last": NOW - 30,
                "decisions": ["d3"],
            }
        ],
        "left_out": {"refused outside of any policy": 1},
        "more": 0,
    }


@pytest.mark.usefixtures("log")
def test_nothing_changes(run: Run, candidate: Path) -> None:
    candidate.write_text('{"version": "1", "default": "allow"}', encoding="utf-8")
    ran = run("policy", "replay", str(candidate))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"3 calls to {SERVER} since 7d, under `{candidate}`\n"
        "left out: 1 (refused outside of any policy)\n"
        "\n"
        "every call comes out as it did\n"
        "1 replayed by name: the log has no values of their arguments\n"
    )


def test_without_a_log(run: Run, home: Home, candidate: Path) -> None:
    ran = run("policy", "replay", str(candidate))
    assert (ran.code, ran.out, ran.err) == (0, f"there is no state file yet (`{home.state}`)\n", "")
    assert not home.state.exists()
    assert json.loads(run("policy", "replay", str(candidate), "--json").out)["calls"] == 0


def test_a_policy_that_cannot_be_taken(run: Run, candidate: Path) -> None:
    candidate.write_text("{}", encoding="utf-8")
    assert run("policy", "replay", str(candidate)).code == 3


def test_what_was_redacted_is_said_with_the_cure(run: Run, home: Home, candidate: Path) -> None:
    rule = {"deny_if": [{"conditions": [{"path": "args.body", "op": "contains", "value": "x"}]}]}
    entry = {**CANDIDATE["tools"]["send_email"], **rule}  # type: ignore[index] # the document above
    candidate.write_text(json.dumps({**CANDIDATE, "tools": {"send_email": entry}}), encoding="utf-8")
    kept = '{"body": {"$redacted": "content"}, "to": "%s"}'
    more = {"tool": "send_email", "rule": "/tools/send_email", "argument_names": ("body", "to")}
    home.remember(
        [
            record(decision_id="d1", at=NOW - 20, values=kept % "eve@evil.net", **more),
            record(decision_id="d2", at=NOW - 10, values=kept % "kim@example.com", **more),
        ]
    )
    ran = run("policy", "replay", str(candidate))
    assert (ran.code, ran.err) == (1, "")
    assert ran.out == (
        f"2 calls to {SERVER} since 7d, under `{candidate}`\n"
        "\n"
        "1 call would come out otherwise:\n"
        "\n"
        "     1  send_email: allowed -> denied\n"
        "        was  /tools/send_email\n"
        "        now  /tools/send_email/require/0\n"
        f"        {shown(NOW - 20)}; d1\n"
        "\n"
        "of 1 call nobody can tell, because a rule hangs on what is not known:\n"
        "\n"
        "     1  send_email: allowed -> cannot tell\n"
        "        was  /tools/send_email\n"
        "        now  /tools/send_email/deny_if/0\n"
        "        for want of `args.body` (redacted: content)\n"
        f"        {shown(NOW - 10)}; d2\n"
        "\n"
        "0 of 2 come out as they did\n"
        "2 replayed by some of their values: the others were left out of the log\n"
        "hint: secrets and contents are never kept, whatever the setting: try such a rule with `policy test`\n"
    )


def test_what_was_tried_out_is_told_without_values_and_without_that_policy(
    run: Run, home: Home, candidate: Path
) -> None:
    tried = load(json.dumps({**CANDIDATE, "mode": "observe"}).encode(), name="tried")
    more = {"tool": "send_email", "argument_names": ("to",), "policy_revision": tried.revision}
    observed = {"effect": "observe", "reason": "require", "rule": "/tools/send_email/require/0"}
    home.remember(
        [
            record(decision_id="d1", at=NOW - 20, **more, **observed),
            record(decision_id="d2", at=NOW - 10, rule="/tools/send_email", **more),
        ]
    )
    ran = run("policy", "replay", str(candidate))
    assert (ran.code, ran.err) == (1, "")
    assert ran.out == (
        f"2 calls to {SERVER} since 7d, under `{candidate}`\n"
        "\n"
        "1 call would come out otherwise:\n"
        "\n"
        "     1  send_email: observed -> denied\n"
        "        was  /tools/send_email/require/0\n"
        "        now  /tools/send_email/require/0\n"
        f"        {shown(NOW - 20)}; d1\n"
        "\n"
        "1 of 2 come out as they did\n"
        "2 replayed by name: the log has no values of their arguments\n"
    )
