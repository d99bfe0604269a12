"""Settings under a name, as a person keeps them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.standin import Standin
from tests.cli.conftest import TOKEN, Home, Run
from tests.e2e.process import PATIENCE

ROOT = Path(__file__).parents[2]

GITHUB = "https://api.githubcopilot.com/mcp/"


@pytest.fixture(autouse=True)
def nothing_set(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment would say goes before any profile."""
    assert home.folder.is_dir()
    for name in ("UPSTREAM", "GRANT"):
        monkeypatch.delenv(f"KEYID_GATEWAY_{name}")


def settings(home: Home) -> Path:
    return home.policy.parent / "settings.toml"


def test_at_first_there_is_one(run: Run, home: Home) -> None:
    shown = json.loads(run("profiles", "list", "--json").out)
    assert {**shown, "profiles": None} == {
        "file": str(settings(home)),
        "in_use": "keyid",
        "from": "default",
        "profiles": None,
    }
    (keyid,) = shown["profiles"]
    assert (keyid["name"], keyid["built_in"], keyid["in_use"], keyid["policy"]) == ("keyid", True, True, None)
    assert keyid["upstream"] == "https://keyid.ai/mcp"


def test_one_is_added_looked_at_used_and_removed(run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["add", "github", "--upstream", GITHUB, "--header", "Authorization: env:GITHUB_AUTHORIZATION"]
    ran = run("profiles", *words, "--policy", str(home.folder / "gh.json"), "--call-timeout", "60")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"wrote profile github into `{settings(home)}`\n"
        "next:\n"
        "  `keyid-gateway tools --profile github` shows what each tool may do\n"
        "  a client starts it with `run --profile github`\n"
    )
    monkeypatch.setenv("KEYID_GATEWAY_PROFILE", "github")
    listed = run("profiles", "list").out.splitlines()
    assert [line.split() for line in listed[1:3]] == [
        ["keyid", "https://keyid.ai/mcp", "policy.json,", "else", "the", "built-in", "pack", listed[1].split()[-1]],
        ["*", "github", GITHUB, str(home.folder / "gh.json"), "github"],
    ]
    assert listed[4] == "in use: github (KEYID_GATEWAY_PROFILE)"
    shown = {row["name"]: row for row in json.loads(run("profiles", "show", "--json").out)["settings"]}
    assert shown["header"]["values"] == ["Authorization: env:GITHUB_AUTHORIZATION"]
    assert (shown["call_timeout"]["values"], shown["call_timeout"]["origin"]) == (["60"], "profile")
    assert (shown["state"]["from"], shown["max_depth"]["values"]) == ("KEYID_GATEWAY_STATE", None)
    assert run("whoami").err == (
        "error: settings.toml: profiles.github.header: the environment variable `GITHUB_AUTHORIZATION` is not set\n"
        "hint: it has to be there when the gateway starts; or name another place: `env:VARIABLE`, `file:PATH`, "
        "`keyring:SERVICE/NAME`\n"
    )
    monkeypatch.setenv("GITHUB_AUTHORIZATION", "Bearer s3cret")
    assert run("whoami").out == f"{GITHUB} is shown the header `Authorization` of the settings\n"
    assert "s3cret" not in run("profiles", "show").out
    assert run("profiles", "remove", "github").out == f"removed profile github from `{settings(home)}`\n"
    assert run("whoami").err.startswith("error: KEYID_GATEWAY_PROFILE: there is no profile `github`\n")


def test_show_says_where_every_value_comes_from(run: Run, home: Home) -> None:
    settings(home).parent.mkdir()
    settings(home).write_text(
        "max_depth = 64\n[profiles.work]\nheader = ['Authorization: s3cret']\nupstream = 'https://w.example/?s3cret'\n",
        encoding="utf-8",
    )
    ran = run("profiles", "show", "work")
    assert (ran.code, ran.err) == (0, "")
    rows = {cells[0]: cells[1:] for line in ran.out.splitlines()[3:] if (cells := line.split("  ")) and line}
    said = {name: [cell.strip() for cell in cells if cell] for name, cells in rows.items()}
    assert said["upstream"] == ["https://w.example/?***", "settings.toml: profiles.work.upstream"]
    assert said["header"] == ["Authorization: ***", "settings.toml: profiles.work.header"]
    assert said["max_depth"] == ["64", "settings.toml: max_depth"]
    assert said["state"] == [str(home.state), "KEYID_GATEWAY_STATE"]
    assert said["call_timeout"] == ["330", "default"]
    assert "s3cret" not in run("profiles", "show", "work", "--json").out + ran.out


def test_what_the_environment_says_for_all_of_them_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYID_GATEWAY_UPSTREAM", "https://elsewhere.example/mcp")
    ran = run("profiles", "list")
    assert "elsewhere" not in ran.out
    assert ran.err == "note: set for all of them in the environment: KEYID_GATEWAY_UPSTREAM\n"


def test_a_profile_without_a_policy_is_told_how_to_get_one(run: Run, home: Home) -> None:
    init = f"keyid-gateway policy init --live {home.policy.with_name('local.json')} --profile local"
    assert run("profiles", "add", "local", "--upstream", "http://127.0.0.1:8000/mcp").out.splitlines()[2:4] == [
        f"  `{init}` makes a policy of the server's tools;",
        '  then `policy = "local.json"` in the profile puts it in force',
    ]
    assert 'grant = "local"' in settings(home).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["add", "a"], "error: `--upstream` is missing\nhint: which server is the profile for? `--upstream URL`\n"),
        (
            ["add", "a", "--upstream", "ftp://x"],
            (
                "error: --upstream: an http:// or https:// URL is needed\n"
                "hint: --upstream URL: the MCP server to guard, over streamable HTTP\n"
            ),
        ),
        (
            ["show", "kyid"],
            (
                "error: --profile: there is no profile `kyid`\n"
                "hint: did you mean `keyid`? there is `keyid`; `keyid-gateway profiles add` makes another\n"
            ),
        ),
        (["remove", "keyid"], "error: profile `keyid` is built in\nhint: it stays; nothing is written of it\n"),
        (
            ["add", "keyid", "--upstream", "http://a.example/mcp"],
            (
                "error: profile `keyid` is built in\n"
                "hint: another name makes a new one; --replace writes over this one\n"
            ),
        ),
        (["show", ""], "error: a profile has a name\nhint: `keyid-gateway profiles list` has them all\n"),
    ],
)
def test_what_makes_no_sense(run: Run, home: Home, words: list[str], message: str) -> None:
    ran = run("profiles", *words)
    assert (ran.code, ran.out, ran.err) == (2, "", message)
    assert not settings(home).exists()


def test_an_unknown_profile_in_the_environment_does_not_keep_it_from_being_made(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYID_GATEWAY_PROFILE", "new")
    assert run("profiles", "add", "new", "--upstream", "http://127.0.0.1:8000/mcp", "--json").code == 0
    assert json.loads(run("profiles", "list", "--json").out)["in_use"] == "new"


def test_run_serves_the_server_of_the_profile(home: Home, standin: Standin) -> None:
    settings(home).parent.mkdir()
    settings(home).write_text(
        f"[profiles.here]\nupstream = '{standin.url}'\nheader = ['Authorization: env:OF_THE_PROFILE']\n",
        encoding="utf-8",
    )
    info = {"name": "n", "version": "1"}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
    opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "run", "--profile", "here"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OF_THE_PROFILE": f"Bearer {TOKEN}"},
        cwd=home.folder,
        input=json.dumps(opening) + "\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["result"]["serverInfo"]["name"] == "keyid-standin"
    assert f"upstream {standin.url}" in done.stderr
    assert TOKEN not in done.stderr + home.log.read_text(encoding="utf-8")


def test_run_says_that_there_is_no_such_profile(home: Home) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "run", "--profile", "gone"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=home.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --profile: there is no profile `gone`\nhint: there is `keyid`;")
