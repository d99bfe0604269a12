"""The peers: other gateways from standard input and output to streamable HTTP, each in an environment of its own.

Versions are pinned here. Nothing is looked for beyond one folder; what is not in it is absent, and the report says so.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_FASTMCP = (
    "import sys; from fastmcp.server import create_proxy; create_proxy(sys.argv[1]).run('stdio', show_banner=False)"
)


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer. `words` makes its command line from the folder it is installed in and the upstream's address."""

    name: str
    version: str
    kind: Literal["pip", "npm"]
    words: Callable[[Path, str], list[str]]

    def folder(self, peers: Path) -> Path:
        return peers / f"{self.name}-{self.version}"

    def installed(self, peers: Path) -> str | None:
        """The version that is there, or None."""
        folder = self.folder(peers)
        if self.kind == "npm":
            package = folder / "node_modules" / self.name / "package.json"
            return str(json.loads(package.read_bytes())["version"]) if package.exists() else None
        found = list(folder.glob(f"lib/python*/site-packages/{self.name.replace('-', '_')}-*.dist-info"))
        return found[0].name.removesuffix(".dist-info").rpartition("-")[2] if found else None

    def command(self, peers: Path, address: str) -> list[str]:
        return self.words(self.folder(peers), address)

    def install(self, peers: Path) -> None:
        """Install it. Raises `subprocess.CalledProcessError`."""
        folder, pinned = self.folder(peers), f"{self.name}{'==' if self.kind == 'pip' else '@'}{self.version}"
        folder.mkdir(parents=True, exist_ok=True)
        if self.kind == "npm":
            command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), pinned]
            subprocess.run(command, check=True)
            return
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        command = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check", "-qq", "install", pinned]
        subprocess.run(command, check=True)


PEERS = (
    Peer(
        "mcp-proxy",
        "0.13.0",
        "pip",
        lambda folder, url: [str(folder / "bin/mcp-proxy"), "--transport", "streamablehttp", url],
    ),
    Peer("fastmcp", "4.1.2", "pip", lambda folder, url: [str(folder / "bin/python"), "-c", _FASTMCP, url]),
    Peer(
        "supergateway",
        "4.0.0",
        "npm",
        lambda folder, url: [
            "node",
            str(folder / "node_modules/supergateway/dist/index.js"),
            *("--streamableHttp", url, "--outputTransport", "stdio", "--logLevel", "none"),
        ],
    ),
    Peer(
        "mcp-remote",
        "0.15.1",
        "npm",
        lambda folder, url: [
            "node",
            str(folder / "node_modules/mcp-remote/dist/proxy.js"),
            *(url, "--allow-http", "--transport", "http-only"),
        ],
    ),
)
"""FastMCP's proxy is started from its library: its own command line imports more."""


def install_all(peers: Path) -> int:
    """Install every peer; the exit code."""
    failed = 0
    for peer in PEERS:
        try:
            if peer.installed(peers) is None:
                peer.install(peers)
            print(f"{peer.name} {peer.installed(peers)}  {peer.folder(peers)}")
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{peer.name} {peer.version}  not installed: {error}", file=sys.stderr)
            failed = 1
    return failed
