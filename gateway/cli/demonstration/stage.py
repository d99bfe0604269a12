"""The stage: a stand-in on a thread, a gateway in a process of its own, the official SDK's client connected to it.

Everything is in one temporary folder (mode 0700) that is gone at the end. Nothing of the user's settings, policy, state
or environment takes part.
"""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import gateway
from gateway.cli.causes import causes
from gateway.cli.demonstration.document import document
from gateway.clock import SystemClock
from gateway.errors import GatewayError
from gateway.settings import PREFIX

if TYPE_CHECKING:
    from mcp import Client

    from gateway.standin import Standin

GRANT: Final = "demo"
_ANSWER_SECONDS: Final = 10.0
_LOG_LINES: Final = 12


class DemoError(GatewayError):
    """The demonstration could not be given."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Who takes part, while the stage stands."""

    client: "Client"
    standin: "Standin"
    policy: Path
    state: Path

    async def announced(self) -> list[str]:
        """The names of the tools that the server announces, asked without the gateway."""
        from mcp import Client

        async with Client(self.standin.url, cache=None) as direct:
            return [tool.name for tool in (await direct.list_tools()).tools]


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Set the stage, and clear it away. Raises `DemoError` with the gateway's own words if that fails."""
    from mcp import Client, MCPError
    from mcp.client.stdio import StdioServerParameters, stdio_client

    from gateway.standin import Standin

    with TemporaryDirectory(prefix="keyid-gateway-demo-") as name, Standin(clock=SystemClock()) as standin:
        folder = Path(name)
        policy, state, log = folder / "policy.json", folder / "state.db", folder / "gateway.log"
        policy.write_text(json.dumps(document(), indent=2), encoding="utf-8")
        words = [
            *("-m", "gateway", "run", "--upstream", standin.url, "--policy", str(policy), "--state", str(state)),
            *("--grant", GRANT, "--log-file", str(folder / "run.log")),
        ]
        parameters = StdioServerParameters(
            command=sys.executable, args=words, env=_environment(folder), cwd=Path(gateway.__file__).parents[1]
        )
        failure: Exception | None = None
        with log.open("w", encoding="utf-8") as complaints:
            try:
                async with Client(
                    stdio_client(parameters, errlog=complaints), read_timeout_seconds=_ANSWER_SECONDS, cache=None
                ) as client:
                    try:
                        yield Stage(client, standin, policy, state)
                    except (MCPError, OSError) as error:  # kept, for the client would wrap it into a group
                        failure = error
            except (MCPError, ExceptionGroup) as error:
                failure = error
        if isinstance(failure, OSError):
            raise failure
        if failure is not None:
            said = str(next(causes(failure))).lower()
            raise DemoError(f"the gateway failed: {said}", _said(log)) from failure


def _environment(folder: Path) -> dict[str, str]:
    """What the gateway's process gets beside the SDK's own choice: no settings but those of the demonstration."""
    passed = {name: os.environ[name] for name in ("PYTHONPATH", "SYSTEMROOT") if name in os.environ}
    return {**passed, PREFIX + "CONFIG_DIR": str(folder)}


def _said(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    return "the gateway's log ends with:\n" + "\n".join(lines) if lines else "the gateway said nothing"
