import json
import re

import pytest

from gateway.standin import Standin
from tests.cli.conftest import TOKEN, Home, Run

GOOD = {
    "version": "1",
    "default": "deny",
    "hide": ["delete_file"],
    "tools": {"get_identity": {}, "get_secret": {"rate_limit": "5/hour"}},
}

NOTE = (
    "/default: no `resources` and no `prompts`: by `default`, every one of them is refused\n"
    '    hint: if the client needs them: `resources`: `{ "default": "deny", "allow": [ … ] }`\n'
)


def test_without_any_file_the_built_in_pack_is_checked(run: Run) -> None:
    ran = run("policy", "check")
    assert (ran.code, ran.err) == (0, "")
    counts = r"\d+ tools named, 4 hidden, \d+ limits, what is not named is denied"
    form = rf"the built-in pack is valid: {counts} \(revision \w{{16}}\)\nnote: builtin:recommended:4:14: "
    assert re.fullmatch(form + re.escape(NOTE), ran.out)


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
        "compared_with": None,
        "notes": [
            {
                "pointer": "/default",
                "line": 1,
                "column": 29,
                "message": "no `resources` and no `prompts`: by `default`, every one of them is refused",
                "hint": 'if the client needs them: `resources`: `{ "default": "deny", "allow": [ … ] }`',
            }
        ],
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
    assert json.loads(ran.out) == {
        "valid": False,
        "name": str(home.policy),
        "warnings": [],
        "notes": [],
        "problems": [problem],
    }


REGRETTED = """\
{
  "version": "1",
  "default": "deny",
  "resources": { "default": "deny" },
  "prompts": { "default": "deny" },
  "tools": {
    "send_emial": {},
    "send_email": {
      "require": [{ "conditions": [{ "path": "args.too", "op": "regex", "value": "@example\\\\.com$" }] }]
    }
  }
}
"""


def test_warnings_of_a_policy_that_is_valid(run: Run, home: Home) -> None:
    file = home.write_policy(REGRETTED)
    ran = run("policy", "check")
    assert ran.code == 0
    assert ran.out.startswith(f"`{file}` is valid: 2 tools named, ")
    assert ran.out.count("\n") == 1
    assert ran.err == (
        f"warning: {file}:7:5: /tools/send_emial: KeyID publishes no tool `send_emial`\n"
        "    hint: did you mean `send_email`? --live asks the server\n"
        f"warning: {file}:9:82: /tools/send_email/require/0/conditions/0/value: "
        "matches anywhere in the text: `@example\\.com$` is not anchored\n"
        "    hint: begin it with `^` and end it with `$`, so that the whole text must match\n"
    )
    assert run("policy", "check", "--strict").code == 1


def test_live_asks_the_server_and_what_it_says_is_remembered(
    run: Run, home: Home, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYID_GATEWAY_UPSTREAM", standin.url)
    monkeypatch.setenv("KEYID_GATEWAY_HEADER", f"Authorization: Bearer {TOKEN}")
    file = home.write_policy(REGRETTED)
    for words in (("policy", "check", "--live"), ("policy", "check")):
        ran = run(*words)
        assert ran.code == 0
        assert ran.out.endswith(f"compared with the 64 tools that {standin.url} announced last\n")
        assert ran.err == (
            f"warning: {file}:7:5: /tools/send_emial: the server has no tool `send_emial`\n"
            "    hint: did you mean `send_email`?\n"
            f"warning: {file}:9:46: /tools/send_email/require/0/conditions/0/path: "
            "`send_email` has no argument `args.too`: its schema does not name `too`\n"
            "    hint: did you mean `to`?\n"
            f"warning: {file}:9:82: /tools/send_email/require/0/conditions/0/value: "
            "matches anywhere in the text: `@example\\.com$` is not anchored\n"
            "    hint: begin it with `^` and end it with `$`, so that the whole text must match\n"
        )
    assert json.loads(run("policy", "check", "--json").out)["compared_with"] == 64


def test_a_policy_of_the_servers_own_tools_is_clean(
    run: Run, home: Home, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYID_GATEWAY_UPSTREAM", standin.url)
    monkeypatch.setenv("KEYID_GATEWAY_HEADER", f"Authorization: Bearer {TOKEN}")
    for name in ("live.json", "live.yaml"):
        assert run("policy", "init", "--live", str(home.folder / name)).code == 0
        ran = run("policy", "check", str(home.folder / name), "--strict")
        assert (ran.code, ran.err) == (0, "")
