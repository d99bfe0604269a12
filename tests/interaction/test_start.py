"""What the gateway imports on its way to the first answer."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.standin import Standin
from tests.e2e.process import ALLOW_ALL, Gateway, Home
from tests.interaction.observed import PLACE
from tests.interaction.requirements import shows
from tests.interaction.wire import Json, modern

SDK = {"mcp", "mcp_types"}
OPENING = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "n", "version": "1"}}


class Observed(Gateway):
    """A gateway that says what it has imported."""

    @staticmethod
    def command(upstream: str, *arguments: str, module: Sequence[str] = ("gateway",)) -> list[str]:
        assert tuple(module) == ("gateway",)
        return Gateway.command(upstream, *arguments, module=("tests.interaction.observed",))

    def loaded(self) -> list[set[str]]:
        """The top-level modules that were loaded at the first answer, and at the end, which is now."""
        assert self.close() == 0
        said = Path(self.home.environment[PLACE]).read_text(encoding="utf-8")
        return [set(json.loads(line)) for line in said.splitlines()]


@shows("start.lean")
@pytest.mark.parametrize(
    ("method", "params"), [("initialize", OPENING), ("server/discover", modern())], ids=["initialize", "discover"]
)
def test_before_the_first_answer_neither_the_sdk_nor_pydantic_is_imported(
    home: Home, standin: Standin, method: str, params: Json
) -> None:
    home.environment[PLACE] = str(home.path / "modules.txt")
    with Observed(home, standin.url, policy=ALLOW_ALL) as gateway:
        assert "result" in gateway.request(method, params)
        first, _ = gateway.loaded()
    assert {"gateway", "httptools"} <= first
    assert first & (SDK | {"pydantic", "pydantic_core", "re2", "rich", "click", "anyio", "truststore"}) == set()


@shows("start.lean")
def test_the_sdk_is_never_imported_though_calls_of_both_eras_are_judged(home: Home, standin: Standin) -> None:
    call = {"name": "get_identity", "arguments": {}}
    home.environment[PLACE] = str(home.path / "modules.txt")
    with Observed(home, standin.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        answers = [
            gateway.request("tools/list"),
            gateway.request("tools/call", call),
            gateway.request("tools/call", modern(call)),
            gateway.request("resources/read", {"uri": "keyid://identity"}),
        ]
        first, last = gateway.loaded()
    assert ["result" in answer for answer in answers] == 4 * [True]
    assert first < last
    assert "pydantic" in last
    assert last & SDK == set()
