"""A server whose definitions a test changes, and the commands with which a person looks at them."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.process import PATIENCE, Gateway, Home
from tests.e2e.scripted import Asked, Reply, Scripted, events, result, said
from tests.warm import run

Json = Any
ROOT = Path(__file__).parents[2]
CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
STATELESS = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test-client", "version": "1.2.3"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def tool(name: str, description: str = "As it was.", **more: Json) -> Json:
    """A definition."""
    return {"name": name, "description": description, "inputSchema": {"type": "object", "properties": {}}, **more}


class Announcing(Scripted):
    """A server of both eras. `definitions` are what it announces, `of_token` what it announces to one sign-in."""

    def __init__(self, *names: str, page: int | None = None) -> None:
        super().__init__()
        self.definitions: dict[str, Json] = {name: tool(name) for name in names}
        self.of_token: dict[str, dict[str, Json]] = {}
        self.instructions: Json = None
        self.page = page

    def changes(self, name: str, description: str = "Another one.", **more: Json) -> None:
        """From now on a tool is announced differently."""
        self.definitions = {**self.definitions, name: tool(name, description, **more)}

    def says_so(self, name: str, description: str = "Another one.") -> Reply:
        """The answer to a call, after which nothing is as it was: the list changed, and that is announced."""

        def reply(asked: Asked, line: Any) -> None:
            self.changes(name, description)
            events(CHANGED, {"jsonrpc": "2.0", "id": None, "result": said("and now")})(asked, line)

        return reply

    def _usual(self, asked: Asked) -> Reply:
        if asked.method == "tools/list":
            return result(self._page(asked))
        if asked.method == "server/discover":
            return result({**self._itself(), "supportedVersions": ["2026-07-28"], "resultType": "complete"})
        return super()._usual(asked)

    def opened(self) -> Reply:
        self.sessions += 1
        value = {"protocolVersion": "2025-06-18", **self._itself()}
        return result(value, {"Mcp-Session-Id": f"session-{self.sessions}"})

    def _itself(self) -> Json:
        told = {} if self.instructions is None else {"instructions": self.instructions}
        return {"capabilities": self.capabilities, "serverInfo": {"name": "announcing", "version": "1"}, **told}

    def _page(self, asked: Asked) -> Json:
        listed = list(self.of_token.get(asked.headers.get("authorization", ""), self.definitions).values())
        start = int(asked.message.get("params", {}).get("cursor") or 0)
        end = len(listed) if self.page is None else start + self.page
        return {"tools": listed[start:end], **({"nextCursor": str(end)} if end < len(listed) else {})}


@dataclass
class Talk:
    """A gateway and a client of one era."""

    gateway: Gateway
    modern: bool

    def _meta(self) -> Json:
        return {"_meta": STATELESS} if self.modern else {}

    def names(self) -> list[str]:
        """The tools that the client is shown, all pages."""
        found: list[str] = []
        cursor: str | None = None
        while True:
            params = {**self._meta(), **({} if cursor is None else {"cursor": cursor})}
            page = self.gateway.request("tools/list", params)["result"]
            found += [each["name"] for each in page["tools"]]
            cursor = page.get("nextCursor")
            if cursor is None:
                return found

    def call(self, name: str) -> Json:
        return self.gateway.call(name, {}, **self._meta())

    def runs(self, name: str) -> bool:
        """Whether a call passes; a denial must be one by the pins."""
        answer = self.call(name)
        if answer.get("isError"):
            decision = answer["_meta"]["keyid-gateway/decision"]
            assert (decision["rule"], decision["reason"]) == ("(changed tool)", "changed tool"), answer
            assert "keyid-gateway pins diff" in answer["content"][0]["text"]
            return False
        return True


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


def pins(home: Home, upstream: str, *words: str, terminal: bool = True) -> Ran:
    """Run `keyid-gateway pins …` as a person would, or (`terminal=False`) as a program would."""
    master, slave = pty.openpty()
    try:
        done = run(
            [sys.executable, "-m", "gateway", "pins", *words, "--upstream", upstream],
            stdin=slave if terminal else subprocess.DEVNULL,
            env=home.variables(),
            timeout=PATIENCE,
        )
    finally:
        os.close(slave)
        os.close(master)
    return Ran(done.returncode, done.stdout, done.stderr)


def listed(home: Home, upstream: str) -> Mapping[str, str]:
    """How each tool stands, as `pins list --json` says."""
    return {each["name"]: each["standing"] for each in json.loads(pins(home, upstream, "list", "--json").out)["pins"]}


def accept_all(home: Home, upstream: str) -> Ran:
    """Look, then accept."""
    assert pins(home, upstream, "diff").code == 1
    return pins(home, upstream, "accept", "--all", "--yes")


def definitions_recorded(home: Home) -> Sequence[tuple[str, str, str]]:
    """What the log says of definitions: the tool, the effect, the message."""
    return [(each.tool, each.effect, each.message) for each in home.records_now() if each.kind == "definition"]
