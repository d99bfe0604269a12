import json
import re

from tests.cli.conftest import Home, Run

GOOD = {
    "version": "1",
    "default": "deny",
    "hide": ["delete_file"],
    "tools": {"get_identity": {}, "get_secret": {"rate_limit": "5/hour"}},
}


def test_without_any_file_the_built_in_pack_is_checked(run: Run) -> None:
    ran = run("policy", "check")
    assert (ran.code, ran.err) == (0, "")
    counts = r"\d+ tools named, 4 hidden, \d+ limits, what is not named is denied"
    form = rf"the built-in pack is valid: {counts} \(revision \w{{16}}\)\n"
    assert re.fullmatch(form, ran.out)


def test_the_policy_in_force_is_checked(run: Run, home: Home) -> None:
    home.write_policy(json.dumps(GOOD))
    ran = run("policy", "check")
    assert ran.code == 0
    assert ran.out.startswith(
        f"`{home.policy}` is valid: 2 tools named, 1 hidden, 1 limit, what is not named is denied (revision "
    )


def test_a_named_file_is_checked(run: Run, home: Home) -> None:
    file = home.folder / "other.json"
    file.write_text('{"version": "1", "default": "allow", "hide": ["*"]}', encoding="utf-8")
    ran = run("policy", "check", str(file))
    assert ran.code == 0
    assert ran.out.startswith(
        f"`{file}` is valid: 0 tools named, every tool hidden, 0 limits, what is not named is allowed (revision "
    )


def test_warnings_are_said_and_do_not_fail(run: Run, home: Home) -> None:
    file = home.write_policy('{"version": "1",\n "default": "deny", "hide": ["x"]}')
    ran = run("policy", "check")
    assert ran.code == 0
    assert ran.err == (
        f"warning: {file}:2:13: /default: nothing is permitted: `default` is `deny` and `tools` names nothing\n"
        "    hint: name the tools that may be called under `tools`, or set `default` to `allow`\n"
    )


def test_every_mistake_is_reported_at_once(run: Run, home: Home) -> None:
    file = home.write_policy('{"version": "2",\n "default": "deny",\n "tols": {}}')
    ran = run("policy", "check")
    assert (ran.code, ran.out) == (3, "")
    lines = ran.err.splitlines()
    assert lines[0] == f"error: policy `{file}` has 2 mistakes and is not taken"
    assert lines[1].startswith(f"{file}:1:13: /version: ")
    assert lines[3:] == [f"{file}:3:2: /tols: unknown key `tols`", "    hint: did you mean `tools`?"]


def test_one_mistake_is_not_two(run: Run, home: Home) -> None:
    file = home.write_policy("")
    assert run("policy", "check").err == (
        f"error: policy `{file}` has 1 mistake and is not taken\n"
        f"{file}:1:1: the document is empty\n"
        '    hint: the shortest policy is `{"version": "1", "default": "deny"}`\n'
    )


def test_a_file_that_is_not_there(run: Run, home: Home) -> None:
    ran = run("policy", "check", str(home.folder / "no.json"))
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        f"error: policy file `{home.folder / 'no.json'}` does not exist\n"
        "hint: check the path, or write one with `keyid-gateway policy init`\n"
    )


def test_json_of_a_valid_policy(run: Run, home: Home) -> None:
    home.write_policy(json.dumps(GOOD))
    found = json.loads(run("policy", "check", "--json").out)
    assert found.pop("revision")
    assert found == {
        "valid": True,
        "name": str(home.policy),
        "default": "deny",
        "tools": 2,
        "hidden": 1,
        "limits": 1,
        "warnings": [],
        "problems": [],
    }


def test_json_of_an_invalid_policy(run: Run, home: Home) -> None:
    home.write_policy('{"version": "1", "default": "deny", "tols": {}}')
    ran = run("policy", "check", "--json")
    assert (ran.code, ran.err) == (3, "")
    problem = {
        "pointer": "/tols",
        "line": 1,
        "column": 37,
        "message": "unknown key `tols`",
        "hint": "did you mean `tools`?",
    }
    assert json.loads(ran.out) == {"valid": False, "name": str(home.policy), "warnings": [], "problems": [problem]}
