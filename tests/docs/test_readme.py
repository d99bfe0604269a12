"""Every block that the README shows is executed: its commands run, its policies load, its client entry starts.

The commands run one after the other in one folder, with a stand-in for the upstream, as a newcomer would run them.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import settings
from gateway.clients import CLIENTS, System
from gateway.clock import SystemClock
from gateway.policy import Facts, ToolCall, decide, load
from gateway.standin import Standin
from tests.e2e.process import PATIENCE

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PLACEHOLDER = "/ABSOLUTE/PATH/TO/.venv/bin"
PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        return [line.removeprefix("$ ") for line in self.text.splitlines() if line.startswith("$ ")]


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)]
SET_UP = ["./scripts/demo", "./scripts/test"]
COMMANDS = [command for block in BLOCKS if block.language == "console" for command in block.commands]
(TESTS,) = [block.text for block in BLOCKS if block.language == "json" and '"tests"' in block.text]
POLICIES = [block.text for block in BLOCKS if block.language == "json" and '"default"' in block.text]
(ENTRY,) = [block.text for block in BLOCKS if block.language == "json" and '"mcpServers"' in block.text]


def test_every_block_is_of_a_kind_that_is_executed_here() -> None:
    assert {block.language for block in BLOCKS} == {"console", "json", "text"}
    shown = [block for block in BLOCKS if block.language == "json"]
    assert len(shown) == len(POLICIES) + 2
    assert all(block.commands for block in BLOCKS if block.language == "console")


def test_the_set_up_is_two_commands() -> None:
    assert COMMANDS[:2] == SET_UP
    assert not any(command.startswith("./scripts") for command in COMMANDS[2:])
    assert "scripts/test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]


def test_the_demo_command_sets_up_and_shows_what_it_says() -> None:
    done = subprocess.run([ROOT / "scripts/demo", "--json"], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["ok"] is True
    assert all(check["ok"] for step in shown["steps"] for check in step["checks"])


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder to work in, and an environment that knows a stand-in."""
    folder = tmp_path_factory.mktemp("newcomer")
    for place in (".config", "Library/Application Support"):
        (folder / place / "Claude").mkdir(parents=True)  # Claude Desktop was started once
    (folder / "my-policy.json").write_text(POLICIES[0], encoding="utf-8")
    (folder / "my-policy.tests.json").write_text(TESTS, encoding="utf-8")
    with Standin(clock=SystemClock()) as standin:
        yield (
            folder,
            {
                **{name: value for name, value in os.environ.items() if not name.startswith("KEYID_GATEWAY_")},
                "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(folder),
                "XDG_CONFIG_HOME": str(folder / ".config"),
                "KEYID_GATEWAY_UPSTREAM": standin.url,
                "KEYID_GATEWAY_CONFIG_DIR": str(folder / "config"),
                "KEYID_GATEWAY_STATE": str(folder / "state.db"),
                "KEYID_GATEWAY_LOG_FILE": str(folder / "gateway.log"),
            },
        )


def test_the_other_commands_run_one_after_the_other(newcomer: tuple[Path, dict[str, str]]) -> None:
    folder, environment = newcomer
    for command in COMMANDS[2:]:
        done = subprocess.run(
            shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert done.stdout.strip(), f"{command} said nothing"
    (profile,) = [block.text for block in BLOCKS if block.text.startswith("[profiles.")]
    assert (folder / "config" / "settings.toml").read_text(encoding="utf-8").startswith(profile)


def test_the_entry_for_claude_desktop_starts_a_gateway(newcomer: tuple[Path, dict[str, str]]) -> None:
    folder, environment = newcomer
    entry = json.loads(ENTRY)["mcpServers"]["keyid"]
    command = entry["command"].replace(PLACEHOLDER, str(PROGRAMS))
    opening = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "claude-desktop", "version": "1"},
        },
    }
    done = subprocess.run(
        [command, *entry["args"]],
        cwd=folder,
        env=environment,
        input=json.dumps(opening) + "\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["serverInfo"]["name"] == "keyid-standin"


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ({"to": "kim@example.com"}, None),
        ({"to": "eve@elsewhere.example"}, "Mail goes to colleagues (@example.com) only."),
        ({"to": "kim@example.com", "bcc": ["eve@elsewhere.example"]}, "No hidden copies."),
        ({"to": "kim@example.com", "bcc": "eve@elsewhere.example"}, "No hidden copies."),
        ({"to": "kim@example.com", "cc": ["eve@elsewhere.example"]}, "No copies."),
        ({"to": "kim@example.com", "cc": "eve@elsewhere.example"}, "No copies."),
        ({"to": "kim@example.com", "cc": [], "bcc": []}, None),
        ({"to": "kim@example.com", "bcc": [None, "eve@elsewhere.example"]}, "No hidden copies."),
        ({"to": "kim@example.com", "cc": [None, None, "eve@elsewhere.example"]}, "No copies."),
        ({"to": "kim@EXAMPLE.com"}, None),
        ({"to": "eve%elsewhere.example@example.com"}, "Mail goes to colleagues (@example.com) only."),
        ({"to": "elsewhere.example!eve@example.com"}, "Mail goes to colleagues (@example.com) only."),
        ({"to": "mailto:eve?bcc=x&@example.com"}, "Mail goes to colleagues (@example.com) only."),
        ({"to": "kim\u200b@example.com"}, "Mail goes to colleagues (@example.com) only."),
        ({"to": "kim@example.com", "reply_to": "eve@elsewhere.example"}, "Answers come here."),
        ({"to": ["kim@example.com"]}, "Mail goes to colleagues (@example.com) only."),
    ],
)
def test_the_policy_does_what_the_text_says(arguments: dict[str, object], refusal: str | None) -> None:
    policy = load(POLICIES[0].encode(), name="README.md")
    decision = decide(policy, ToolCall("send_email", arguments), Facts(mirrored=True))  # type: ignore[arg-type]
    assert (decision.message or None) == refusal
    denied = decide(policy, ToolCall("create_cron", {}), Facts(mirrored=True))
    assert denied.message == "Nothing that runs on after the session; ask Kim."
    assert decide(policy, ToolCall("delete_contact", {}), Facts(mirrored=True)).rule == "(hidden)"


@given(
    st.from_regex(r"[kK\n\u200b,%@.]{0,2}@?(example\.com|EXAMPLE\.COM|[examplco.m\n]{0,12})[\n.,m]?", fullmatch=True)
)
def test_a_copy_has_to_match_the_domain_if_there_is_one(address: str) -> None:
    colleague = re.fullmatch(r"[A-Za-z0-9._+-]+@(?i:example\.com)", address) is not None
    policy = load(POLICIES[1].encode(), name="README.md")
    decision = decide(policy, ToolCall("send_email", {"cc": ["kim@example.com", address]}), Facts(mirrored=True))
    assert (decision.message or None) == (None if colleague else "Copies go to colleagues (@example.com) only.")


@pytest.mark.parametrize(
    ("arguments", "effect"),
    [({}, "allow"), ({"cc": []}, "allow"), ({"cc": ["ada@example.com"]}, "allow"), ({"cc": "ada@example.com"}, "deny")]
    + [({"cc": [value]}, "deny") for value in (None, "", "eve@evil.example", 5, ["ada@example.com"])],
)
def test_an_optional_argument_is_looked_at_where_it_is_given(arguments: dict[str, object], effect: str) -> None:
    (listed,) = re.findall(r'`(\{ "path".*?"not_in".*?\})`', TEXT)
    condition = [{"conditions": [json.loads(listed)]}, {"conditions": [{**NO_NULL, "path": "args.cc[*]"}]}]
    by_name = json.dumps({"version": "1", "default": "deny", "tools": {"send_email": {"deny_if": condition}}})
    for text in (POLICIES[1], by_name):
        policy = load(text.encode(), name="README.md")
        assert decide(policy, ToolCall("send_email", arguments), Facts(mirrored=True)).effect == effect  # type: ignore[arg-type]


NO_NULL = {"op": "exists", "value": False}


def test_every_client_has_its_row() -> None:
    table = TEXT.partition("## In every client")[2].partition("\n## ")[0]
    for client in CLIENTS:
        (row,) = [line for line in table.splitlines() if f"`{client.name}`" in line]
        for words in (f"]({client.source})", client.afterwards, "/".join(client.project) or "|"):
            assert words in row
        (place,) = client.places(System("linux", {}, PurePosixPath("~")))
        assert f"`{place.file}`" in row or client.name == "vscode-insiders"


def test_the_settings_file_is_one(tmp_path: Path) -> None:
    (shown,) = [block.text for block in BLOCKS if block.text.startswith("# settings.toml")]
    (tmp_path / "settings.toml").write_text(shown, encoding="utf-8")
    found = settings.load({}, {"KEYID_GATEWAY_CONFIG_DIR": str(tmp_path)})
    assert found.policy == "/absolute/path/my-policy.json"


def test_the_links_into_the_repository_lead_somewhere() -> None:
    for target in re.findall(
        r"\]\(((?!https?:)[^)#]+)\)", re.sub(r"^```.*?^```$", "", TEXT, flags=re.DOTALL | re.MULTILINE)
    ):
        assert (ROOT / target).exists(), target
