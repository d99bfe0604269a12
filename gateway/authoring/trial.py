"""Runs the tests of a policy: every request is judged by the same interceptor that judges for `run`.

Nothing is imitated but what lies outside: the clock stands still unless a step moves it, the state is a file of the
test's own, and the upstream answers every call that reaches it. So whatever a policy can say is tested as it is
enforced: counters in SQLite, sessions, what the circumstances of a call are, the words that the agent reads.

Each test begins with an empty state. The first request that does not come out as expected ends its test.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias, cast

from gateway.authoring.suite import Case, Expectation, Step, Suite, Tests, announced
from gateway.case import Client, Identity
from gateway.catalogue import Catalogue
from gateway.clock import Clock
from gateway.interceptor import Interceptor
from gateway.jsonrpc import Json, Message, loads, serialise
from gateway.policies import NoPolicy
from gateway.policy import Facts, Policy
from gateway.policy.positions import pointer
from gateway.policy.source import places
from gateway.state import State
from gateway.upstream import Answer, Still

SERVER: Final = "https://upstream.example/mcp"
_PATIENCE_SECONDS: Final = 5.0
_MARKS: Final = ("[POLICY DENIED] ", "[APPROVAL REQUIRED] ", "Denied by policy: ")


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one request."""

    effect: str
    rule: str
    reason: str
    message: str
    retry_after_seconds: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that was expected, and what was found instead."""

    field: str
    expected: str | int
    found: str | int | None


@dataclass(frozen=True, slots=True)
class Failure:
    """The first request of a test that came out otherwise.

    `pointer` and `line` say where its step stands in the tests; `time` is the how manieth of the step's requests it is;
    `rule_line` is where the rule that decided stands in the policy. `advice` says what would have to change.
    """

    test: str
    pointer: str
    line: int
    step: int
    time: int
    times: int
    request: str
    now: float
    differences: tuple[Difference, ...]
    found: Found
    rule_line: int | None
    advice: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the tests of one policy: how many there were, how many requests were judged, what failed."""

    tests: int
    requests: int
    failures: tuple[Failure, ...] = ()


@dataclass(slots=True)
class _Clock:
    """Internal: time that only a step moves."""

    time: float
    began: float

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time - self.began


@dataclass(slots=True)
class _Surroundings:
    """Internal: what the interceptor asks of the other rooms."""

    policy: Policy
    opened: State
    catalogue: Catalogue

    async def prepare(self) -> Policy | NoPolicy:
        return self.policy

    async def look_up(self, tool: str, request: Message) -> Answer | None:
        del tool, request  # the catalogue of a test is whole
        return None

    def ready(self, tool: str) -> State:
        del tool
        return self.opened

    async def state(self) -> State:
        return self.opened

    def in_force(self) -> Policy | NoPolicy:
        return self.policy

    def facts(self, tool: str) -> Facts:
        return self.catalogue.facts(tool)

    def definition(self, tool: str) -> str:
        return (self.catalogue.digest(tool) or b"").hex()


_Key: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class _Stage:
    """Internal: one test, with an interceptor for each grant and session in it."""

    surroundings: _Surroundings
    clock: Clock
    interceptors: dict[_Key, Interceptor] = field(default_factory=dict)
    seen: int = 0

    async def judge(self, step: Step, number: int) -> Found:
        key = (step.grant, step.session)
        if key not in self.interceptors:
            identity = Identity(step.grant, f"{step.grant}/{step.session}", SERVER)
            self.interceptors[key] = Interceptor(identity, self.surroundings, self.clock)
        request = _message(step, number)

        async def forward(_: bytes, _still: Still) -> Answer:
            if step.outcome == "not sent":
                return Answer("not sent", failure="not sent")
            body: dict[str, Json] = {"jsonrpc": "2.0", "id": number, "result": {"content": []}}
            return Answer("answered", Message("response", number, "", body, serialise(body)), 200)

        answer = await self.interceptors[key].intercept(request, Client(step.client, "1"), forward)
        await self.interceptors[key].settle(_PATIENCE_SECONDS)
        return await self._found(cast("dict[str, Json]", loads(answer.decode())))

    async def _found(self, answer: Mapping[str, Json]) -> Found:
        """What the log says of it, and what the agent reads."""
        entries = await self.surroundings.opened.atomically(lambda tx: tx.audit.tail(self.seen, 8))
        self.seen = entries[-1].seq
        record = entries[0].record
        message, decision = _refusal(answer)
        waiting = decision.get("retry_after_seconds")
        effect = "approve" if record.reason == "approval" else record.effect
        said = record.message if effect == "observe" else message  # what would have been read
        return Found(effect, record.rule, record.reason, said, waiting if isinstance(waiting, int) else None)


def _message(step: Step, number: int) -> Message:
    if "call" in step.model_fields_set:
        method = "tools/call"
        params: Mapping[str, object] = {"name": step.call.tool, "arguments": _arguments(step, number)}
    else:
        method, params = step.request.method, step.request.params
    body = cast("dict[str, Json]", {"jsonrpc": "2.0", "id": number, "method": method, "params": params})
    return Message("request", number, method, body, serialise(body))


def _arguments(step: Step, number: int) -> Mapping[str, object]:
    """The arguments of a call; where it is to be another one each time, with the number of the request in one."""
    given = step.call.arguments
    if not step.vary:
        return given
    before = given.get(step.vary)
    return {**given, step.vary: f"{before} {number}" if isinstance(before, str) else number}


def _refusal(answer: Mapping[str, Json]) -> tuple[str, Mapping[str, Json]]:
    """The text that the agent reads of a refusal, without its mark, and the decision that comes with it."""
    result, error = answer.get("result"), answer.get("error")
    content = result.get("content") if isinstance(result, dict) else None
    block = content[0] if isinstance(content, list) and content else None
    said = block.get("text") if isinstance(block, dict) else error.get("message") if isinstance(error, dict) else ""
    meta = result.get("_meta") if isinstance(result, dict) else error.get("data") if isinstance(error, dict) else None
    decision = meta.get("keyid-gateway/decision") if isinstance(meta, dict) else None
    text = said if isinstance(said, str) else ""
    for mark in _MARKS:
        text = text.removeprefix(mark)
    return text, decision if isinstance(decision, dict) else {}


# --- one test after the other -----------------------------------------------------------------------------------------


async def run(policy: Policy, tests: Tests) -> Outcome:
    """What comes of all tests of a policy. Raises `StateError` where no file can be written for them."""
    failures: list[Failure] = []
    requests = 0
    for index, case in enumerate(tests.suite.tests):
        with tempfile.TemporaryDirectory(prefix="keyid-gateway-") as folder:
            count, failure = await _run(policy, tests, index, case, Path(folder) / "state.db")
        requests += count
        failures += [failure] if failure is not None else []
    return Outcome(len(tests.suite.tests), requests, tuple(failures))


async def _run(policy: Policy, tests: Tests, index: int, case: Case, file: Path) -> tuple[int, Failure | None]:
    began = case.start.timestamp()
    clock = _Clock(began, began)
    state = await State.open(file, clock=clock)
    stage = _Stage(_Surroundings(policy, state, _catalogue(tests.suite)), clock)
    count = 0
    try:
        for number, step in enumerate(case.steps):
            clock.time += step.advance
            for time in range(1, step.times + 1):
                count += 1
                found = await stage.judge(step, count)
                differences = tuple(_differences(step.expect, found))
                if differences:
                    where = pointer("tests", index, "steps", number)
                    line = _line_of(policy, found.rule)
                    return count, Failure(
                        case.name,
                        where,
                        tests.places.value(where)[0],
                        number + 1,
                        time,
                        step.times,
                        _shown(step),
                        clock.time,
                        differences,
                        found,
                        line,
                        _advice(policy, step.expect, found),
                    )
    finally:
        state.close()
    return count, None


def _catalogue(suite: Suite) -> Catalogue:
    catalogue = Catalogue()
    catalogue.page(None, {"tools": [dict(tool) for tool in announced(suite).values()]})
    return catalogue


def _differences(expected: Expectation, found: Found) -> Iterator[Difference]:
    for name in Expectation.model_fields:
        wanted, got = getattr(expected, name), getattr(found, name)
        if name in expected.model_fields_set and wanted != got:
            yield Difference(name, wanted, got)


def _shown(step: Step) -> str:
    if "call" in step.model_fields_set:
        return f"{step.call.tool} {serialise(step.call.arguments).decode()}"
    return f"{step.request.method} {serialise(step.request.params).decode()}"


# --- what would have to change ----------------------------------------------------------------------------------------


def _line_of(policy: Policy, rule: str) -> int | None:
    """The line of a rule in the policy; None where it is no place in it."""
    where = places(policy.text, policy.name)
    return where.key(rule)[0] if rule.startswith("/") and where.has(rule) else None


def _advice(policy: Policy, expected: Expectation, found: Found) -> str:
    wanted = expected.rule if "rule" in expected.model_fields_set else ""
    if wanted.startswith("/") and _line_of(policy, wanted) is None:
        return f"the policy has nothing at `{wanted}`: the test names a rule that is not there"
    if expected.effect == "observe" or found.effect == "observe":
        return "the policy only observes this (`mode`), or the test expects that it does: change one of the two"
    if expected.effect == "allow" and found.effect != "allow":
        if found.rule == "(default deny)":
            return "the policy does not name the tool: add it to `tools`, or expect the denial"
        if found.reason == "limit":
            return f"`{found.rule}` is used up: raise its `max`, or expect the denial"
        return f"`{found.rule}` refuses it: loosen that rule, or expect the denial"
    if expected.effect != "allow" and found.effect == "allow":
        rule = f"`{wanted}` does not refuse it: tighten that rule" if wanted else "no rule refuses it: add one"
        return f"{rule}, or expect `allow`"
    return "the answer is as expected, but not what is said of it: change the policy's words, or the expectation"
