"""What `install` writes is what a client starts: each written entry, started to the letter by the SDK's client."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError, StdioServerParameters

from gateway.clients import BY_NAME, System
from gateway.clock import SystemClock
from gateway.standin import Standin, StandinOptions
from tests.e2e.process import PATIENCE, Home
from tests.e2e.signing import Person

TOKEN = "open-sesame"


@pytest.fixture
def guarded() -> Iterator[Standin]:
    """A stand-in that wants a token."""
    with Standin(StandinOptions(token=TOKEN), clock=SystemClock()) as running:
        yield running


class Desktop:
    """A person's machine: a home folder, a terminal in it, and clients that start what their files say."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.environment = {
            **{name: value for name, value in home.variables().items() if name != "XDG_CONFIG_HOME"},
            "HOME": str(home.path / "kim"),
        }
        self.project = home.path / "project"
        trap = self.project / "gateway"
        trap.mkdir(parents=True)
        (trap / "__main__.py").write_text("raise SystemExit('this is not the gateway')\n", encoding="utf-8")
        (trap / "__init__.py").touch()

    def file(self, client: str) -> Path:
        system = System("darwin" if sys.platform == "darwin" else "linux", {}, self.home.path / "kim")
        file = Path(BY_NAME[client].places(system)[0].file)
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def terminal(self, *words: str, program: tuple[str, ...] = ("-m", "gateway")) -> str:
        done = subprocess.run(
            [sys.executable, *program, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def entry(self, client: str, name: str = "keyid") -> Any:
        return json.loads(self.file(client).read_text(encoding="utf-8"))[BY_NAME[client].key][name]

    async def tools(self, entry: Any) -> set[str]:
        """Start an entry as a client does: in the folder of a project, with next to nothing in the environment."""
        parameters = StdioServerParameters(
            command=entry["command"],
            args=entry["args"],
            env={"HOME": self.environment["HOME"], "PATH": "/usr/bin:/bin", **entry.get("env", {})},
            cwd=self.project,
        )
        async with Client(parameters) as session:
            called = await session.call_tool("get_identity", {})
            assert not called.is_error
            return {tool.name for tool in (await session.list_tools()).tools}


@pytest.fixture
def desktop(home: Home) -> Desktop:
    return Desktop(home)


@pytest.mark.parametrize("client", list(BY_NAME))
async def test_what_install_writes_starts_a_guarded_server(desktop: Desktop, standin: Standin, client: str) -> None:
    desktop.file(client)
    desktop.terminal("install", client, "--yes", "--upstream", standin.url)
    tools = await desktop.tools(desktop.entry(client))
    assert "get_identity" in tools
    assert "delete_contact" not in tools
    assert [record.tool for record in desktop.home.records() if record.kind == "decided"] == ["get_identity"]


@pytest.mark.parametrize("form", ["url", "bridge", "filled"])
async def test_what_wrap_writes_reaches_the_server_with_its_token(
    desktop: Desktop, guarded: Standin, form: str
) -> None:
    entries: dict[str, Any] = {
        "url": {"url": guarded.url, "headers": {"Authorization": f"Bearer {TOKEN}"}},
        "bridge": {
            "command": "npx",
            "args": ["-y", "mcp-remote", guarded.url, "--header", "Authorization:${AUTH}"],
            "env": {"AUTH": f"Bearer {TOKEN}"},
        },
        "filled": {"url": guarded.url, "headers": {"Authorization": "Bearer ${env:TOKEN}"}},
    }
    text = json.dumps({"mcpServers": {"my id": entries[form]}}, indent=2)
    file = desktop.file("cursor")
    file.write_text(text, encoding="utf-8")
    shown = desktop.terminal("install", "cursor", "--wrap", "my id", "--yes")
    assert TOKEN not in shown + file.read_text(encoding="utf-8")
    entry = desktop.entry("cursor", "my id")
    if form == "filled":  # what Cursor does with such a text, before it starts the program
        entry["env"] = {name: value.replace("${env:TOKEN}", TOKEN) for name, value in entry["env"].items()}
    assert "get_identity" in await desktop.tools(entry)
    desktop.terminal("uninstall", "cursor", "--yes")
    assert file.read_text(encoding="utf-8") == text


async def test_from_nothing_to_a_guarded_server_that_wants_a_sign_in(home: Home) -> None:
    """What somebody types who has never seen it: install, and the sign-in that the first call asks for."""
    with Standin(StandinOptions(oauth=True), clock=SystemClock()) as server:
        Person(home, server)  # whose browser is the test's own
        desktop = Desktop(home)
        file = desktop.file("claude-desktop")
        file.write_text('{"globalShortcut": "", "mcpServers": {}}', encoding="utf-8")
        desktop.terminal("install", "claude-desktop", "--yes", "--upstream", server.url)
        entry = desktop.entry("claude-desktop")
        asked = pytest.RaisesExc(MCPError, match="keyid-gateway login --upstream")
        with pytest.RaisesGroup(asked, flatten_subgroups=True):
            await desktop.tools(entry)
        desktop.terminal("login", "--upstream", server.url)
        assert "get_identity" in await desktop.tools(entry)


async def test_the_trial_of_the_readme_leads_to_a_guarded_entry_and_back(home: Home) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (block,) = [each for each in re.findall(r"^```text\n(.*?)^```$", text, re.DOTALL | re.MULTILINE) if "trial" in each]
    with Standin(StandinOptions(oauth=True), clock=SystemClock()) as server:
        Person(home, server)  # whose browser is the test's own
        desktop = Desktop(home)
        file = desktop.file("claude-desktop")
        file.write_text("{}", encoding="utf-8")
        said = {}
        for line in block.replace("http://127.0.0.1:8765/mcp", server.url).splitlines():
            program, verb, *words = shlex.split(line)
            assert program == "keyid-gateway"
            said[verb] = desktop.terminal(verb, *words, *(("--yes",) if verb in ("install", "uninstall") else ()))
            if verb == "install":
                assert "get_identity" in await desktop.tools(desktop.entry("claude-desktop", "trial"))
    assert "entry `trial` of Claude Desktop" in said["doctor"]
    assert "robin.hale@agents.example" in said["call"]
    assert said["audit"].count("  get_identity  ") == 2
    assert json.loads(file.read_text(encoding="utf-8")) == {"mcpServers": {}}
    assert "trial" not in (home.path / "config" / "settings.toml").read_text(encoding="utf-8")


async def test_without_an_installed_program_the_interpreter_starts_ours(desktop: Desktop, standin: Standin) -> None:
    """Not what lies in the folder that the client works in, under our name."""
    alone = desktop.home.path / "python"
    alone.symlink_to(sys.executable)  # no program of ours beside it
    desktop.file("cursor")
    code = (
        "import sys; sys.executable = sys.argv.pop(1); from gateway.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ("install", "cursor", "--yes", "--upstream", standin.url)
    desktop.terminal(*words, program=("-c", code, str(alone)))
    entry = desktop.entry("cursor")
    assert (entry["command"], entry["args"][:3]) == (str(alone), ["-P", "-m", "gateway"])
    packages = [str(Path(__file__).parents[2]), *(path for path in sys.path if path.endswith("site-packages"))]
    entry["env"]["PYTHONPATH"] = os.pathsep.join(packages)  # the link alone knows none of them
    assert "get_identity" in await desktop.tools(entry)
