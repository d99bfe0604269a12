"""What the gateway imports on its way to the first answer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.standin import Standin
from tests.e2e.process import ALLOW_ALL, PATIENCE, Home
from tests.interaction.observed import MARK
from tests.interaction.requirements import shows
from tests.interaction.wire import modern

ROOT = Path(__file__).parents[2]
SDK = {"mcp", "mcp_types"}
OPENING = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "n", "version": "1"}}


def loaded(home: Home, upstream: str, *messages: dict[str, object]) -> list[set[str]]:
    """The top-level modules that were loaded at the first answer, and at the end."""
    lines = "".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages)
    done = subprocess.run(
        [sys.executable, "-m", "tests.interaction.observed", "run", "--upstream", upstream, *flags(home)],
        input=lines.encode(),
        capture_output=True,
        env=home.variables(),
        cwd=ROOT,
        timeout=PATIENCE,
        check=True,
    )
    assert len(done.stdout.splitlines()) == len([message for message in messages if "id" in message])
    said = done.stderr.decode().splitlines()
    return [set(json.loads(text.removeprefix(MARK))) for text in said if text.startswith(MARK)]


def flags(home: Home) -> tuple[str, str]:
    return "--policy", str(home.policy(ALLOW_ALL))


@shows("start.lean")
@pytest.mark.parametrize(
    "opening",
    [{"method": "initialize", "params": OPENING}, {"method": "server/discover", "params": modern()}],
    ids=["initialize", "discover"],
)
def test_before_the_first_answer_neither_the_sdk_nor_pydantic_is_imported(
    home: Home, standin: Standin, opening: dict[str, object]
) -> None:
    first, _ = loaded(home, standin.url, {"id": 1, **opening})
    assert "gateway" in first
    assert (
        first & (SDK | {"pydantic", "pydantic_core", "re2", "rich", "click", "anyio", "httpx2", "truststore"}) == set()
    )


@shows("start.lean")
def test_the_sdk_is_never_imported_though_calls_of_both_eras_are_judged(home: Home, standin: Standin) -> None:
    call = {"name": "get_identity", "arguments": {}}
    first, last = loaded(
        home,
        standin.url,
        {"id": 1, "method": "initialize", "params": OPENING},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list"},
        {"id": 3, "method": "tools/call", "params": call},
        {"id": 4, "method": "tools/call", "params": modern(call)},
        {"id": 5, "method": "resources/read", "params": {"uri": "keyid://identity"}},
    )
    assert first < last
    assert "pydantic" in last
    assert last & SDK == set()
