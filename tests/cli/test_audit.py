import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import calls
from gateway.state import Entry
from tests.cli.conftest import Home, Run, record, refused, relayed
from tests.warm import Popen

ROOT = Path(__file__).parents[2]
PATIENCE = 60


def test_no_gateway_has_run(run: Run, home: Home) -> None:
    ran = run("audit", "tail")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"there is no state file yet (`{home.state}`)\nnext: connect an MCP client, or see `keyid-gateway demo`\n"
    )
    assert not home.state.exists()


def test_no_call_was_judged(run: Run, home: Home) -> None:
    home.remember()
    assert run("audit", "tail").out == (
        "no call has been judged yet\nnext: connect an MCP client, or see `keyid-gateway demo`\n"
    )


def test_one_line_a_call(run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "local", _utc)
    home.remember(
        [
            *relayed("aaaaaaaaaaaaaaaa", "get_identity"),
            refused("bbbbbbbbbbbbbbbb", "delete_file"),
            record(decision_id="cccccccccccccccc", tool="wait_for_message", rule="/tools/wait_for_message"),
        ]
    )
    ran = run("audit", "tail")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "time      effect  tool                             outcome                 took  "
        "grant         client              decision          rule, reason\n"
        "2023-11-14 (UTC)\n"
        "22:13:20  allow   get_identity                     ok                     12 ms  "
        "me            client              aaaaaaaaaaaaaaaa  /tools/get_identity\n"
        "22:13:20  deny    delete_file                      not sent                      "
        'me            client              bbbbbbbbbbbbbbbb  (hidden): Tool "delete_file" is hidden by policy\n'
        "22:13:20  allow   wait_for_message                 not settled                   "
        "me            client              cccccccccccccccc  /tools/wait_for_message\n"
    )


def test_a_narrow_terminal_gets_the_reason_on_lines_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "local", _utc)
    rule = "/tools/send_email/deny_if/0"
    (call,) = calls.merged([Entry(1, refused("bbbbbbbbbbbbbbbb", "send_email", rule=rule, message="Word " * 20))])
    lines = calls.line(call, 80).plain.splitlines()
    assert lines[0].rstrip() == "22:13:20  deny    send_email                       not sent"
    assert lines[1].startswith("          bbbbbbbbbbbbbbbb  /tools/send_email/deny_if/0: Word")
    assert len(lines) > 2
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [40, 60, 78])
def test_a_narrower_one_gets_no_line_that_is_too_long(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setattr(calls, "local", _utc)
    message = "nothing passes until a person runs `keyid-gateway resume` in a terminal"
    found = calls.merged(
        [
            Entry(1, refused("bbbbbbbbbbbbbbbb", "wait_for_registration_artifact", rule="(stopped)", message=message)),
            *(Entry(number, each) for number, each in enumerate(relayed("cccccccccccccccc", "get_identity"), 2)),
        ]
    )
    lines = [calls.headings(width), *(row for call in found for row in calls.line(call, width).plain.splitlines())]
    assert max(map(len, lines)) <= width
    assert lines == [row.rstrip() for row in lines]
    assert [lines[0].split()[-1], lines[1].split()[-1], lines[-1].split()[-1]] == ["outcome", "sent", "ok"]
    assert "`keyid-gateway resume`" in "\n".join(lines), "what is to be typed stays whole"


def test_tests_that_the_gateway_passed_are_no_calls(run: Run, home: Home) -> None:
    said = {"kind": "self-test", "effect": "deny", "rule": "(hidden)"}
    tests = [record(decision_id=f"t{number}", tool=f"gw-self-test-{number}", **said) for number in range(50)]
    home.remember(tests[:1])
    assert run("audit", "tail").out.startswith("no call has been judged yet\n")
    home.remember([*relayed("d1", "get_identity"), *tests[1:]])
    lines = run("audit", "tail", "-n", "2").out.splitlines()
    assert [line.split()[2] for line in lines[2:]] == ["get_identity"]
    assert run("audit", "tail", "-n", "0").out == ""
    home.remember([record(decision_id="t99", tool="gw-self-test-99", kind="self-test")])
    assert "gw-self-test-99" in run("audit", "tail").out, "one that went wrong is told"
    assert "gw-self-test-49" in run("audit", "tail", "--json").out


@pytest.mark.parametrize(("width", "who"), [(80, False), (140, False), (179, False), (180, True), (1000, True)])
def test_who_called_is_said_where_there_is_room(width: int, who: bool) -> None:
    (call,) = calls.merged([Entry(1, refused("b", "send_email", grant="ann", client_name="desk"))])
    assert ("ann" in calls.line(call, width).plain, "grant" in calls.headings(width)) == (who, who)


@pytest.mark.parametrize("command", ["tail", "query"])
def test_wide_is_as_wide_as_a_pipe(run: Run, home: Home, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    home.remember([refused("b", "send_email", grant="ann", client_name="desk")])
    piped = run("audit", command).out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    assert "ann" not in run("audit", command).out
    assert run("audit", command, "--wide").out == piped


def test_what_others_wrote_cannot_act_on_the_terminal(run: Run, home: Home) -> None:
    evil = "a\x1b[2J\u202eb\nc"
    home.remember([refused(evil, evil, rule=evil, message=evil), *relayed(evil * 2, evil, outcome=evil)])
    out = run("audit", "tail").out
    assert len(out.splitlines()) == 4
    assert all(line.isprintable() for line in out.splitlines())


def test_the_newest_calls_only(run: Run, home: Home) -> None:
    home.remember([item for number in range(5) for item in relayed(f"d{number}", f"tool_{number}")])
    lines = run("audit", "tail", "-n", "2").out.splitlines()
    assert [line.split()[2] for line in lines[2:]] == ["tool_3", "tool_4"]


def test_json_has_every_record_whole(run: Run, home: Home) -> None:
    home.remember([*relayed("d1", "get_identity"), refused("d2", "delete_file", argument_names=("key",))])
    found = json.loads(run("audit", "tail", "-n", "2", "--json").out)["records"]
    assert [(item["seq"], item["kind"], item["decision_id"]) for item in found] == [
        (2, "settled", "d1"),
        (3, "refused", "d2"),
    ]
    assert found[0]["time"] == "2023-11-14T22:13:20.250+00:00"
    assert found[0]["at"] == 1_700_000_000.25
    assert (found[0]["outcome"], found[0]["latency_ms"], found[0]["upstream_status"]) == ("ok", 12.3, 200)
    assert found[1]["argument_names"] == ["key"]


def test_json_of_nothing(run: Run) -> None:
    assert json.loads(run("audit", "tail", "--json").out) == {"records": []}


def test_following_prints_what_comes_until_ctrl_c(home: Home) -> None:
    home.remember(relayed("d1", "get_identity"))
    process = _follow(home)
    heading, _ = _line(process), _line(process)
    assert heading.startswith("time ")
    assert "get_identity" in _line(process)
    home.remember([*relayed("d2", "send_email"), refused("d3", "delete_file")])
    assert "send_email" in _line(process)
    assert "delete_file" in _line(process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "", "")


def test_following_as_json_lines(home: Home) -> None:
    home.remember(relayed("d1", "get_identity"))
    process = _follow(home, "--json")
    assert [json.loads(_line(process))["kind"] for _ in range(2)] == ["decided", "settled"]
    home.remember([refused("d2", "delete_file")])
    assert json.loads(_line(process))["tool"] == "delete_file"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)


def test_following_begins_before_there_is_a_state_file(home: Home) -> None:
    process = _follow(home)
    assert process.stderr is not None
    assert process.stderr.readline() == f"waiting for the first call (`{home.state}`)\n"
    home.remember([refused("d1", "delete_file")])
    heading, _ = _line(process), _line(process)
    assert heading.startswith("time ")
    assert "delete_file" in _line(process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)


def test_following_ends_when_nobody_reads(home: Home) -> None:
    home.remember(relayed("d1", "get_identity"))
    process = _follow(home)
    for _ in range(3):
        _line(process)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(PATIENCE) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def _follow(home: Home, *words: str) -> subprocess.Popen[str]:
    return Popen(
        [sys.executable, "-m", "gateway", "audit", "tail", "-f", *words],
        env={**os.environ, **home.environment},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=PATIENCE)
    return line


def _utc(at: float) -> object:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC)


def test_following_from_now_on(home: Home) -> None:
    home.remember(relayed("d1", "get_identity"))
    process = _follow(home, "-n", "0", "--json")
    first, seen = refused("d2", "delete_file"), None
    while seen is None:  # whatever was there when it began to look is not shown
        home.remember([first])
        if _has_said_something(process):
            seen = json.loads(_line(process))
    assert seen["tool"] == "delete_file"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)


def _has_said_something(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 0.2)[0])
