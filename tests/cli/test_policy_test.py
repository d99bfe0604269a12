import json
from pathlib import Path

from tests.cli.conftest import Home, Run

POLICY = """{
  "version": "1", "default": "deny",
  "tools": {
    "send_email": {
      "require": [{"conditions": [{"path": "args.to", "op": "regex", "value": "@example\\\\.com$"}],
                   "on_deny": "Only colleagues."}]
    }
  }
}"""
GOOD = """{
  "version": "1",
  "tests": [
    {"name": "colleagues", "steps": [
      {"call": {"tool": "send_email", "arguments": {"to": "kim@example.com"}}, "expect": {"effect": "allow"}}]}
  ]
}"""
BAD = GOOD.replace("kim@example.com", "eve@elsewhere.example")
EXAMPLE = (
    '{"version": "1", "tests": [{"name": "…", "steps": [{"call": {"tool": "send_email"}, '
    '"expect": {"effect": "deny"}}]}]}'
)


def folder(home: Home, name: str = "mine", tests: str = GOOD) -> Path:
    made = home.folder / name
    made.mkdir()
    (made / "policy.json").write_text(POLICY, encoding="utf-8")
    (made / "tests.json").write_text(tests, encoding="utf-8")
    return made


def test_a_policy_its_tests_and_their_folder_name_the_same(run: Run, home: Home) -> None:
    made = folder(home)
    for path in (made, made / "policy.json", made / "tests.json"):
        ran = run("policy", "test", str(path))
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == f"`{made / 'policy.json'}`: 1 test passed (1 request judged)\n"


def test_the_policy_in_force_has_its_tests_beside_it(run: Run, home: Home) -> None:
    home.write_policy(POLICY).with_name("tests.json").write_text(GOOD, encoding="utf-8")
    assert run("policy", "test").out == f"`{home.policy}`: 1 test passed (1 request judged)\n"


def test_another_policy_has_tests_of_its_own_name(run: Run, home: Home) -> None:
    (home.folder / "other.yaml").write_text("version: '1'\ndefault: deny\ntools: {send_email: {}}\n", encoding="utf-8")
    (home.folder / "other.tests.json").write_text(BAD, encoding="utf-8")
    assert run("policy", "test", str(home.folder / "other.yaml")).code == 0
    assert run("policy", "test", str(home.folder / "other.tests.json")).code == 0


def test_a_failure_is_shown_with_what_would_have_to_change(run: Run, home: Home) -> None:
    made = folder(home, tests=BAD)
    ran = run("policy", "test", str(made))
    assert (ran.code, ran.err) == (1, "")
    assert ran.out == (
        "FAILED colleagues\n"
        f"  {made / 'tests.json'}:5, step 1, 2026-01-05 09:00:00 UTC\n"
        '  send_email {"to":"eve@elsewhere.example"}\n'
        "    effect: expected `allow`\n"
        "            found    `deny`\n"
        f"  decided by /tools/send_email/require/0 ({made / 'policy.json'}:5): Only colleagues.\n"
        "  hint: `/tools/send_email/require/0` refuses it: loosen that rule, or expect the denial\n"
        "\n"
        f"`{made / 'policy.json'}`: 1 of 1 test failed (1 request judged)\n"
    )


def test_a_folder_of_policies_is_one_run(run: Run, home: Home) -> None:
    inside = home.folder / "all"
    inside.mkdir()
    folder(home, "all/a")
    folder(home, "all/b", BAD)
    ran = run("policy", "test", str(inside))
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert "a: 1 test passed" in lines
    assert "b: 1 of 1 test failed" in lines
    assert lines[-1] == "2 policies: 1 of 2 tests failed (2 requests judged)"


def test_json(run: Run, home: Home) -> None:
    made = folder(home, tests=BAD)
    ran = run("policy", "test", str(made), "--json")
    assert ran.code == 1
    found = json.loads(ran.out)
    assert (found["passed"], found["failed"], found["requests"]) == (0, 1, 1)
    (policy,) = found["policies"]
    assert policy.pop("revision")
    (failure,) = policy.pop("failures")
    assert policy == {"policy": str(made / "policy.json"), "tests": str(made / "tests.json"), "requests": 1}
    assert failure["differences"] == [{"field": "effect", "expected": "allow", "found": "deny"}]
    assert (failure["pointer"], failure["line"], failure["rule_line"]) == ("/tests/0/steps/0", 5, 5)


def test_a_file_without_tests_is_no_pass(run: Run, home: Home) -> None:
    made = folder(home, tests='{"version": "1", "tests": []}')
    ran = run("policy", "test", str(made))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "nothing was tested: the file has no tests in it\n"


def test_a_policy_without_tests_is_no_pass(run: Run, home: Home) -> None:
    file = home.write_policy(POLICY)
    ran = run("policy", "test")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"error: nothing to run: `{file}` has no tests\nhint: write `tests.json` beside it, like {EXAMPLE}\n"
    )
    ran = run("policy", "test", str(home.folder / "config"))
    assert ran.code == 1
    assert ran.err.startswith(f"error: nothing to run: `{home.folder / 'config'}` holds no policy with tests\n")


def test_a_mistake_in_the_tests_is_reported_like_one_in_a_policy(run: Run, home: Home) -> None:
    made = folder(home, tests=GOOD.replace('"call"', '"cal"'))
    ran = run("policy", "test", str(made))
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        f"error: file of tests `{made / 'tests.json'}` has 1 mistake and is not taken\n"
        f"{made / 'tests.json'}:5:8: /tests/0/steps/0/cal: unknown key `cal`\n"
        "    hint: did you mean `call`?\n"
    )


def test_a_mistake_in_the_policy_is_reported_first(run: Run, home: Home) -> None:
    made = folder(home)
    (made / "policy.json").write_text("{}", encoding="utf-8")
    ran = run("policy", "test", str(made))
    assert ran.code == 3
    assert ran.err.startswith(f"error: policy `{made / 'policy.json'}` has 2 mistakes and is not taken\n")


def test_files_that_are_not_there(run: Run, home: Home) -> None:
    missing = home.folder / "no.json"
    assert run("policy", "test", str(missing)).err == (
        f"error: policy file `{missing}` does not exist\n"
        "hint: check the path, or write one with `keyid-gateway policy init`\n"
    )
    made = folder(home)
    ran = run("policy", "test", str(made), "--tests", str(missing))
    assert (ran.code, ran.err) == (3, f"error: file of tests `{missing}` does not exist\nhint: check the path\n")


def test_the_built_in_pack_has_no_file(run: Run) -> None:
    ran = run("policy", "test")
    assert ran.code == 2
    assert ran.err == (
        "error: the built-in pack is in force, which has no file beside which tests could stand\n"
        "hint: name a policy: `keyid-gateway policy test PATH`\n"
    )
