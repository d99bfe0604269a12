import json
from pathlib import Path

from gateway.policy import load
from tests.cli.conftest import Home, Run

GOOD = """\
version: "1"
default: deny
tools:
  pay:
    rules:
      - name: small
        conditions: [{path: args.amount, op: lte, value: 500}]
      - rate_limit: 5/hour
"""
BAD = """\
version: "1"
tools:
  push:
    rules:
      - name: not main
        conditions: [{path: args.branch, op: neq, value: main}]
"""


def written(home: Home, text: str, name: str = "their.yaml") -> Path:
    file = home.folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_a_document_becomes_a_policy_and_each_rule_is_accounted_for(run: Run, home: Home) -> None:
    file = written(home, GOOD)
    ran = run("policy", "convert", str(file))
    assert ran.code == 0
    assert load(ran.out.encode(), name="p").default == "deny"
    assert ran.err == (
        f"{file}:6: /tools/pay/rules/0 `small`: exact -> /tools/pay/require/0\n"
        f"{file}:8: /tools/pay/rules/1: exact -> /tools/pay/limits/0\n"
        "note: `resources`, `prompts` and other methods stay open, because Intercept judges calls of tools only\n"
        "note: a call that the server answers with an error keeps its charge here; Intercept gives it back\n"
        f"`{file}` is converted: 2 rules, exact in meaning\n"
    )


def test_what_cannot_be_said_exactly_is_refused_with_the_reason(run: Run, home: Home) -> None:
    file = written(home, BAD)
    ran = run("policy", "convert", str(file))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"{file}:5: /tools/push/rules/0 `not main`: refused: it would refuse more here: "
        "a value of `args.branch` of another type than what it must not be is refused\n"
        f"error: `{file}` is not converted: 1 refusal\n"
        "hint: --tighter takes what would refuse more here\n"
    )
    ran = run("policy", "convert", "--tighter", str(file))
    assert ran.code == 0
    assert ran.err.endswith(f"`{file}` is converted: 1 rule, 1 rule tighter than there\n")


def test_json(run: Run, home: Home) -> None:
    ran = run("policy", "convert", "--json", str(written(home, GOOD)))
    found = json.loads(ran.out)
    assert (ran.code, ran.err, found["converted"]) == (0, "", True)
    assert found["rules"][1] == {
        "pointer": "/tools/pay/rules/1",
        "line": 8,
        "name": "",
        "status": "exact",
        "to": ["/tools/pay/limits/0"],
        "why": "",
    }
    assert json.loads(run("policy", "convert", "--json", str(written(home, BAD))).out)["policy"] is None


def test_what_is_no_yaml(run: Run, home: Home) -> None:
    file = written(home, "a: [")
    ran = run("policy", "convert", str(file))
    assert ran.code == 3
    assert ran.err.startswith(f"error: document `{file}` has 1 mistake and is not taken\n{file}:1:5: not valid YAML: ")
    other = written(home, "{}", "their.json")
    assert run("policy", "convert", str(other)).err == (
        f"error: `{other}` is not named like YAML\nhint: Intercept's documents end in `.yaml`\n"
    )
