import json
import re

import pytest
from rich.console import Console

from gateway.cli import screen
from gateway.policy import Limit, load
from tests.cli.conftest import SERVER, Home, Run

DOCUMENT = """
{
  "version": "1",
  "default": "deny",
  "all_tools": { "limits": [{ "counter": "calls", "window": "hour", "max": 100, "scope": "grant" }] },
  "tools": {
    "get_secret": { "limits": [{ "counter": "secrets", "window": "day", "max": 1, "scope": "grant" }] },
    "get_file": { "rate_limit": { "max": 10, "window": 60 } }
  }
}
"""
CLOCK = r"\(\d\d:\d\d:\d\d\)"


def _limits(document: str = DOCUMENT) -> dict[str, Limit]:
    policy = load(document.encode(), name="p")
    entries = [*policy.entries.values(), policy.all_tools]
    return {entry.key: limit for entry in entries for limit in entry.limits}


def test_a_fresh_home_has_nothing_used(run: Run, home: Home) -> None:
    home.write_policy(DOCUMENT)
    ran = run("limits")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"nothing is used of the 3 limits of `{home.policy}`\n"
        f"there is no state file yet (`{home.state}`)\n"
        "next: `keyid-gateway tools` lists the limits of each tool\n"
    )


def test_a_state_without_counters(run: Run, home: Home) -> None:
    home.write_policy(DOCUMENT)
    home.remember()
    assert "there is no state file" not in run("limits").out


def test_a_policy_without_limits(run: Run, home: Home) -> None:
    home.write_policy('{"version": "1", "default": "allow"}')
    assert run("limits").out == f'`{home.policy}` has no limits\nnext: give a tool one: `"rate_limit": "30/hour"`\n'


def test_what_is_used_of_what_and_when_it_is_free_again(run: Run, home: Home) -> None:
    home.write_policy(DOCUMENT)
    limits = _limits()
    home.remember(limits=[limits["get_secret"], limits["get_file"], limits["all_tools"]])
    ran = run("limits")
    assert ran.code == 0
    head, secret, file, every, blank = ran.out.splitlines()
    assert re.fullmatch(r"limit of +used +all free again \(\w+\) +counted for", head)
    assert re.fullmatch(rf"get_secret +1 of 1 per day +in [\w ]+ {CLOCK} +grant me", secret)
    assert re.fullmatch(rf"get_file +1 of 10 per 60 seconds +in [\w ]+ {CLOCK} +session s1", file)
    assert re.fullmatch(rf"all tools +1 of 100 per hour +in [\w ]+ {CLOCK} +grant me", every)
    assert blank == ""


def _terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    def console(*, wide: bool = False) -> Console:
        return Console(width=1000 if wide else width, highlight=False, force_terminal=False, no_color=True)

    monkeypatch.setattr(screen, "console", console)


def test_a_narrow_terminal_keeps_what_resets_when(run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "complete_registration_session"
    document = DOCUMENT.replace("get_secret", name)
    home.write_policy(document)
    limits = _limits(document)
    home.remember(limits=[limits[name], limits["all_tools"]])
    _terminal(monkeypatch, 80)
    head, secret, _, blank, unused = run("limits").out.splitlines()
    assert re.fullmatch(r"limit of +used +all free again +counted for", head)
    assert re.fullmatch(rf"{name} +1 of 1 per day +in [\w ]+ +grant me", secret)
    assert (blank, unused) == ("", f"1 other limit of `{home.policy}` unused")
    _terminal(monkeypatch, 66)
    head, secret, _, _, whom, _ = run("limits").out.splitlines()
    assert re.fullmatch(r"limit of +used +all free again", head)
    assert re.fullmatch(rf"{name} +1 of 1 per day +in [\w ]+", secret)
    assert whom == "for whom each is counted: in a wider terminal, through a pipe, or with --json"


def test_counters_of_one_name_are_told_apart(run: Run, home: Home) -> None:
    document = {
        "version": "1",
        "default": "allow",
        "all_tools": {
            "limits": [
                {"counter": name, "window": "hour", "max": 9, "scope": "grant"} for name in ("calls", "money spent")
            ]
        },
    }
    home.write_policy(json.dumps(document))
    home.remember(limits=load(json.dumps(document).encode(), name="p").all_tools.limits)
    _, calls, money, _ = run("limits").out.splitlines()
    assert calls.startswith("all tools (calls) ")
    assert money.startswith("all tools (money spent) ")


def test_a_counter_that_the_policy_does_not_know_any_more(run: Run, home: Home) -> None:
    home.remember(limits=[_limits()["get_secret"]])
    home.write_policy('{"version": "1", "default": "deny", "tools": {"get_secret": {"rate_limit": "5/hour"}}}')
    assert "1 per day (no maximum now)" in run("limits").out
    (row,) = json.loads(run("limits", "--json").out)["limits"]
    assert (row["used"], row["max"], row["left"]) == (1, None, None)


def test_counters_of_others_have_no_maximum_here(run: Run, home: Home) -> None:
    home.write_policy(DOCUMENT)
    home.remember(limits=[_limits()["get_secret"]])
    assert json.loads(run("limits", "--grant", "you", "--json").out)["limits"][0]["max"] is None
    assert "1 per day (another grant)" in run("limits", "--grant", "you").out
    elsewhere = run("limits", "--upstream", "https://other.example/mcp").out
    assert "1 per day (another server)" in elsewhere
    assert "the maximum of another grant or server: with `--profile`, `--grant` or `--upstream`\n" in elsewhere
    assert "another" not in run("limits").out
    beyond = run("limits", "--upstream", "https://else.example/mcp").out
    assert beyond.splitlines()[0] == f"at {SERVER}:"
    assert "\nget_secret " in beyond


def test_json(run: Run, home: Home) -> None:
    home.write_policy(DOCUMENT)
    home.remember(limits=[_limits()["get_secret"]])
    found = json.loads(run("limits", "--json").out)
    (row,) = found["limits"]
    assert (found["grant"], found["server"], found["policy"]["name"]) == ("me", SERVER, str(home.policy))
    assert row["next_free_at"] == row["resets_at"]
    assert 0 <= row.pop("resets_in_seconds") <= 86_400
    assert row.pop("next_free_at") % 86_400 == row.pop("resets_at") % 86_400 == 0
    assert row == {
        "tools_key": "get_secret",
        "counter": "secrets",
        "window": "day",
        "window_seconds": 86_400,
        "strategy": "fixed",
        "scope": "grant",
        "owner": "me",
        "per": None,
        "server": SERVER,
        "used": 1,
        "max": 1,
        "left": 0,
    }


def test_json_of_nothing(run: Run) -> None:
    assert json.loads(run("limits", "--json").out)["limits"] == []


@pytest.mark.parametrize("content", [b"junk" * 100, None])
def test_a_state_file_that_is_none(run: Run, home: Home, content: bytes | None) -> None:
    if content is None:
        home.state.mkdir()
    else:
        home.state.write_bytes(content)
    ran = run("limits")
    assert (ran.code, ran.out) == (5, "")
    said = "cannot be opened" if content is None else "is not a state file"
    assert ran.err.startswith(f"error: the state file `{home.state}` {said}\nhint: ")


def test_a_grant_that_used_a_file_is_not_shown_the_built_in_pack(run: Run, home: Home) -> None:
    home.remember(policy_of_me="/somewhere/policy.json")
    ran = run("limits")
    assert (ran.code, ran.out) == (3, "")
    assert "error: policy file `/somewhere/policy.json` does not exist" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["limits"], "`{file}` has no limits"),
        (["policy", "check"], "`{file}` is valid: 1 tool named"),
        (["policy", "explain", "get_identity"], "`get_identity` under `{file}`: allowed"),
    ],
)
def test_the_file_that_a_grant_used_last_is_looked_at(run: Run, home: Home, words: list[str], said: str) -> None:
    file = home.folder / "mine.json"
    file.write_text('{"version": "1", "default": "deny", "tools": {"get_identity": {}}}', encoding="utf-8")
    home.remember(policy_of_me=str(file))
    ran = run(*words)
    assert ran.code == 0
    assert ran.out.startswith(said.format(file=file))
    assert ran.err == (
        f"note: looking at `{file}`, which judged grant `me` last; `run` refuses every call unless a policy is given\n"
    )
    assert run(*words, "--policy", "builtin:recommended").err == ""
    home.write_policy(file.read_text(encoding="utf-8"))
    assert run(*words).err == ""
