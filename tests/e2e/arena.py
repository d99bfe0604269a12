"""A gateway in front of a stand-in, and who watches: what arrived there was allowed, and is what was sent.

An attack is a line for the gateway's input, in which `@META` stands for what a request of the era carries besides
(`"_meta":{…}`). `refuses` sends it, then a good call, and looks at what arrived: the good call, unchanged, and nothing
else. When the arena closes, everything that ever arrived is judged once more, by its own bytes.
"""

import json
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.clock import SystemClock
from gateway.jsonrpc import loads
from gateway.policy import Facts, Policy, ToolCall, decide, load
from gateway.standin import Standin, StandinOptions, catalogue
from gateway.state import Record, reading
from tests.e2e.process import SETTLING, Gateway, Home, by_call

Json = Any
HANDSHAKE, STATELESS = "handshake", "stateless"
ERAS = (HANDSHAKE, STATELESS)
GOOD = "standin_read_1"
"""The stand-in's echo: every policy of an arena allows it without conditions."""
_MCP = "io.modelcontextprotocol"
META: Mapping[str, Mapping[str, Json]] = {
    HANDSHAKE: {},
    STATELESS: {
        f"{_MCP}/protocolVersion": "2026-07-28",
        f"{_MCP}/clientInfo": {"name": "test-client", "version": "1.2.3"},
        f"{_MCP}/clientCapabilities": {},
    },
}
_OWN = ("initialize", "notifications/initialized", "tools/list")
_OTHERS = 64
"""Records that may stand between those of one call."""


@dataclass
class Arena:
    """One gateway, one stand-in, one policy, and the era that the client speaks."""

    gateway: Gateway
    standin: Standin
    policy: Policy
    era: str
    names: frozenset[str] = frozenset(catalogue.load())
    _count: int = 0

    @property
    def meta(self) -> Mapping[str, Json]:
        return META[self.era]

    # --- talking ------------------------------------------------------------------------------------------------------

    def message(self, method: str, params: Mapping[str, Json] | None = None) -> Json:
        """A request of the era, with an id of its own."""
        self._count += 1
        given = {"_meta": {}, **(params or {})}
        given["_meta"] = {**self.meta, **given["_meta"]}
        return {"jsonrpc": "2.0", "id": f"arena-{self._count}", "method": method, "params": given}

    def request(self, method: str, params: Mapping[str, Json] | None = None) -> Json:
        """A request of the era; its response."""
        message = self.message(method, params)
        self.gateway.send(message)
        return self.gateway.answer(message["id"])

    def call(self, tool: str, arguments: Mapping[str, Json] | None = None) -> Json:
        """A call of the era: its result, or the error."""
        answer = self.request("tools/call", {"name": tool, **({} if arguments is None else {"arguments": arguments})})
        return answer.get("result", answer.get("error"))

    def raw_call(self, tool: str, arguments: str) -> Json:
        """A call whose arguments are given as JSON text."""
        self._count += 1
        identifier = f"raw-{self._count}"
        params = f'{{"name":{json.dumps(tool)},"arguments":{arguments},@META}}'
        self.send(f'{{"jsonrpc":"2.0","id":"{identifier}","method":"tools/call","params":{params}}}')
        answer = self.gateway.answer(identifier)
        return answer.get("result", answer.get("error"))

    def send(self, line: str | bytes) -> None:
        """One line, as it is, but for `@META`."""
        data = line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line
        meta = f'"_meta":{json.dumps(self.meta)}'.encode()
        self.gateway.send(data.replace(b"@META", meta) + b"\n")

    # --- watching -----------------------------------------------------------------------------------------------------

    def arrivals(self, after: int = 0) -> list[str]:
        """The bodies of the messages that arrived since, without the gateway's own and the opening of sessions."""
        bodies = [str(entry["body"]) for entry in self.standin.journal[after:] if entry.get("http") == "POST"]
        return [body for body in bodies if json.loads(body).get("method") not in _OWN]

    def mark(self) -> int:
        """A place in the journal, for `arrivals`."""
        return len(self.standin.journal)

    def records(self, kind: str | None = None) -> list[Record]:
        """What the audit log holds."""
        return [record for record in self.gateway.home.records() if kind in (None, record.kind)]

    def newest(self, count: int) -> list[Record]:
        """The last records, once what came of the last call is among them: it is written behind the answer."""
        waiting, deadline = threading.Event(), time.monotonic() + SETTLING
        while (records := self._newest_now(count))[-1].kind == "decided" and time.monotonic() < deadline:
            waiting.wait(0.005)
        return records

    def _newest_now(self, count: int) -> list[Record]:
        with reading(self.gateway.home.state) as transaction:
            newest = transaction.audit.newest(count + _OTHERS)
        return by_call([entry.record for entry in newest])[-count:]

    def good_call(self) -> Json:
        """A call that is allowed and answered; the message that must have arrived."""
        arguments = {"n": self._count, "big": 2**60 + 1, "text": "\u2028é\U0001f511", "list": [None, True, {"": 0}]}
        message = self.message("tools/call", {"name": GOOD, "arguments": arguments})
        self.gateway.send(message)
        answer = self.gateway.answer(message["id"])
        assert answer["result"]["structuredContent"] == {"echo": arguments}, answer
        return message

    def refuses(self, line: str | bytes, identifier: Json = None, *, answered: bool = True) -> Json:
        """Send what must not be relayed: its answer, after nothing but a later good call has arrived."""
        before = self.mark()
        self.send(line)
        answer = self.gateway.answer(identifier) if answered else None
        good = self.good_call()
        assert [json.loads(body) for body in self.arrivals(before)] == [good]
        return answer

    def denies(self, tool: str, arguments: str = "{}") -> Json:
        """Send a call that must be denied: its denial, after nothing arrived but a later good call, and a record."""
        before = self.mark()
        denial = self.raw_call(tool, arguments)
        good = self.good_call()
        assert [json.loads(body) for body in self.arrivals(before)] == [good], denial
        assert denial["isError"] is True
        assert "structuredContent" not in denial
        assert denial.get("resultType") == ("complete" if self.era == STATELESS else None)
        said = denial["_meta"]["keyid-gateway/decision"]
        records = {record.decision_id: record for record in self.newest(5)}
        record = records[said["decision_id"]]
        assert (record.kind, record.tool, record.rule, record.effect) == ("refused", tool, said["rule"], "deny")
        return denial

    def allows(self, tool: str, arguments: str = "{}") -> Json:
        """Send a call that must be relayed: its result, after exactly that arrived."""
        before = self.mark()
        result = self.raw_call(tool, arguments)
        (body,) = self.arrivals(before)
        assert exact(body)["params"] == {"name": tool, "arguments": exact(arguments), "_meta": dict(self.meta)}
        return result

    # --- the end ------------------------------------------------------------------------------------------------------

    def judge_again(self) -> None:
        """Whatever call arrived is allowed by the policy, and was recorded before and after."""
        bodies = [str(entry["body"]) for entry in self.standin.journal if entry.get("http") == "POST"]
        calls = [body for body in bodies if "tools/call" in json.loads(body).get("method", "")]
        for body in calls:
            assert permitted(self.policy, body, self.names), body
        judged = [record for record in self.records() if record.method == "tools/call"]
        decided = [record.decision_id for record in judged if record.kind == "decided"]
        assert len(decided) == len(calls)
        assert sorted(decided) == sorted(record.decision_id for record in judged if record.kind == "settled")


def permitted(policy: Policy, body: str, names: Collection[str]) -> bool:
    """Whether the policy allows the call in a body, read with the first and with the last of doubled keys."""
    first = json.loads(body, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    message = loads(body, max_depth=1000)
    assert isinstance(message, dict)
    params = message["params"]
    assert isinstance(params, dict)
    name, arguments = params["name"], params.get("arguments", {})
    assert isinstance(name, str)
    assert isinstance(arguments, dict)
    assert (first["method"], first["params"]["name"]) == ("tools/call", name)
    return decide(policy, ToolCall(name, arguments), Facts(name in names)).effect == "allow"


def exact(text: str) -> Json:
    """A JSON value whose numbers are the texts they were written as."""
    return json.loads(text, parse_int=lambda digits: f"int {digits}", parse_float=lambda digits: f"float {digits}")


@contextmanager
def open_arena(path: Path, document: Mapping[str, Json], era: str, *arguments: str) -> Iterator[Arena]:
    """An arena in a home of its own; what happened in it is judged again when it closes."""
    with Standin(StandinOptions(), clock=SystemClock()) as standin:
        home = Home(path, {"KEYID_GATEWAY_APPROVAL_WAIT": "0"})  # nobody is there to be waited for
        gateway = Gateway(home, standin.url, *arguments, policy=document)
        with gateway:
            if era == HANDSHAKE:
                gateway.initialize()
            arena = Arena(gateway, standin, load(json.dumps(document).encode(), name="policy"), era)
            arena.good_call()
            yield arena
            assert gateway.close() == 0
        arena.judge_again()
