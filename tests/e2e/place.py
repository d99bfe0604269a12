"""One gateway before a scripted upstream, for faults: every tool may run once, so that a charge that was kept shows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.state import Record
from tests.e2e.arena import HANDSHAKE, META
from tests.e2e.process import Gateway, Home, Json, decision
from tests.e2e.scripted import Asked, Scripted, said

TOOLS = [f"tool_{number}" for number in range(120)]
FREE = "free"
"""A tool without a limit."""
ONCE = {"rate_limit": {"max": 1, "window": 3600}}
POLICY = {"version": "1", "default": "allow", "tools": dict.fromkeys(TOOLS, ONCE)}
KEPT, GIVEN_BACK = "kept", "given back"


@dataclass
class Place:
    """A gateway, its upstream, the era that the client speaks, and a `tool` that nobody has called yet."""

    gateway: Gateway
    upstream: Scripted
    home: Home
    era: str = HANDSHAKE
    tool: str = ""
    _tools: Iterator[str] = field(default_factory=lambda: iter(TOOLS))

    def anew(self) -> None:
        """Nothing is left over from before."""
        self.upstream.forget()
        if self.era == HANDSHAKE:
            self.gateway.initialize()
            self.upstream.wait_for("GET")
        self.call(FREE)  # so that the tools are known
        self.upstream.forget()
        self.gateway.others.clear()
        self.tool = next(self._tools)

    def begin(self, tool: str, **meta: Json) -> int:
        """Begin a call of the era; its id."""
        params = {"name": tool, "arguments": {}, "_meta": {**META[self.era], **meta}}
        return self.gateway.begin("tools/call", params)

    def call(self, tool: str = "", **meta: Json) -> Json:
        """A call of the era, of the fresh tool unless another is named: its result, or the error."""
        answer = self.gateway.answer(self.begin(tool or self.tool, **meta))
        return answer.get("result", answer.get("error"))

    def arrived(self) -> list[Asked]:
        """The calls of the tool that arrived."""
        return self.upstream.calls(self.tool)

    def records(self) -> list[Record]:
        """What the log says of the tool, oldest first."""
        return [record for record in self.home.records() if record.tool == self.tool]

    def settled(self) -> Record:
        """The newest `settled` record of the tool."""
        return [record for record in self.records() if record.kind == "settled"][-1]

    def charge(self) -> str:
        """Whether the one call that the limit allows was used up. The gateway lives: a call works all the same."""
        assert self.call(FREE)["content"] == said(f"{FREE} ran")["content"]
        again = self.call()
        if again.get("isError"):
            assert decision(again)["rule"] == f"/tools/{self.tool}/rate_limit"
            return KEPT
        assert again == said(f"{self.tool} ran")
        return GIVEN_BACK


@contextmanager
def open_place(path: Path, era: str, *arguments: str) -> Iterator[Place]:
    """A place in a home of its own."""
    home = Home(path)
    with (
        Scripted([*TOOLS, FREE], {"tools": {}, "logging": {}}) as upstream,
        Gateway(home, upstream.url, *arguments, policy=POLICY) as gateway,
    ):
        yield Place(gateway, upstream, home, era)
        assert gateway.close() == 0
