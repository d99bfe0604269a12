"""What is known of the clients: where each keeps its servers, in which form, and what a person does afterwards.

A fact stands here with where it is written; `README.md`, "In every client", shows the table to people. No client was
started to check any of it: what is said here was read in the client's own documentation, except where `read` says
otherwise. Places are made of what they depend on, the platform and the environment, and of nothing else, so that the
three platforms are the same three functions everywhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Final, Literal, TypeAlias

from gateway.clients.jsonc import Dialect

Platform: TypeAlias = Literal["darwin", "linux", "win32"]

_JSON: Final = Dialect()
_COMMENTS: Final = Dialect(comments=True)
_LENIENT: Final = Dialect(comments=True, trailing_commas=True)


@dataclass(frozen=True, slots=True)
class System:
    """A machine, as far as it decides where clients keep their files."""

    platform: Platform
    environment: Mapping[str, str]
    home: PurePath
    packages: tuple[str, ...] = ()
    """On Windows, the folders of `%LOCALAPPDATA%\\Packages`: programs from the store have their files there."""

    def folder(self, variable: str, *otherwise: str) -> PurePath:
        """The folder that a variable names; where it names none, or a relative one, a folder of the home folder."""
        kind = PureWindowsPath if self.platform == "win32" else PurePosixPath
        named = kind(self.environment.get(variable, ""))
        return named if named.is_absolute() else kind(self.home).joinpath(*otherwise)

    def under_home(self, *parts: str) -> PurePath:
        """A path in the home folder."""
        return (PureWindowsPath if self.platform == "win32" else PurePosixPath)(self.home).joinpath(*parts)

    @property
    def programs(self) -> PurePath:
        """Where desktop programs keep what belongs to the user."""
        if self.platform == "darwin":
            return self.under_home("Library", "Application Support")
        if self.platform == "win32":
            return self.folder("APPDATA", "AppData", "Roaming")
        return self.folder("XDG_CONFIG_HOME", ".config")


@dataclass(frozen=True, slots=True)
class Place:
    """One file in which a client may look, and the folder that is there only where the client is."""

    file: PurePath
    sign: PurePath


@dataclass(frozen=True, slots=True)
class Client:
    """One client: its names, its file, and the form of an entry."""

    name: str
    title: str
    key: str
    """The name under which the servers stand in the file."""
    dialect: Dialect
    afterwards: str
    """What a person does so that the client sees the entry."""
    source: str
    """Where its maker says so."""
    read: str
    """What was read there, and what comes from elsewhere."""
    fields: Mapping[str, str]
    """What an entry has besides command, arguments and environment."""
    project: tuple[str, ...] = ()
    """The file of a project, from its folder; empty where there is none."""
    projects: str | None = None
    """The name under which its file of the user has servers of single projects as well, each project by its folder."""
    announces: tuple[str, ...] = ()
    """What it calls itself when it connects (`clientInfo.name`)."""
    asks: bool = False
    """Whether its maker says that a question of a server (elicitation) is shown to a person."""

    def places(self, system: System) -> tuple[Place, ...]:
        """Its files of this user, the one that counts first where it exists."""
        return _PLACES[self.name](system)


CLIENTS: Final[tuple[Client, ...]] = (
    Client(
        name="claude-desktop",
        title="Claude Desktop",
        key="mcpServers",
        dialect=_JSON,
        afterwards="quit Claude Desktop completely (closing its window is not enough) and start it again",
        source="https://modelcontextprotocol.io/docs/develop/connect-local-servers",
        read="macOS and Windows; the Linux folder and the one of the Windows store package come from reports of users",
        fields={},
        announces=("claude-ai",),
    ),
    Client(
        name="claude-code",
        title="Claude Code",
        key="mcpServers",
        dialect=_JSON,
        afterwards="start Claude Code anew; `/mcp` shows the server",
        source="https://code.claude.com/docs/en/mcp",
        read="both files, the form of an entry, questions",
        fields={"type": "stdio"},
        project=(".mcp.json",),
        projects="projects",
        announces=("claude-code",),
        asks=True,
    ),
    Client(
        name="cursor",
        title="Cursor",
        key="mcpServers",
        dialect=_LENIENT,
        afterwards="open Cursor's settings, Tools & MCP, and switch the server on",
        source="https://cursor.com/docs/mcp",
        read="both files, the form of an entry, questions; whether comments are read is not said",
        fields={},
        project=(".cursor", "mcp.json"),
        announces=("cursor-vscode",),
        asks=True,
    ),
    Client(
        name="vscode",
        title="VS Code",
        key="servers",
        dialect=_LENIENT,
        afterwards="run `MCP: List Servers` in VS Code, choose the server, and start it",
        source="https://code.visualstudio.com/docs/copilot/reference/mcp-configuration",
        read="the project's file and the form of an entry; the folder of the user's file comes from reports of users",
        fields={"type": "stdio"},
        project=(".vscode", "mcp.json"),
        announces=("Visual Studio Code", "Visual-Studio-Code"),
        asks=True,
    ),
    Client(
        name="vscode-insiders",
        title="VS Code Insiders",
        key="servers",
        dialect=_LENIENT,
        afterwards="run `MCP: List Servers` in VS Code, choose the server, and start it",
        source="https://code.visualstudio.com/docs/copilot/reference/mcp-configuration",
        read="as of VS Code; its folder has another name",
        fields={"type": "stdio"},
        announces=("Visual Studio Code - Insiders",),
    ),
    Client(
        name="windsurf",
        title="Windsurf",
        key="mcpServers",
        dialect=_JSON,
        afterwards="press refresh in the list of MCP servers of Cascade",
        source="https://docs.windsurf.com/windsurf/cascade/mcp",
        read="the file and the form of an entry",
        fields={},
        announces=("windsurf-client", "Windsurf"),
    ),
    Client(
        name="zed",
        title="Zed",
        key="context_servers",
        dialect=_LENIENT,
        afterwards="nothing: Zed starts it once the file is saved; the settings of its agent panel show it",
        source="https://zed.dev/docs/ai/mcp",
        read="the form of an entry, the file on macOS and Linux; the Windows folder comes from reports of users",
        fields={"source": "custom"},
        announces=("Zed",),
    ),
    Client(
        name="gemini-cli",
        title="Gemini CLI",
        key="mcpServers",
        dialect=_COMMENTS,
        afterwards="start Gemini CLI anew; `/mcp` shows the server",
        source="https://github.com/google-gemini/gemini-cli/blob/main/docs/tools/mcp-server.md",
        read="both files and the form of an entry; whether comments are read is not said",
        fields={},
        project=(".gemini", "settings.json"),
        announces=("gemini-cli-mcp-client",),
    ),
    Client(
        name="cline",
        title="Cline",
        key="mcpServers",
        dialect=_JSON,
        afterwards="nothing: Cline sees that its file has changed; its list of MCP servers shows it",
        source="https://docs.cline.bot/getting-started/config",
        read="the file; versions that keep it among VS Code's files of extensions are not served",
        fields={},
        announces=("Cline",),
    ),
    Client(
        name="lm-studio",
        title="LM Studio",
        key="mcpServers",
        dialect=_JSON,
        afterwards="switch the server on in LM Studio, in the tab Program, Install",
        source="https://lmstudio.ai/docs/app/mcp",
        read="the file and the form of an entry; some versions are said to keep their files in ~/.cache/lm-studio",
        fields={},
    ),
)

BY_NAME: Final = {client.name: client for client in CLIENTS}


def _claude_desktop(system: System) -> tuple[Place, ...]:
    usual = system.programs / "Claude"
    folders = [usual]
    if system.platform == "win32":  # the store package reads only its own copy of the folder
        packages = system.folder("LOCALAPPDATA", "AppData", "Local") / "Packages"
        own = [name for name in system.packages if name.startswith("Claude_")]
        folders = [*(packages / name / "LocalCache" / "Roaming" / "Claude" for name in own), usual]
    return tuple(Place(folder / "claude_desktop_config.json", folder) for folder in folders)


def _claude_code(system: System) -> tuple[Place, ...]:
    moved = system.environment.get("CLAUDE_CONFIG_DIR")
    if moved:
        folder = system.folder("CLAUDE_CONFIG_DIR", moved)
        return (Place(folder / ".claude.json", folder),)
    return (Place(system.under_home(".claude.json"), system.under_home(".claude")),)


def _zed(system: System) -> tuple[Place, ...]:
    folder = system.programs / "Zed" if system.platform == "win32" else system.under_home(".config", "zed")
    if system.platform == "linux":
        folder = system.programs / "zed"
    return (Place(folder / "settings.json", folder),)


_Where: TypeAlias = Callable[[System], tuple[Place, ...]]


def _vscode(folder: str) -> _Where:
    return lambda system: (Place(system.programs / folder / "User" / "mcp.json", system.programs / folder / "User"),)


def _in_home(file: tuple[str, ...], sign: tuple[str, ...]) -> _Where:
    return lambda system: (Place(system.under_home(*file), system.under_home(*sign)),)


_PLACES: Final[Mapping[str, _Where]] = {
    "claude-desktop": _claude_desktop,
    "claude-code": _claude_code,
    "cursor": _in_home((".cursor", "mcp.json"), (".cursor",)),
    "vscode": _vscode("Code"),
    "vscode-insiders": _vscode("Code - Insiders"),
    "windsurf": _in_home((".codeium", "windsurf", "mcp_config.json"), (".codeium", "windsurf")),
    "zed": _zed,
    "gemini-cli": _in_home((".gemini", "settings.json"), (".gemini",)),
    "cline": _in_home((".cline", "data", "settings", "cline_mcp_settings.json"), (".cline",)),
    "lm-studio": _in_home((".lmstudio", "mcp.json"), (".lmstudio",)),
}
