"""What the gateway was told, by whom it is overridden, and what it keeps to itself; the log."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import APP
from tests import warm
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, Json
from tests.e2e.scripted import Scripted, said

SECRET = "s3cr3t-Value-9000"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


def settings_file(home: Home, **settings: Json) -> None:
    home.config.mkdir(exist_ok=True)
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    (home.config / "settings.toml").write_text("\n".join(lines), encoding="utf-8")


def run(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`run` with nothing to read; what it said, and its exit code."""
    words = [sys.executable, "-m", "gateway", "run", *arguments]
    return warm.run(words, stdin=subprocess.DEVNULL, env=home.variables(), timeout=PATIENCE)


# --- who is heard -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("from_file", "variable", "flag", "heard"),
    [
        ("file", "variable", "flag", "flag"),
        ("file", "variable", None, "variable"),
        ("file", None, None, "file"),
        ("file", None, "flag", "flag"),
    ],
)
def test_a_flag_goes_before_a_variable_before_the_file(
    home: Home, upstream: Scripted, from_file: str, variable: str | None, flag: str | None, heard: str
) -> None:
    settings_file(home, grant=from_file)
    if variable is not None:
        home.environment["KEYID_GATEWAY_GRANT"] = variable
    flags = () if flag is None else ("--grant", flag)
    with Gateway(home, upstream.url, *flags, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        gateway.call("one")
        gateway.wait_for_error(f"grant {heard}, upstream {upstream.url}")
    assert {record.grant for record in home.records()} == {heard}


def test_what_nobody_knows_is_refused_and_the_nearest_word_is_offered(home: Home) -> None:
    misspelt = run(home, "--polcy", "x")
    assert (misspelt.returncode, misspelt.stdout) == (2, "")
    assert "--policy" in misspelt.stderr
    home.environment["KEYID_GATEWAY_POLCY"] = "x"
    misspelt = run(home)
    assert (misspelt.returncode, misspelt.stdout) == (3, "")
    assert misspelt.stderr == (
        "error: unknown setting `KEYID_GATEWAY_POLCY` in the environment\nhint: did you mean `KEYID_GATEWAY_POLICY`?\n"
    )
    home.environment.clear()
    settings_file(home, polcy="x")
    misspelt = run(home)
    assert (misspelt.returncode, misspelt.stdout) == (3, "")
    assert misspelt.stderr == (
        f"error: `{home.config / 'settings.toml'}`: unknown setting `polcy`\nhint: did you mean `policy`?\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--upstream", "ftp://example.com"], "--upstream: an http:// or https:// URL is needed"),
        (["--upstream", "https://user:pass@example.com"], "--upstream: credentials do not belong in the URL"),
        (["--call-timeout", "soon"], "--call-timeout: a number of seconds above 0 and up to 86400 is needed"),
        (["--header", "Authorization: env:NOT_SET_ANYWHERE"], "the environment variable `NOT_SET_ANYWHERE` is not set"),
    ],
)
def test_a_flag_that_makes_no_sense_is_a_mistake_of_use(home: Home, arguments: list[str], message: str) -> None:
    refused = run(home, *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert message in refused.stderr
    assert "hint: " in refused.stderr
    assert "pass@" not in refused.stderr


# --- what is kept to itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["env", "file", "literal", "variable", "settings file"])
def test_a_credential_reaches_the_upstream_and_nothing_else(home: Home, upstream: Scripted, kind: str) -> None:
    upstream.forget()
    value = f"Bearer {SECRET}"
    held = home.path / "token"
    arguments = {
        "env": ("--header", "Authorization: env:MY_TOKEN"),
        "file": ("--header", f"Authorization: file:{held}"),
        "literal": ("--header", f"Authorization: {value}"),
    }.get(kind, ())
    held.write_text(f"{value}\n", encoding="utf-8")
    home.environment["MY_TOKEN"] = value
    if kind == "variable":
        home.environment["KEYID_GATEWAY_HEADER"] = f"Authorization: {value}"
    if kind == "settings file":
        settings_file(home, header=["X-Other: fine", "Authorization: env:MY_TOKEN"])
    with Gateway(home, upstream.url, "--log-level", "debug", *arguments, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        assert gateway.call("one") == said("one ran")
        assert gateway.close() == 0
    assert {asked.headers["authorization"] for asked in upstream.asked("tools/call")} == {value}
    warning = "the value of header `Authorization` stands in the settings themselves"
    assert (warning in gateway.errors) == (kind in ("literal", "variable"))
    assert SECRET not in gateway.errors
    kept = [file for file in home.path.iterdir() if file.is_file() and file != held]
    assert {file.name for file in kept} >= {"gateway.log", "state.db"}
    assert all(SECRET.encode() not in file.read_bytes() for file in kept)


def test_a_header_that_is_no_credential_may_stand_in_the_settings(home: Home, upstream: Scripted) -> None:
    upstream.forget()
    flags = ("--header", "X-Team: blue", "--header", "X-Region: north: east")
    with Gateway(home, upstream.url, *flags, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        assert gateway.close() == 0
        assert "stands in the settings themselves" not in gateway.errors
    headers = upstream.asked("initialize")[0].headers
    assert (headers["x-team"], headers["x-region"]) == ("blue", "north: east")


def test_arguments_and_answers_are_in_neither_the_log_nor_the_audit(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, "--log-level", "debug", policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        gateway.call("one", {"password": SECRET})
        assert gateway.close() == 0
    assert SECRET not in gateway.errors
    files = [file for file in home.path.iterdir() if file.is_file()]
    assert all(SECRET.encode() not in file.read_bytes() for file in files)
    assert home.records()[0].argument_names == ("password",)


def test_the_id_of_the_upstreams_session_is_not_logged(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, "--log-level", "debug", policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        gateway.call("one")
        assert gateway.close() == 0
    assert f"session-{upstream.sessions}" not in gateway.errors


# --- the log ----------------------------------------------------------------------------------------------------------


def test_the_log_is_on_standard_error_and_in_a_file_of_its_own(home: Home, upstream: Scripted) -> None:
    file = home.path / "logs" / "here" / "gateway.log"
    with Gateway(home, upstream.url, "--log-file", str(file), policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        gateway.call("one")
        assert gateway.close() == 0
        assert gateway.rest() == []
    assert "keyid-gateway: INFO: policy in force: " in gateway.errors
    assert "policy in force: " in file.read_text(encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_log_level_is_the_one_asked_for(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, "--log-level", "error", policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        gateway.call("one")
        assert gateway.close() == 0
    assert gateway.errors == ""


def test_a_log_file_that_cannot_be_written_is_said_and_costs_nothing_else(home: Home, upstream: Scripted) -> None:
    (home.path / "blocked").write_bytes(b"")
    with Gateway(home, upstream.url, "--log-file", str(home.path / "blocked" / "log"), policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        assert gateway.call("one") == said("one ran")
        assert gateway.close() == 0
    assert gateway.errors.count(f"the log file `{home.path / 'blocked' / 'log'}` cannot be written: ") == 1


def test_no_state_and_no_log_are_looked_for_elsewhere(home: Home, upstream: Scripted) -> None:
    """With nothing said, they are in this platform's folders for the user."""
    home.environment.update(
        {name: str(home.path / "xdg") for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    )
    environment = {name: value for name, value in home.variables().items() if not name.startswith("KEYID_GATEWAY_")}
    with subprocess.Popen(
        Gateway.command(upstream.url),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
        cwd=Path(__file__).parents[2],
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"one"}}\n')
        process.stdin.flush()
        assert b"is not permitted by policy" in process.stdout.readline()
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    found = {file.name for file in (home.path / "xdg").rglob("*") if file.is_file()}
    assert {"state.db", "gateway.log"} <= found
    assert any(APP in str(folder) for folder in (home.path / "xdg").rglob("*"))
