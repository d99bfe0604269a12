"""What is made for others to install: the MCP bundle, and the description for the MCP registry.

The forms are those of the published schemas (`mcpb-manifest-v0.4.schema.json` of the bundles' own tool, and
`server.schema.json` of 2025-12-11), of which this checks what our two documents use. By hand, with the network:
`npx @anthropic-ai/mcpb validate` on the manifest that `scripts/mcpb --manifest` prints.
"""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from gateway import __version__
from gateway.settings import OPTIONS
from gateway.standin import Standin
from tests.e2e.conftest import home, standin
from tests.e2e.process import PATIENCE, Home

__all__ = ["home", "standin"]

ROOT = Path(__file__).parents[2]
VARIABLES = {option.variable: option for option in OPTIONS}


def made(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "mcpb", *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bundle") / "keyid-gateway.mcpb"
    assert made(str(file)).startswith(f"wrote {file}: ")
    return file


@pytest.fixture(scope="module")
def manifest(bundle: Path) -> Any:
    with zipfile.ZipFile(bundle) as archive:
        return json.loads(archive.read("manifest.json"))


# --- the bundle -------------------------------------------------------------------------------------------------------


def test_the_bundle_has_the_whole_program_and_nothing_else(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    sources = [file for file in (ROOT / "gateway").rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert sorted(names) == sorted(
        ["LICENSE", "README.md", "main.py", "manifest.json", "pyproject.toml"]
        + [file.relative_to(ROOT).as_posix() for file in sources]
    )


def test_the_same_tree_makes_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    made(str(tmp_path / "again.mcpb"))
    assert (tmp_path / "again.mcpb").read_bytes() == bundle.read_bytes()


def test_every_package_of_the_bundle_is_the_one_of_the_lock(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        text = archive.read("pyproject.toml").decode()
    listed = re.findall(r'^    "([A-Za-z0-9._-]+==[^ "]+)', text, re.MULTILINE)
    lock = (ROOT / "scripts" / "requirements.lock").read_text("utf-8")
    assert listed == re.findall(r"^([A-Za-z0-9._-]+==[^ \\]+)", lock, re.MULTILINE)
    assert any(pin.startswith("google-re2==") for pin in listed)


def test_the_manifest_has_the_form_of_its_version(manifest: Any) -> None:
    assert json.loads(made("--manifest")) == manifest
    assert manifest["manifest_version"] == "0.4"
    assert (manifest["name"], manifest["version"]) == ("keyid-gateway", __version__)
    assert manifest.keys() <= {
        *("manifest_version", "name", "display_name", "version", "description", "long_description", "author"),
        *("repository", "homepage", "documentation", "support", "license", "keywords", "tools_generated"),
        *("compatibility", "server", "user_config"),
    }
    assert manifest["server"].keys() == {"type", "entry_point", "mcp_config"}
    assert manifest["server"]["type"] == "uv"
    assert manifest["compatibility"].keys() <= {"claude_desktop", "platforms", "runtimes"}
    assert set(manifest["compatibility"]["platforms"]) <= {"darwin", "linux", "win32"}
    for asked in manifest["user_config"].values():
        assert asked.keys() >= {"type", "title", "description"}
        assert asked.keys() <= {"type", "title", "description", "required", "default", "sensitive"}
        assert asked["type"] in ("string", "file")
    assert all(manifest[name].startswith("https://") for name in ("homepage", "documentation", "support"))


def test_what_the_manifest_sets_is_a_setting_and_a_token_is_a_secret(manifest: Any) -> None:
    asked = manifest["user_config"]
    for variable, value in manifest["server"]["mcp_config"]["env"].items():
        name = re.fullmatch(r"\$\{user_config\.(\w+)\}", value)
        assert name is not None
        assert f"KEYID_GATEWAY_{name[1].upper()}" == variable
        assert variable in VARIABLES
        assert "default" in asked[name[1]]  # without one, a client leaves the words `${…}` there
    assert asked["header"]["sensitive"] is True


async def test_what_the_manifest_starts_does_start(
    bundle: Path, manifest: Any, standin: Standin, home: Home, tmp_path: Path
) -> None:
    """Unpacked and filled in as a client would; the interpreter of the tests stands for the one that uv brings."""
    folder = tmp_path / "extension"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    values = {name: asked["default"] for name, asked in manifest["user_config"].items()}
    values["upstream"] = standin.url
    config = filled(manifest["server"]["mcp_config"], {"__dirname": str(folder), **under("user_config", values)})
    assert (config["command"], config["args"]) == ("uv", ["run", "--directory", str(folder), "--no-dev", "main.py"])
    assert (folder / manifest["server"]["entry_point"]).is_file()
    parameters = StdioServerParameters(
        command=sys.executable, args=config["args"][4:], env={**home.variables(), **config["env"]}, cwd=folder
    )
    async with Client(parameters) as session:
        assert "get_identity" in {tool.name for tool in (await session.list_tools()).tools}
        assert not (await session.call_tool("get_identity", {})).is_error
    assert [record.tool for record in home.records() if record.kind == "decided"] == ["get_identity"]


def under(prefix: str, values: Mapping[str, str]) -> dict[str, str]:
    return {f"{prefix}.{name}": value for name, value in values.items()}


def filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\$\{([^}]+)\}", lambda found: variables[found[1]], value)
    if isinstance(value, Mapping):
        return {name: filled(item, variables) for name, item in value.items()}
    return [filled(item, variables) for item in value] if isinstance(value, Sequence) else value


# --- the registry -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Any:
    return json.loads((ROOT / "scripts" / "server.json").read_text("utf-8"))


def test_the_description_for_the_registry_has_its_form(server: Any) -> None:
    assert server["$schema"] == "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
    assert server.keys() <= {
        *("$schema", "name", "title", "description", "version", "websiteUrl", "repository", "packages")
    }
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", server["name"])
    assert 3 <= len(server["name"]) <= 200
    assert 1 <= len(server["title"]) <= 100
    assert 1 <= len(server["description"]) <= 100
    assert server["repository"].keys() == {"url", "source"}
    (package,) = server["packages"]
    assert package.keys() >= {"registryType", "identifier", "transport"}
    assert package["transport"] == {"type": "stdio"}
    assert [(word["type"], word["value"]) for word in package["packageArguments"]] == [("positional", "run")]
    for variable in package["environmentVariables"]:
        assert variable.keys() <= {"name", "description", "default", "format", "isSecret", "isRequired"}
        assert variable.get("format", "string") in ("string", "number", "boolean", "filepath")
        assert variable["name"] in VARIABLES


def test_the_description_for_the_registry_is_of_this_version(server: Any) -> None:
    assert server["version"] == server["packages"][0]["version"] == __version__
    assert server["packages"][0]["environmentVariables"][0]["default"] == VARIABLES["KEYID_GATEWAY_UPSTREAM"].default
    assert f"mcp-name: {server['name']}" in (ROOT / "README.md").read_text("utf-8")
