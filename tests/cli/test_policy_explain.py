import json
import re

import pytest

from gateway.policy import load
from gateway.standin import Standin
from tests.cli.conftest import TOKEN, Home, Run

DOCUMENT = """\
{
  "version": "1",
  "default": "deny",
  "hide": ["delete_file"],
  "tools": {
    "get_identity": {},
    "get_file": { "validate": { "required_args": true } },
    "get_secret": {
      "limits": [{ "counter": "secrets", "window": "day", "max": 1, "scope": "grant" }]
    },
    "web_search": { "rate_limit": "5/hour" },
    "send_email": {
      "require": [{ "conditions": [{ "path": "args.to", "op": "regex", "value": "@example\\\\.com$" }] }],
      "deny_if": [{"on_deny": "No blind copies.", "conditions": [{"path": "args.bcc", "op": "exists", "value": true}]}]
    },
    "set_auto_reply": { "action": "require_approval" }
  }
}
"""
MAIL = '{"to": "ada@example.com", "bcc": ["eve@example.net"]}'


@pytest.fixture(autouse=True)
def policy(home: Home) -> str:
    return str(home.write_policy(DOCUMENT))


def test_a_denied_call(run: Run, policy: str) -> None:
    ran = run("policy", "explain", "send_email", MAIL)
    assert (ran.code, ran.err) == (1, "")
    assert ran.out == (
        f"`send_email` under `{policy}`: denied\n"
        "the agent reads: [POLICY DENIED] No blind copies.\n"
        "\n"
        "   check      value  line  rule\n"
        "   announced  yes\n"
        "   hidden     no\n"
        "   permitted  yes    12    /tools/send_email\n"
        "   require    true   13    /tools/send_email/require/0\n"
        '              true           args.to regex "@example\\\\.com$": "ada@example.com"\n'
        ">  deny_if    true   14    /tools/send_email/deny_if/0\n"
        '              true           args.bcc exists true: ["eve@example.net"]\n'
        "\n"
        f"decided by: /tools/send_email/deny_if/0 ({policy}:14)\n"
        "what would change it: make `args.bcc exists true` not hold (line 14)\n"
    )


def test_an_allowed_call(run: Run, policy: str) -> None:
    ran = run("policy", "explain", "get_identity")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"`get_identity` under `{policy}`: allowed\n"
        "\n"
        "   check      value  line  rule\n"
        "   announced  yes\n"
        "   hidden     no\n"
        "   permitted  yes    6     /tools/get_identity\n"
        "\n"
        f"decided by: /tools/get_identity ({policy}:6)\n"
        "nothing has to change: the call is relayed once its limits are reserved\n"
    )


def test_a_repeat_is_shown_with_what_it_lets_through(run: Run, home: Home) -> None:
    loop = '{"version": "1", "default": "allow", "all_tools": {"repeat": {"max": 3, "window": 60}}}'
    path = home.write_policy(loop)
    ran = run("policy", "explain", "get_identity")
    assert ran.code == 0
    assert (
        "   repeat     open   1     /all_tools/repeat\n"
        "                             3 in 60 s with the same arguments, in each session\n"
    ) in ran.out, path


@pytest.mark.parametrize(
    ("words", "rule", "change"),
    [
        (["delete_file"], "(hidden)", "take `delete_file` out of `hide` (line 4)"),
        (["get_page"], "(default deny)", "name `get_page` under `tools`, or set `default` to `allow` (line 3)"),
        (["get_file"], "/tools/get_file/validate/required_args", "give `args.key`, which the tool requires (line 7)"),
    ],
)
def test_what_would_change_a_denial(run: Run, words: list[str], rule: str, change: str) -> None:
    ran = run("policy", "explain", *words)
    assert ran.code == 1
    assert f"decided by: {rule}" in ran.out
    assert ran.out.endswith(f"what would change it: {change}\n")


def test_a_call_that_needs_a_person_is_refused_and_says_so(run: Run, policy: str) -> None:
    ran = run("policy", "explain", "set_auto_reply", '{"enabled": true}')
    assert ran.code == 1
    assert ran.out.startswith(
        f"`set_auto_reply` under `{policy}`: needs a person's approval (`keyid-gateway approvals`)\n"
        "the agent reads: [APPROVAL REQUIRED] "
    )


def test_a_limit_that_is_used_up_denies(run: Run, home: Home) -> None:
    open_ = run("policy", "explain", "get_secret", '{"key": "a"}')
    assert open_.code == 0
    assert "0 of 1 per day used" in open_.out
    home.remember(limits=load(DOCUMENT.encode(), name="p").entries["get_secret"].limits)
    used = run("policy", "explain", "get_secret", '{"key": "a"}')
    assert used.code == 1
    assert "[POLICY DENIED] Rate limit of 1 per day reached. Try again in " in used.out
    assert re.search(r"^>  limit +used up +9 +/tools/get_secret/limits/0$", used.out, re.MULTILINE)
    assert "1 of 1 per day used, resets " in used.out
    assert re.search(r"^what would change it: raise `max` \(line 9\), or wait [\w ]+$", used.out, re.MULTILINE)


def test_a_limit_of_a_session_begins_anew(run: Run) -> None:
    assert "5 per hour, in each session" in run("policy", "explain", "web_search", '{"query": "a"}').out


def test_json(run: Run, policy: str) -> None:
    ran = run("policy", "explain", "send_email", MAIL, "--json")
    assert ran.code == 1
    found = json.loads(ran.out)
    assert sorted(found) == ["change", "decision", "limits", "obstacles", "policy", "steps", "tool"]
    assert found["policy"]["name"] == policy
    assert found["decision"] == {
        "effect": "deny",
        "rule": "/tools/send_email/deny_if/0",
        "reason": "deny_if",
        "message": "No blind copies.",
        "retry_after_seconds": None,
        "line": 14,
    }
    (decided,) = [step for step in found["steps"] if step["decided"]]
    assert decided["rule"] == "/tools/send_email/deny_if/0"
    assert decided["conditions"] == [
        {"path": "args.bcc", "op": "exists", "operand": "true", "value": "true", "found": '["eve@example.net"]'}
    ]


def test_json_of_limits(run: Run) -> None:
    found = json.loads(run("policy", "explain", "get_secret", '{"key": "a"}', "--json").out)
    assert found["limits"] == [
        {
            "rule": "/tools/get_secret/limits/0",
            "counter": "secrets",
            "max": 1,
            "window": "day",
            "scope": "grant",
            "used": 0,
            "resets_at": None,
        }
    ]


HINT = 'hint: write it in single quotes, so that the shell leaves it alone: \'{"to": "ada@example.com"}\'\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{to: 1}", "error: `{to: 1}` is not valid JSON\n"),
        ("[1]", "error: `[1]` is not a JSON object\n"),
        ('{"a": 1, "a": 2}', 'error: `{"a": 1, "a": 2}` is not valid JSON\n'),
        ("", "error: `` is not valid JSON\n"),
    ],
)
def test_arguments_that_are_no_object(run: Run, text: str, message: str) -> None:
    ran = run("policy", "explain", "send_email", text)
    assert (ran.code, ran.out, ran.err) == (2, "", message + HINT)


def test_a_name_that_nobody_knows_is_doubted(run: Run) -> None:
    ran = run("policy", "explain", "get_secrt")
    assert ran.err == (
        "note: `get_secrt` is taken as announced, but nothing is known of it; did you mean `get_secret`?\n"
    )
    assert run("policy", "explain", "\x1bxyzzy").err == (
        "note: `\\x1bxyzzy` is taken as announced, but nothing is known of it; --live asks the server\n"
    )


def test_an_invalid_policy_is_reported_whole(run: Run, home: Home) -> None:
    home.write_policy('{"version": "1"}')
    ran = run("policy", "explain", "get_identity")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith(f"error: policy `{home.policy}` has 1 mistake and is not taken\n")


def test_live_asks_the_server(run: Run, standin: Standin) -> None:
    where = ["--upstream", standin.url, "--header", f"Authorization: Bearer {TOKEN}", "--live"]
    assert run("policy", "explain", "get_identity", *where).code == 0
    missing = run("policy", "explain", "get_everything", *where)
    assert missing.code == 1
    assert "decided by: (unknown tool)\n" in missing.out
    assert "give `args.key`" in run("policy", "explain", "get_file", *where).out


def test_live_without_a_server(run: Run) -> None:
    ran = run("policy", "explain", "get_identity", "--live")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == (
        "error: `http://127.0.0.1:1/mcp` cannot be reached: connection refused\n"
        "hint: check `--upstream` and the network; is the server running?\n"
    )


def test_everything_that_stands_in_the_way(run: Run, policy: str) -> None:
    mail = '{"to": "ada@example.net", "bcc": ["eve@example.net"]}'
    ran = run("policy", "explain", "send_email", mail, "--why-not", "allow")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out == (
        f"`send_email` under `{policy}`: denied\n"
        "to be allowed, all of this would have to change:\n"
        '  1. make `args.to regex "@example\\\\.com$"` hold (line 13)\n'
        "  2. make `args.bcc exists true` not hold (line 14)\n"
    )


def test_what_hides_and_what_is_not_named_both_stand_in_the_way(run: Run) -> None:
    ran = run("policy", "explain", "delete_file", "--why-not", "allow")
    assert ran.out.splitlines()[2:] == [
        "  1. take `delete_file` out of `hide` (line 4)",
        "  2. name `delete_file` under `tools`, or set `default` to `allow` (line 3)",
    ]
    found = json.loads(run("policy", "explain", "delete_file", "--json").out)
    assert len(found["obstacles"]) == 2


def test_a_used_up_limit_stands_in_the_way(run: Run, home: Home) -> None:
    limits = load(home.policy.read_bytes(), name="p").entries["get_secret"].limits
    home.remember(limits=limits)
    ran = run("policy", "explain", "get_secret", "--why-not", "allow")
    assert ran.code == 1
    assert re.fullmatch(r"  1\. raise `max` \(line 9\), or wait .*", ran.out.splitlines()[2])


def test_nothing_stands_in_the_way(run: Run, policy: str) -> None:
    ran = run("policy", "explain", "get_identity", "--why-not", "allow")
    assert (ran.code, ran.out) == (0, f"`get_identity` under `{policy}`: allowed\nnothing stands in the way\n")
