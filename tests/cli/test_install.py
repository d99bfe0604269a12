"""`install` and `uninstall`: one entry of a client's config, put in, wrapped, taken out; everything else as it was."""

import io
import json
import stat
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.cli.launch import command_words
from gateway.clients import BY_NAME, System
from tests.cli.conftest import Home, Run

URL = "https://mcp.example.com/mcp"


class Machine(NamedTuple):
    """A home folder in which no client is, until a test puts one there."""

    home: Path

    def file(self, client: str) -> Path:
        """The config file of a client, whose folder is made."""
        place = BY_NAME[client].places(System("linux", {}, self.home))[0]
        Path(place.file).parent.mkdir(parents=True, exist_ok=True)
        return Path(place.file)

    def write(self, client: str, text: str) -> Path:
        file = self.file(client)
        file.write_bytes(text.encode())
        return file


@pytest.fixture
def machine(home: Home, monkeypatch: pytest.MonkeyPatch) -> Machine:
    folder = home.folder / "kim"
    folder.mkdir()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name in home.environment:
        if not name.endswith("CONFIG_DIR"):
            monkeypatch.delenv(name)
    return Machine(folder)


def entry_of(file: Path, client: str, name: str = "keyid") -> Any:
    return json.loads(file.read_text("utf-8"))[BY_NAME[client].key][name]


def kept_of(home: Home) -> list[Path]:
    folder = home.policy.parent / "backups"
    return sorted(found for found in folder.iterdir() if found.name != "lock") if folder.exists() else []


@pytest.mark.parametrize("client", list(BY_NAME))
def test_each_client_gets_an_entry_in_its_form_once(run: Run, home: Home, machine: Machine, client: str) -> None:
    file = machine.file(client)
    ran = run("install", client, "--yes")
    assert ran.code == 0, ran.err
    command, *rest = command_words()
    assert entry_of(file, client) == {
        **BY_NAME[client].fields,
        "command": command,
        "args": [*rest, "run"],
        "env": {"KEYID_GATEWAY_CONFIG_DIR": str(home.policy.parent)},
    }
    assert Path(command).is_absolute()
    assert f"keyid is in {BY_NAME[client].title}'s config\n" in ran.out
    assert f"  next: {BY_NAME[client].afterwards}\n" in ran.out
    before = file.read_bytes()
    again = run("install", client, "--yes")
    assert (again.code, again.out) == (0, f"keyid is in {BY_NAME[client].title}'s config already\n")
    assert file.read_bytes() == before
    assert kept_of(home) == []
    gone = run("uninstall", client, "--yes")
    assert gone.code == 0, gone.err
    assert json.loads(file.read_text("utf-8")) == {BY_NAME[client].key: {}}


REAL = {
    "claude-desktop": (
        '{\n  "globalShortcut": "Alt+Space",\n  "mcpServers": {\n    "filesystem": {\n      "command": "npx",\n'
        '      "args": [\n        "-y",\n        "@modelcontextprotocol/server-filesystem",\n        "/Users/kim"\n'
        '      ]\n    }\n  },\n  "preferences": {"x": 1.0}\n}'
    ),
    "claude-code": (
        '{\n  "numStartups": 41,\n  "userID": "abc",\n  "projects": {\n    "/home/kim/p": {\n      "mcpServers": {}\n'
        '    }\n  },\n  "mcpServers": {\n    "github": {\n      "type": "http",\n      "url": "https://api.example.com/mcp/",'
        '\n      "headers": {\n        "Authorization": "Bearer s3cret"\n      }\n    }\n  }\n}\n'
    ),
    "cursor": '{\r\n\t"mcpServers": {\r\n\t\t"a": { "url": "http://localhost:3000/sse" }\r\n\t}\r\n}\r\n',
    "vscode": (
        '{\n\t// mine\n\t"inputs": [\n\t\t{"type": "promptString", "id": "token", "password": true},\n\t],\n'
        '\t"servers": {\n\t\t"memory": {\n\t\t\t"type": "stdio",\n\t\t\t"command": "npx", // from npm\n'
        '\t\t\t"args": ["-y", "server-memory"],\n\t\t},\n\t},\n}\n'
    ),
    "windsurf": (
        '{"mcpServers":{"a":{"serverUrl":"https://x.example/mcp","headers":{"Authorization":"Bearer s3cret"}}}}'
    ),
    "zed": (
        "// Zed settings\n//\n// For information on how to configure Zed, see its documentation\n"
        '{\n  "theme": "One Dark",\n'
        '  "context_servers": {\n    "other": {\n      "source": "custom",\n      "command": "x",\n      "args": [],\n'
        '      "env": {"TOKEN": "s3cret"},\n    },\n  },\n  /* the end */\n}\n'
    ),
    "gemini-cli": (
        '{\n  "theme": "Dracula", // dark\n  "mcpServers": {\n    "gh": {"httpUrl": "https://api.example.com/mcp/",\n'
        '      "headers": {"Authorization": "s3cret"}, "timeout": 5000}\n  }\n}\n'
    ),
    "cline": (
        '{\n  "mcpServers": {\n    "a": {\n      "disabled": true,\n      "command": "a",\n'
        '      "args": []\n    }\n  }\n}'
    ),
    "lm-studio": '\ufeff{\n  "mcpServers": {\n    "hf": {\n      "url": "https://example.co/mcp"\n    }\n  }\n}\n',
}


@pytest.mark.parametrize("client", REAL)
def test_a_file_as_people_have_it_is_the_same_afterwards(run: Run, home: Home, machine: Machine, client: str) -> None:
    text = REAL[client]
    file = machine.write(client, text)
    ran = run("install", client, "--yes")
    assert ran.code == 0, ran.err
    assert "s3cret" not in ran.out + ran.err
    assert "keyid" in file.read_text("utf-8")
    (kept,) = kept_of(home)
    assert kept.read_bytes() == text.encode()
    assert f"  as it was: {kept}\n" in ran.out
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    gone = run("uninstall", client, "--yes")
    assert gone.code == 0, gone.err
    assert "s3cret" not in gone.out + gone.err
    assert file.read_bytes() == text.encode()
    assert run("uninstall", client, "--yes").out == f"the gateway is not in {BY_NAME[client].title}'s config\n"


@pytest.mark.parametrize("client", list(BY_NAME))
@pytest.mark.parametrize("text", ['{\n  "a": ', '{"a": 1}}', "\x00", '{"mcpServers": {"a": undefined}}'])
def test_a_broken_file_is_left_alone(run: Run, home: Home, machine: Machine, client: str, text: str) -> None:
    file = machine.write(client, text)
    for command in ("install", "uninstall"):
        ran = run(command, client, "--yes")
        assert (ran.code, ran.out) == (3, "")
        assert ran.err.startswith(f"error: `{file}` cannot be read (line ")
        assert file.read_bytes() == text.encode()
    assert kept_of(home) == []


def test_where_a_file_is_broken_is_said(run: Run, machine: Machine) -> None:
    file = machine.write("claude-desktop", '{\n  // no\n  "mcpServers": {}\n}')
    assert run("install", "claude-desktop", "--yes").err == (
        f"error: `{file}` cannot be read (line 2, column 3: a comment is not allowed in this file): it is left alone\n"
        "hint: mend it; Claude Desktop may not read it either\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "is left alone: it is not an object"),
        ('{"mcpServers": []}', "is left alone: `mcpServers` is not an object"),
        ('{"mcpServers": {}, "mcpServers": {}}', "is left alone: `mcpServers` stands there 2 times"),
    ],
)
def test_a_file_of_another_form_is_left_alone(run: Run, machine: Machine, text: str, said: str) -> None:
    file = machine.write("cursor", text)
    ran = run("install", "cursor", "--yes")
    assert ran.code == 3
    assert ran.err.startswith(f"error: `{file}` {said}")
    assert file.read_text() == text


def test_what_is_read_only_is_left_alone(run: Run, machine: Machine) -> None:
    file = machine.write("cursor", "{}")
    file.chmod(0o400)
    ran = run("install", "cursor", "--yes")
    assert (ran.code, ran.err) == (
        3,
        f"error: `{file}` is read-only: it is left alone\nhint: chmod u+w '{file}'\n",
    )
    assert run("uninstall", "cursor", "--yes").code == 0


def test_a_client_that_is_not_there(run: Run, machine: Machine) -> None:
    ran = run("install", "claude-desktop", "--yes")
    folder = machine.home / ".config" / "Claude"
    assert ran.code == 3
    assert ran.err == (
        f"error: Claude Desktop is not on this machine: there is no folder `{folder}`\n"
        "hint: start it once, or let `--create` make the folder\n"
    )
    assert run("install", "claude-desktop", "--yes", "--create").code == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert entry_of(folder / "claude_desktop_config.json", "claude-desktop")["args"][-1] == "run"


def test_no_client_at_all(run: Run, machine: Machine) -> None:
    assert machine.home.is_dir()
    ran = run("install")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: no client was found on this machine")
    assert run("uninstall").code == 0


# --- asking -----------------------------------------------------------------------------------------------------------


def answering(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_nothing_is_written_unless_somebody_agrees(run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    file = machine.file("cursor")
    answering(monkeypatch, "\n")
    ran = run("install", "cursor")
    assert (ran.code, ran.out.splitlines()[-1]) == (1, "nothing is written")
    assert '  +    "keyid": {\n' in ran.out
    answering(monkeypatch, "")
    assert run("install", "cursor").code == 2
    assert not file.exists()
    answering(monkeypatch, "y\n")
    assert run("install", "cursor").code == 0
    assert file.exists()


def test_without_a_name_the_clients_here_are_listed(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor, zed = machine.file("cursor"), machine.file("zed")
    answering(monkeypatch, "emacs\nzed\ny\n")
    ran = run("install")
    assert ran.code == 0
    assert f"clients on this machine:\n  cursor           {cursor}\n  zed              {zed}\n" in ran.out
    assert "only names of this list, please" in ran.err
    assert (cursor.exists(), zed.exists()) == (False, True)


def test_where_nobody_answers_it_is_said_how_to_do_without(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = machine.file("cursor")
    answering(monkeypatch, "")
    listed = run("install")
    assert (listed.code, listed.err.splitlines()[-2:]) == (
        2,
        ["error: nobody is there to be asked", "hint: name one or more, or say `--all`"],
    )
    asked = run("install", "cursor")
    assert (asked.code, asked.err.splitlines()[-2:]) == (
        2,
        ["error: nobody is there to be asked", "hint: `--yes` writes without asking, `--dry-run` only shows"],
    )
    assert not file.exists()


def test_ctrl_c_at_the_question_is_no_mistake(run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.file("cursor")
    answering(monkeypatch, "")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    ran = run("install", "cursor")
    assert (ran.code, ran.err.splitlines()[-1]) == (130, "interrupted")


def test_one_that_cannot_be_changed_does_not_keep_the_others_from_it(run: Run, machine: Machine) -> None:
    cursor, zed = machine.write("cursor", "{"), machine.file("zed")
    ran = run("install", "--all", "--yes")
    assert ran.code == 3
    assert f"error: `{cursor}` cannot be read" in ran.err
    assert zed.exists()


def test_a_dry_run_writes_nothing_at_all(run: Run, home: Home, machine: Machine) -> None:
    file = machine.write("vscode", REAL["vscode"])
    ran = run("install", "vscode", "--dry-run")
    assert ran.code == 0
    assert "VS Code: nothing is written (--dry-run)\n" in ran.out
    assert file.read_text() == REAL["vscode"]
    assert not home.policy.parent.exists()


def test_json(run: Run, home: Home, machine: Machine) -> None:
    file = machine.write("cursor", "{}")
    ran = run("install", "cursor", "--yes", "--json")
    (kept,) = kept_of(home)
    assert json.loads(ran.out) == [
        {
            "client": "cursor",
            "file": str(file),
            "entries": ["keyid"],
            "what": "added",
            "written": True,
            "backup": str(kept),
            "afterwards": BY_NAME["cursor"].afterwards,
            "notes": [],
        }
    ]
    (there,) = json.loads(run("install", "cursor", "--yes", "--json").out)
    assert (there["what"], there["written"], there["backup"], there["afterwards"]) == ("there", False, None, None)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cursor", "--json"], "`--json` cannot ask"),
        (["--yes"], "which client?"),
        (["cursor", "--all"], "`--all` and the name of a client say two things"),
        (["cursor", "--name", "a", "--wrap", "b"], "`--wrap` names the entry already"),
        (["cursor", "--name", ""], "an entry needs a name"),
        (["cursor", "--wrap", "a", "--upstream", URL], "`--wrap` takes one client"),
        (["emacs"], "`CLIENT`: `emacs` is not one of"),
        (["cursor", "--policy", "/nowhere.json"], "there is no policy `/nowhere.json`"),
        (["cursor", "--upstream", "x"], "--upstream: an http:// or https:// URL is needed"),
        (["cursor", "--profile", "other"], "--profile: there is no profile `other`"),
        (["zed", "--project", "."], "Zed has no file for projects"),
    ],
)
def test_what_makes_no_sense(run: Run, machine: Machine, words: list[str], said: str) -> None:
    file = machine.file("cursor")
    ran = run("install", *words, *([] if {"--json", "--yes"} & set(words) else ["--dry-run"]))
    assert ran.err.startswith(f"error: {said}")
    assert ran.code in (2, 3)
    assert not file.exists()


# --- what the entry says ----------------------------------------------------------------------------------------------


def test_flags_are_written_with_absolute_paths(
    run: Run, home: Home, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = machine.file("cursor")
    monkeypatch.chdir(home.folder)
    Path("mine.json").write_text('{"version": "1", "default": "deny"}')
    assert run("install", "cursor", "--yes", "--policy", "mine.json", "--upstream", URL, "--name", "ours").code == 0
    flags = ["--upstream", URL, "--policy", str(Path.cwd() / "mine.json")]
    assert entry_of(file, "cursor", "ours")["args"] == [*command_words()[1:], "run", *flags]


def test_a_client_that_shows_questions_may_ask_for_approvals_where_somebody_says_so(run: Run, machine: Machine) -> None:
    file = machine.file("cursor")
    assert run("install", "cursor", "--yes", "--ask-in-client").code == 0
    assert entry_of(file, "cursor")["args"][-2:] == ["--approve-in-client", "cursor-vscode"]
    machine.file("zed")
    ran = run("install", "zed", "--yes", "--ask-in-client")
    assert ran.code == 2
    assert ran.err == (
        "error: Zed is not known to show a server's questions to a person\n"
        "hint: these are: `claude-code`, `cursor`, `vscode`\n"
    )


def test_what_is_set_in_this_terminal_goes_with_the_entry_unless_it_is_a_secret(
    run: Run, home: Home, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = machine.file("cursor")
    monkeypatch.chdir(home.folder)
    monkeypatch.setenv("KEYID_GATEWAY_STATE", "state.db")
    monkeypatch.setenv("KEYID_GATEWAY_HEADER", "Authorization: Bearer s3cret")
    monkeypatch.setenv("KEYID_GATEWAY_OAUTH_CLIENT_SECRET", "s3cret")
    ran = run("install", "cursor", "--yes")
    assert entry_of(file, "cursor")["env"] == {
        "KEYID_GATEWAY_STATE": str(Path.cwd() / "state.db"),
        "KEYID_GATEWAY_CONFIG_DIR": str(home.policy.parent),
    }
    assert "note: KEYID_GATEWAY_HEADER is not written into the entry: it is a secret" in ran.err
    assert "note: KEYID_GATEWAY_OAUTH_CLIENT_SECRET is not written" in ran.err
    assert "s3cret" not in ran.out + ran.err + file.read_text()


def test_what_a_profile_says_of_its_server_no_variable_of_this_terminal_changes(
    run: Run, home: Home, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = machine.write("cursor", json.dumps({"mcpServers": {"gh": {"url": URL}}}))
    for name, value in {"UPSTREAM": "https://other.example/mcp", "GRANT": "me", "LIST": "callable"}.items():
        monkeypatch.setenv(f"KEYID_GATEWAY_{name}", value)
    assert run("install", "cursor", "--wrap", "gh", "--yes").code == 0
    assert entry_of(file, "cursor", "gh")["env"] == {
        "KEYID_GATEWAY_LIST": "callable",
        "KEYID_GATEWAY_CONFIG_DIR": str(home.policy.parent),
    }
    assert run("install", "cursor", "--profile", "gh", "--yes").code == 0
    assert entry_of(file, "cursor")["env"] == entry_of(file, "cursor", "gh")["env"]


def test_what_cannot_be_in_force_is_no_entry(run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    file = machine.file("cursor")
    monkeypatch.setenv("KEYID_GATEWAY_CALL_TIMEOUT", "soon")
    for words in ([], ["--wrap", "gh"]):
        ran = run("install", "cursor", "--yes", *words)
        assert (ran.code, ran.err.splitlines()[0][:35]) == (3, "error: KEYID_GATEWAY_CALL_TIMEOUT: ")
    assert not file.exists()


def test_a_gateway_that_moved_is_brought_up_to_date_and_keeps_its_flags(run: Run, machine: Machine) -> None:
    file = machine.write(
        "cursor",
        '{"mcpServers": {"keyid": {"command": "/old/.venv/bin/keyid-gateway", "args": ["run", "--list", "callable"], '
        '"env": {"TOKEN": "s3cret"}, "disabled": true}}}',
    )
    ran = run("install", "cursor", "--yes")
    assert "keyid in Cursor's config is brought up to date\n" in ran.out
    assert "/old/.venv/bin/keyid-gateway" in ran.out
    assert "s3cret" not in ran.out
    entry = entry_of(file, "cursor")
    assert entry["args"][-2:] == ["--list", "callable"]
    assert (entry["command"], entry["env"]["TOKEN"], entry["disabled"]) == (command_words()[0], "s3cret", True)


def test_an_entry_of_another_program_is_left_alone(run: Run, machine: Machine) -> None:
    file = machine.write("cursor", '{"mcpServers": {"keyid": {"command": "node", "args": ["x.js"]}}}')
    ran = run("install", "cursor", "--yes")
    assert ran.err == (
        f"error: `{file}` has another entry keyid\nhint: `--name OTHER` gives the gateway's another name\n"
    )
    gone = run("uninstall", "cursor", "--yes", "--name", "keyid")
    assert gone.err == (
        f"error: the entry keyid in `{file}` does not start this program\nhint: there is nothing to take out\n"
    )
    assert run("install", "cursor", "--yes", "--name", "ours").code == 0
    assert run("uninstall", "cursor", "--yes", "--name", "keyid").err.endswith(
        "hint: `--name` takes one that does: ours\n"
    )


def test_an_entry_that_leads_to_the_server_says_how_to_wrap_it(run: Run, machine: Machine) -> None:
    file = machine.write("cursor", json.dumps({"mcpServers": {"keyid": {"url": f"{URL}/s3cret?key=s3cret"}}}))
    ran = run("install", "cursor", "--yes")
    assert ran.err == (
        f"error: the entry keyid in `{file}` leads to https://mcp.example.com/… directly\n"
        "hint: `--wrap keyid` puts the gateway in front of it\n"
    )


def test_a_way_round_the_gateway_is_said(run: Run, machine: Machine) -> None:
    servers = {"direct": {"url": "https://keyid.ai/mcp"}, "other": {"url": URL}}
    machine.write("cursor", json.dumps({"mcpServers": servers}))
    ran = run("install", "cursor", "--yes")
    assert ran.code == 0
    assert "  note: direct leads to the same server directly, so that the agent can go round the gateway" in ran.out
    assert "other leads" not in ran.out


def test_what_a_single_project_has_beside_it_is_said(run: Run, machine: Machine) -> None:
    projects = {
        "/p/one": {"mcpServers": {"keyid": {"command": "node"}, "ours": {"command": "keyid-gateway", "args": ["run"]}}},
        "/p/two": {"mcpServers": {"direct": {"type": "http", "url": "https://keyid.ai/mcp"}}, "allowedTools": []},
        "/p/three": {},
        "/p/four": None,
    }
    machine.write("claude-code", json.dumps({"projects": projects}))
    ran = run("install", "claude-code", "--yes")
    first, second = [line for line in ran.out.splitlines() if "note: " in line]
    assert first == "  note: in the project `/p/one` another entry keyid goes before this one"
    assert second.startswith("  note: direct leads to the same server directly, so that the agent can go round the ")
    assert second.endswith(": take it out of `/p/two`")


def test_a_project_has_a_file_of_its_own(run: Run, machine: Machine, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    assert machine.home.is_dir()
    assert run("install", "vscode", "--yes", "--project", str(project)).code == 0
    assert entry_of(project / ".vscode" / "mcp.json", "vscode")["type"] == "stdio"
    assert run("install", "claude-code", "--yes", "--project", str(project)).code == 0
    gone = run("uninstall", "--yes", "--project", str(project))
    assert gone.code == 0
    assert "keyid" not in (project / ".vscode" / "mcp.json").read_text() + (project / ".mcp.json").read_text()


# --- wrapping ---------------------------------------------------------------------------------------------------------

WRAPPED: dict[str, dict[str, Any]] = {
    "claude-desktop": {
        "command": "npx",
        "args": ["-y", "mcp-remote", URL, "--header", "Authorization:${AUTH}"],
        "env": {"AUTH": "Bearer s3cret"},
    },
    "claude-code": {"type": "http", "url": URL, "headers": {"Authorization": "Bearer s3cret"}},
    "cursor": {"url": URL, "headers": {"Authorization": "Bearer s3cret"}},
    "vscode": {"type": "http", "url": URL, "headers": {"Authorization": "Bearer s3cret"}},
    "windsurf": {"serverUrl": URL, "headers": {"Authorization": "Bearer s3cret"}, "disabledTools": ["x"]},
    "zed": {"url": URL, "headers": {"Authorization": "Bearer s3cret"}},
    "gemini-cli": {"httpUrl": URL, "headers": {"Authorization": "Bearer s3cret"}, "timeout": 5000},
    "cline": {"type": "streamableHttp", "url": URL, "headers": {"Authorization": "Bearer s3cret"}, "disabled": False},
    "lm-studio": {"url": URL, "headers": {"Authorization": "Bearer s3cret"}},
}


def test_what_is_to_be_done_before_the_client_is_started(run: Run, machine: Machine) -> None:
    machine.file("cursor")
    usual = run("install", "cursor", "--yes").out
    assert "note: " not in usual
    assert usual.splitlines()[-1].startswith("then `keyid-gateway doctor` starts it as the client does")
    named_ = run("install", "cursor", "--name", "other", "--upstream", URL, "--yes").out
    assert f"(OAuth), do it before you start the client: `keyid-gateway login --upstream {URL}`\n" in named_
    assert f"permitted: `keyid-gateway policy init --live FILE --upstream {URL}` makes one of its tools" in named_
    secret = run("install", "cursor", "--name", "third", "--upstream", f"{URL}?key=s3cret", "--yes").out
    assert "s3cret" not in secret
    machine.write("cursor", json.dumps({"mcpServers": {"mail": {"url": URL}}}))
    wrapped = run("install", "cursor", "--wrap", "mail", "--yes").out
    assert "do it before you start the client: `keyid-gateway login --profile mail`\n" in wrapped
    assert "doctor" not in run("uninstall", "cursor", "--yes").out


@pytest.mark.parametrize("client", WRAPPED)
def test_an_entry_is_wrapped_and_put_back_to_the_letter(run: Run, home: Home, machine: Machine, client: str) -> None:
    text = json.dumps({BY_NAME[client].key: {"keyid": WRAPPED[client], "other": {"command": "x"}}}, indent=3)
    file = machine.write(client, text)
    ran = run("install", client, "--wrap", "keyid", "--yes")
    assert ran.code == 0, ran.err
    assert "s3cret" not in ran.out + ran.err + file.read_text()
    assert "  new profile keyid: https://mcp.example.com/…, header Authorization (in a file of its own)\n" in ran.out
    assert "  note: without a policy of yours only tools that are called as KeyID's are permitted: " in ran.out
    assert "keyid-gateway login" not in ran.out, "its header says who it is"
    entry = entry_of(file, client)
    assert (entry["command"], entry["args"][-3:]) == (command_words()[0], ["run", "--profile", "keyid"])
    stays = {"disabledTools", "timeout", "disabled"} & WRAPPED[client].keys()
    assert {name: entry[name] for name in stays} == {name: WRAPPED[client][name] for name in stays}
    secret = home.policy.parent / "secrets" / "keyid.authorization"
    assert secret.read_text() == "Bearer s3cret\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert {stat.S_IMODE(place.stat().st_mode) for place in (secret.parent, home.policy.parent)} == {0o700}
    settings = home.policy.parent / "settings.toml"
    assert f'upstream = "{URL}"' in settings.read_text()
    assert "s3cret" not in settings.read_text()
    assert run("install", client, "--wrap", "keyid", "--yes").out.endswith("already\n")
    gone = run("uninstall", client, "--yes")
    assert gone.code == 0, gone.err
    assert "s3cret" not in gone.out + gone.err
    assert file.read_text() == text
    assert not secret.exists()
    assert "profiles" not in settings.read_text()
    assert list((home.policy.parent / "wrapped").iterdir()) == []
    assert "  note: keyid leads to its server directly again, past every policy\n" in gone.out


def test_what_the_client_puts_in_stays_with_the_entry(run: Run, home: Home, machine: Machine) -> None:
    entry = {"type": "http", "url": URL, "headers": {"Authorization": "Bearer ${input:token}", "X-Plain": "s3cret"}}
    file = machine.write("vscode", json.dumps({"servers": {"my server": entry}}))
    ran = run("install", "vscode", "--wrap", "my server", "--yes")
    assert ran.code == 0, ran.err
    assert "s3cret" not in ran.out + ran.err
    wrapped = entry_of(file, "vscode", "my server")
    assert wrapped["env"] == {
        "KEYID_GATEWAY_CONFIG_DIR": str(home.policy.parent),
        "HEADER_AUTHORIZATION": "Bearer ${input:token}",
        "HEADER_X_PLAIN": "s3cret",
    }
    headers = ["--header", "Authorization: env:HEADER_AUTHORIZATION", "--header", "X-Plain: env:HEADER_X_PLAIN"]
    assert wrapped["args"][-7:] == ["run", "--profile", "my-server", *headers]
    assert not (home.policy.parent / "secrets").exists()


def test_a_comment_inside_of_a_wrapped_entry_comes_back(run: Run, machine: Machine) -> None:
    text = (
        '{\n  "servers": {\n    // before\n    "a": { // mine\n'
        '      "url": "https://x.example/mcp", /* s3cret */\n    },\n  }\n}\n'
    )
    file = machine.write("vscode", text)
    ran = run("install", "vscode", "--wrap", "a", "--yes")
    assert ran.code == 0, ran.err
    assert "s3cret" not in ran.out
    assert "// before" in file.read_text()
    assert "// mine" not in file.read_text()
    assert run("uninstall", "vscode", "--yes").code == 0
    assert file.read_text() == text


def test_a_profile_that_was_changed_meanwhile_stays(run: Run, home: Home, machine: Machine) -> None:
    machine.write("cursor", json.dumps({"mcpServers": {"gh": WRAPPED["cursor"]}}))
    assert run("install", "cursor", "--wrap", "gh", "--yes").code == 0
    settings = home.policy.parent / "settings.toml"
    settings.write_text(settings.read_text().replace('grant = "gh"', 'grant = "me"'))
    assert run("uninstall", "cursor", "--yes").code == 0
    assert "[profiles.gh]" in settings.read_text()
    assert (home.policy.parent / "secrets" / "gh.authorization").exists()


def test_a_profile_of_that_name_is_never_written_over(run: Run, home: Home, machine: Machine) -> None:
    text = json.dumps({"mcpServers": {"gh": WRAPPED["cursor"]}})
    file = machine.write("cursor", text)
    home.policy.parent.mkdir()
    (home.policy.parent / "settings.toml").write_text('[profiles.gh]\nupstream = "https://mine.example/mcp"\n')
    ran = run("install", "cursor", "--wrap", "gh", "--yes")
    assert ran.err == (
        "error: there is a profile `gh` already\nhint: `--profile NAME` gives the one of this entry another name\n"
    )
    assert file.read_text() == text
    assert run("install", "cursor", "--wrap", "gh", "--profile", "gh-cursor", "--yes").code == 0
    assert entry_of(file, "cursor", "gh")["args"][-2:] == ["--profile", "gh-cursor"]


def test_where_the_file_cannot_be_written_nothing_is_left(
    run: Run, home: Home, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps({"mcpServers": {"gh": WRAPPED["cursor"]}})
    file = machine.write("cursor", text)
    real = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if target == file:
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    ran = run("install", "cursor", "--wrap", "gh", "--yes")
    assert ran.err.startswith(f"error: `{file}` cannot be written: input/output error\n")
    assert file.read_text() == text
    assert "profiles" not in (home.policy.parent / "settings.toml").read_text()
    assert list((home.policy.parent / "secrets").iterdir()) == []
    assert list((home.policy.parent / "wrapped").iterdir()) == []


def test_where_the_profile_cannot_be_written_nothing_is_left(run: Run, home: Home, machine: Machine) -> None:
    entry = {"url": "https://user:s3cret@mcp.example.com/mcp", "headers": {"A": "s3cret-1", "B": "s3cret-2"}}
    text = json.dumps({"mcpServers": {"gh": entry}})
    file = machine.write("cursor", text)
    ran = run("install", "cursor", "--wrap", "gh", "--yes")
    assert ran.err.startswith("error: --upstream: credentials do not belong in the URL")
    assert "s3cret" not in ran.out + ran.err
    assert file.read_text() == text
    assert list((home.policy.parent / "secrets").iterdir()) == []


@pytest.mark.parametrize(
    ("servers", "said"),
    [
        ({}, "has no entry gh\nhint: it has none: `keyid-gateway install cursor`\n"),
        ({"a": {}, "b b": {}}, "has no entry gh\nhint: it has a, b b\n"),
        ({"gh": {"command": "node"}}, "the entry gh cannot be wrapped: it starts another program\n"),
        ({"gh": {"type": "sse", "url": URL}}, "the entry gh cannot be wrapped: it is of the type `sse`"),
    ],
)
def test_what_cannot_be_wrapped_is_said(run: Run, machine: Machine, servers: Any, said: str) -> None:
    machine.write("cursor", json.dumps({"mcpServers": servers}))
    ran = run("install", "cursor", "--wrap", "gh", "--yes")
    assert ran.code == 3
    assert said in ran.err
