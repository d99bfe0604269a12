"""The gateway made naive in one respect, so that the tests of a threat can be seen to fail.

`python -m tests.e2e.naive KIND gateway run …` is the gateway as another implementation might have been written: each
kind is one mistake that was seen in the open (threat classes B1 to B33), put in the place of what prevents it. `none`
changes nothing.
"""

import json
import os
import re
import runpy
import secrets
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from gateway import app, catalogue, filters, pinned, policies, replies
from gateway.approvals import Question, programs, wording
from gateway.approvals.desk import Matter
from gateway.approvals.in_client import InClient
from gateway.case import Client
from gateway.credentials import helper
from gateway.credentials.child.callback import Callback, Returned
from gateway.errors import ConfigError
from gateway.interceptor import Interceptor
from gateway.jsonrpc import Id, Kind, Message, Refusal, is_id, parse, serialise
from gateway.policies import Source
from gateway.policy import Decision, Facts, Policy, ToolCall, compiled, decide, decide_request, load
from gateway.policy.checks import Check, conjunction
from gateway.policy.values import Comparison, Truth, compare, negate
from gateway.proving import Proven, Proving
from gateway.relay import Relay
from gateway.state import Record, Reservation
from gateway.state.approving import SqliteApprovals
from gateway.state.audit import SqliteAudit
from gateway.state.counting import SqliteCounters
from gateway.upstream import Answer, Deliver, streams
from gateway.upstream.headers import is_modern
from gateway.upstream.http import HttpClient, HttpLimits, Outgoing

Json = Any
ALLOW_ALL: Final = b'{"version":"1","default":"allow"}'
Forward = Callable[[bytes, Callable[[], Awaitable[bool]]], Awaitable[Any]]
Intercept = Callable[..., Awaitable[bytes]]


def swap(original: object, naive: object) -> None:
    """Put something naive in the place of what is sound, wherever the gateway's modules name it."""
    places = [
        (module, name)
        for module in list(sys.modules.values())
        if getattr(module, "__name__", "").startswith("gateway")
        for name, value in vars(module).items()
        if value is original
    ]
    assert places, f"{original} is nowhere"
    for module, name in places:
        setattr(module, name, naive)


def method(of: type, name: str, naive: object) -> None:
    """Put a naive method in the place of a sound one."""
    assert callable(vars(of)[name])
    setattr(of, name, naive)


# --- what a line is ---------------------------------------------------------------------------------------------------


def forwards() -> None:
    """What is no call that it understands is refused, and relayed as it came all the same: batches, rubbish."""
    sound = Relay.take

    def naive(self: Relay, line: bytes) -> None:
        if isinstance(parse(line), Refusal):
            self._start(self._notify(Message("notification", None, "notifications/as-is", {}, line)))
        sound(self, line)

    method(Relay, "take", naive)


def last_key_wins() -> None:
    """A line is what the usual reader makes of it: the last of doubled keys, numbers as doubles, nothing checked."""

    def naive(line: bytes, **_: int) -> Message:
        try:
            body = json.loads(line)
        except ValueError:
            return Message("notification", None, "notifications/as-is", {}, line)
        if not isinstance(body, dict):
            return Message("notification", None, "notifications/as-is", {}, line)
        identifier: Id | None = body["id"] if is_id(body.get("id")) else None
        kind: Kind = "notification" if identifier is None else "request"
        named = body.get("method")
        return Message(kind, identifier, named if isinstance(named, str) else "ping", body, line)

    def written(value: object, **_: object) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float).encode()

    swap(parse, naive)
    swap(serialise, written)


# --- what is allowed --------------------------------------------------------------------------------------------------


def allowed(rule: str = "(naive)") -> Decision:
    return Decision("allow", rule, "allowed", "")


def unjudged() -> None:
    """It relays everything."""
    swap(decide, lambda _policy, _call, _facts: allowed())
    swap(decide_request, lambda _policy, _method, _params: allowed())


def folding() -> None:
    """A name is looked up as people would read it, and arrives as it was written."""

    def naive(policy: Policy, call: ToolCall, facts: Facts) -> Decision:
        found = decide(policy, call, facts)
        return found if facts.mirrored else allowed()

    swap(decide, naive)


def calls_only() -> None:
    """Only `tools/call` is judged."""
    swap(decide_request, lambda _policy, _method, _params: allowed())


def shown() -> None:
    """Lists are not filtered: the calls are judged, after all."""
    swap(filters.filtered, lambda _request, response, *_: replies.relayed(response))


def enforced_in_lists() -> None:
    """Lists are filtered, and whoever calls what is not listed is believed."""
    swap(decide, lambda _policy, _call, _facts: allowed())


def first_rule_wins() -> None:
    """The first rule of a tool decides: what comes after it is not looked at."""

    def naive(policy: Policy, call: ToolCall, facts: Facts) -> Decision:
        found = decide(policy, call, facts)
        return allowed() if re.search(r"/[1-9][0-9]*$", found.rule) else found

    swap(decide, naive)


def two_valued() -> None:
    """What cannot be judged refuses nobody."""

    def naive(check: Check, *call: Any) -> Truth:
        truth = conjunction(check, *call)
        return check.kind == "require" if truth is None else truth

    swap(conjunction, naive)


def negating() -> None:
    """What is not known to be equal is different."""

    def naive(truth: Truth) -> Truth:
        return not truth

    swap(negate, naive)


def doubles() -> None:
    """Numbers are doubles, and a text that says a number is one."""

    def naive(comparison: Comparison, value: Json, operand: Json) -> Truth:
        try:
            return comparison(float(value), float(operand))
        except (TypeError, ValueError):
            return None

    swap(compare, naive)


# --- who is asked -----------------------------------------------------------------------------------------------------


async def always() -> bool:
    """It may be sent as often as it likes."""
    return True


def around(wrong: Callable[[Message], bool], after: Callable[[bytes], bool] | None = None) -> None:
    """Some requests are relayed past the judge: by what they say, or by what was answered to them."""
    sound: Intercept = Interceptor.intercept

    async def naive(self: Interceptor, request: Message, client: object, forward: Forward, *more: object) -> bytes:
        if not wrong(request):
            line = await sound(self, request, client, forward, *more)
            if after is None or not after(line):
                return line
        answer = await forward(serialise(request.body), always)
        return bytes(answer.response.raw)

    method(Interceptor, "intercept", naive)


def handshakes_only() -> None:
    """Only the revisions that it was written for are judged."""
    around(is_modern)


def trusting() -> None:
    """Who says that it was approved was approved, and the denial tells what to say."""

    def says_so(request: Message) -> bool:
        arguments = request.params.get("arguments")
        said = [*request.meta, *request.params, *(arguments if isinstance(arguments, dict) else ())]
        return any(key.startswith("keyid-gateway/") or key in ("approved", "requestState", "task") for key in said)

    around(says_so)


def failing_open() -> None:
    """What cannot be counted or recorded is relayed all the same."""
    around(lambda _: False, lambda line: b'"(state)"' in line)


def uncounted() -> None:
    """No limit is ever used up."""
    method(SqliteCounters, "reserve", lambda _self, _charges, _now: Reservation())


def any_client() -> None:
    """Whatever client says that it can ask is believed to ask a person."""

    def naive(_self: InClient, _info: Json, capabilities: Json) -> bool:
        return isinstance(capabilities, dict) and "elicitation" in capabilities

    method(InClient, "_may", naive)


def any_program() -> None:
    """A program of the desktop is what the `PATH` has under its name."""
    sound = programs.find
    swap(sound, lambda: sound(which=shutil.which))


def unbound() -> None:
    """Who approves a call approves its tool."""

    def naive(self: Matter, _what: list[Json]) -> str:
        return self.state.digest(self.tool.encode())

    method(Matter, "digest", naive)


def reusable() -> None:
    """What was approved stays so."""
    method(SqliteApprovals, "use", lambda _self, _number: True)


def trustful() -> None:
    """A question is put in the words of the call itself, as far as a line goes."""

    def naive(question: Question, *_: object) -> str:
        return f"May {question.tool} be called with {json.dumps(question.arguments, ensure_ascii=False)[:500]}?"

    swap(wording.message, naive)


def any_caller() -> None:
    """Whoever comes to the place that a sign-in ends at is the browser, whatever it says, and to whomever."""
    child = "import sys; sys.path.insert(0, sys.argv[1]); from tests.e2e import naive; naive.any_caller_here(); "
    start = f"{child}from gateway.credentials.child.main import main; main()"
    swap(helper._command, lambda: [sys.executable, "-P", "-c", start, str(Path(__file__).parents[2])])


def any_caller_here() -> None:
    """The same, within the process that listens."""

    def naive(self: Callback, lines: list[str]) -> tuple[str, str]:
        said = {name: values[0] for name, values in parse_qs(urlsplit(lines[0].split()[1]).query).items()}
        if not self.returned.done():
            returned = Returned(said.get("code", ""), said.get("state", ""), said.get("iss"), said.get("error"))
            self.returned.set_result(returned)
        return "200 OK", "The answer has arrived."

    method(Callback, "_answer", naive)


# --- the other side ---------------------------------------------------------------------------------------------------


def wrong_headers() -> None:
    """Headers are what somebody said, not what the body says."""
    sound = HttpClient.post

    async def naive(self: HttpClient, outgoing: Outgoing, deliver: Deliver) -> Answer:
        if b'"resources/read"' in outgoing.body:
            said = {**outgoing.headers, "Mcp-Method": "ping", "Mcp-Name": "get_identity"}
            outgoing = outgoing._replace(headers=said)
        return await sound(self, outgoing, deliver)

    method(HttpClient, "post", naive)


def another_door() -> None:
    """It also listens on a port."""
    sound = app.serve

    async def naive(*arguments: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)):
            await sound(*arguments)

    swap(app.serve, naive)


def remembering() -> None:
    """A tool is what it was when it was first announced."""
    method(catalogue.Catalogue, "changed", lambda _self: None)

    def naive(self: catalogue.Catalogue, cursor: str | None, result: Mapping[str, Json], **more: Any) -> None:
        if not self.complete:
            page(self, cursor, result, **more)

    page = catalogue.Catalogue.page
    method(catalogue.Catalogue, "page", naive)


def unpinned() -> None:
    """A tool is whatever the server says that it is today."""
    method(pinned.Pinned, "facts", lambda self, tool: self._catalogue.facts(tool))

    async def naive(_self: pinned.Pinned, _result: Mapping[str, Json]) -> None:
        """Everything may be shown."""

    method(pinned.Pinned, "shown", naive)


def believing() -> None:
    """Whatever the upstream says passes as it was said, whoever it says it is."""
    swap(replies.relayed, lambda message: message.raw)
    swap(streams.same_id, lambda _one, _other: True)


def unbounded() -> None:
    """Nothing is too large."""
    swap(parse, lambda line, **_: parse(line, max_depth=2**40))
    swap(HttpLimits, lambda *words, **more: replace(HttpLimits(*words, **more), max_message_bytes=2**40))


# --- what stays -------------------------------------------------------------------------------------------------------


def guessable() -> None:
    """Secrets are made up once and for all."""
    vars(os)["urandom"] = bytes
    vars(secrets)["token_hex"] = lambda size=32: "0" * 2 * size


def forgetting() -> None:
    """Where there is no policy, the one that comes with the program will do."""
    sound = policies.load_source

    def naive(source: Source, builtin: Callable[[], Policy], *layer: Any) -> Policy:
        try:
            return sound(source, builtin, *layer)
        except ConfigError:
            return builtin()

    swap(policies.load_source, naive)


def lenient() -> None:
    """Of a document with mistakes, what could be read is taken: nothing, in the worst case."""

    def naive(data: bytes, *, name: str, **more: Any) -> Policy:
        try:
            return load(data, name=name, **more)
        except ConfigError:
            return load(ALLOW_ALL, name=name)

    swap(load, naive)


# --- what the self-test is to find ------------------------------------------------------------------------------------


def allowing() -> None:
    """Whatever the policy says, the interceptor lets it through."""

    def naive(policy: Policy, call: ToolCall, facts: Facts) -> Decision:
        return decide(policy, call, facts)._replace(effect="allow", limits=())

    swap(decide, naive)


def unhiding() -> None:
    """`hide` is read and forgotten."""
    sound = compiled.Policy.applied

    def naive(self: Policy, tool: str) -> compiled.Applied:
        return replace(sound(self, tool), hidden=None)

    method(compiled.Policy, "applied", naive)


def silent() -> None:
    """Refusals are not recorded."""
    sound = SqliteAudit.append

    def naive(self: SqliteAudit, record: Record) -> int:
        return 0 if record.effect == "deny" else sound(self, record)

    method(SqliteAudit, "append", naive)


KINDS: Final[Mapping[str, Callable[[], None]]] = {
    "none": lambda: None,
    "forwards": forwards,
    "last-key-wins": last_key_wins,
    "unjudged": unjudged,
    "folding": folding,
    "calls-only": calls_only,
    "shown": shown,
    "enforced-in-lists": enforced_in_lists,
    "first-rule-wins": first_rule_wins,
    "two-valued": two_valued,
    "negating": negating,
    "doubles": doubles,
    "handshakes-only": handshakes_only,
    "trusting": trusting,
    "failing-open": failing_open,
    "uncounted": uncounted,
    "any-client": any_client,
    "any-program": any_program,
    "unbound": unbound,
    "reusable": reusable,
    "trustful": trustful,
    "any-caller": any_caller,
    "wrong-headers": wrong_headers,
    "another-door": another_door,
    "remembering": remembering,
    "unpinned": unpinned,
    "believing": believing,
    "unbounded": unbounded,
    "guessable": guessable,
    "forgetting": forgetting,
    "lenient": lenient,
    "allowing": allowing,
    "unhiding": unhiding,
    "silent": silent,
}
TESTED: Final = frozenset({"none", "allowing", "unhiding", "silent"})
"""The kinds that the self-test is there for."""


def untested() -> None:
    """The self-test is left out: what it finds is what the tests of the other kinds have to find by themselves."""

    async def straight(self: Proving, request: Message, client: Client, forward: Any) -> bytes:
        return await self._interceptor.intercept(request, client, forward)

    async def idle(_: Proving) -> None:
        """Nothing is put to the test."""

    method(Proving, "intercept", straight)
    method(Proving, "prove", idle)
    method(Proving, "changed", lambda _: None)
    method(Proven, "in_force", lambda self: self._around.in_force())


if __name__ == "__main__":
    KINDS[sys.argv[1]]()
    if sys.argv[1] not in TESTED:
        untested()
    module = sys.argv[2]
    sys.argv[:] = sys.argv[2:]
    runpy.run_module("gateway.__main__" if module == "gateway" else module, run_name="__main__", alter_sys=False)
