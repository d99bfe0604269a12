"""Runs the `tests.json` of a sample policy: its calls, judged by the real `load`, `decide` and counters.

The format is described in sample_policies/README.md; the models here are its only other description. A test gets a
state file and a clock of its own; the clock stands still unless a step moves it. A call that is allowed is taken to be
relayed: its limits are charged. The first call that does not come out as expected ends its test, and is shown.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gateway.jsonrpc import Json, loads
from gateway.policy import Decision, Facts, Policy, ToolCall, decide, load, refuse_limit
from gateway.state import Charge, Exhausted, State, Transaction, charge_for

FOLDER: Final = Path(__file__).resolve().parent.parent / "sample_policies"

START: Final = 1_767_603_600.0
"""Monday, 2026-01-05 09:00:00 UTC: the start of a minute and of an hour."""

SERVER: Final = "https://upstream.example/mcp"


# --- the format -------------------------------------------------------------------------------------------------------


class Strict(BaseModel):
    """What all models share: a key that is misspelt is refused, never ignored."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Call(Strict):
    tool: str
    arguments: Mapping[str, object] = {}


class Expectation(Strict):
    """What is left out is not looked at."""

    effect: Literal["allow", "deny", "approve"]
    rule: str | None = None
    reason: str | None = None
    message: str | None = None
    retry_after_seconds: int | None = None


class Step(Strict):
    call: Call
    expect: Expectation
    times: Annotated[int, Field(ge=1)] = 1
    advance: Annotated[float, BeforeValidator(lambda value: value if isinstance(value, str) else float(value))] = 0
    session: str = "session"
    grant: str = "grant"


class Case(Strict):
    name: str
    steps: Annotated[tuple[Step, ...], Field(strict=False, min_length=1)]


class Suite(Strict):
    """`catalogue`: what the upstream's schemas require of a tool; None: the upstream has no such tool."""

    version: Literal["1"]
    catalogue: Mapping[str, list[str] | None] = {}
    tests: Annotated[tuple[Case, ...], Field(strict=False, min_length=1)]


@dataclass(frozen=True, slots=True)
class Sample:
    """One folder of sample policies, read."""

    name: str
    policy: Policy
    suite: Suite


def names() -> list[str]:
    return sorted(policy.parent.name for policy in FOLDER.glob("*/policy.json"))


def read(name: str) -> Sample:
    folder = FOLDER / name
    policy = load((folder / "policy.json").read_bytes(), name=f"{name}/policy.json")
    return Sample(name, policy, suite((folder / "tests.json").read_text("utf-8")))


def suite(text: str) -> Suite:
    return Suite.model_validate(loads(text))


# --- the runner -------------------------------------------------------------------------------------------------------


class Clock:
    """Time that only a step moves."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time - START


def run(sample: Sample, case: Case, state: Path) -> str:
    """What went otherwise than expected; empty if nothing did. `state` is where the counters are kept."""
    return asyncio.run(_run(sample, case, state))


async def _run(sample: Sample, case: Case, path: Path) -> str:
    clock = Clock()
    state = await State.open(path, clock=clock)
    try:
        for number, step in enumerate(case.steps, 1):
            clock.time += step.advance
            for time in range(1, step.times + 1):
                found = await _judge(sample, step, state, clock)
                different = "".join(_differences(step.expect, found))
                if different:
                    where = f"step {number}" if step.times == 1 else f"step {number}, call {time} of {step.times}"
                    return f"{sample.name}: {case.name}\n  {where}: {step.call.tool}\n{different}"
    finally:
        state.close()
    return ""


async def _judge(sample: Sample, step: Step, state: State, clock: Clock) -> Decision:
    required = sample.suite.catalogue.get(step.call.tool, [])
    facts = Facts(required is not None, tuple(required or ()))
    call = ToolCall(step.call.tool, cast("Mapping[str, Json]", step.call.arguments))
    decision = decide(sample.policy, call, facts)
    if decision.effect != "allow":
        return decision
    charges = [charge_for(limit, server=SERVER, grant=step.grant, session=step.session) for limit in decision.limits]
    return await state.atomically(lambda transaction: _reserve(transaction, charges, clock.now())) or decision


def _reserve(transaction: Transaction, charges: list[Charge], now: float) -> Decision | None:
    taken = transaction.counters.reserve(charges, now)
    if not isinstance(taken, Exhausted):
        return None
    assert taken.retry_after_seconds is not None, "a call costs 1, and no maximum of a sample is below that"
    return refuse_limit(taken.charge.limit, taken.retry_after_seconds)


def _differences(expected: Expectation, found: Decision) -> Iterator[str]:
    for name in Expectation.model_fields:
        if name not in expected.model_fields_set:
            continue
        wanted, got = getattr(expected, name), getattr(found, name)
        if wanted != got:
            yield f"    {name}\n      expected: {wanted!r}\n      found:    {got!r}\n"
    if expected.effect != found.effect:
        yield f"    because: {found.rule} {found.message}\n"
