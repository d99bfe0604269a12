"""Whether what arrived, what was answered and what was written down fit each other, whoever was killed when. Pure.

What must hold (design, "One tools/call"):

1. What the policy refuses never arrived, and nothing arrived twice.
2. Whatever arrived stands in the log as decided. What was answered stands there as well.
3. A limit was never exceeded, nor an approval used twice.
4. Only a gateway that was killed leaves calls that nobody knows the end of; never the one that lived all along.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from gateway.state import Record

Json: TypeAlias = Any
Kind: TypeAlias = Literal["open", "scarce", "own", "closed", "guarded", "nobody"]
"""The tools: one without a limit, one with, one that a person approves, and three that are refused."""
REFUSED: frozenset[Kind] = frozenset({"closed", "guarded", "nobody"})


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a run has seen. Calls have numbers; `digests` is what the log calls their arguments.

    `approved` says how often a person approved a call; `most` is what the limit lets through; `killed` is how many
    gateways were.
    """

    kinds: Mapping[int, Kind]
    digests: Mapping[str, int]
    arrived: Mapping[int, int]
    answers: Sequence[tuple[int, Json]]
    approved: Mapping[int, int]
    records: Sequence[Record]
    most: int
    killed: int


def violations(seen: Seen) -> Iterator[str]:
    """What does not fit, in words."""
    numbers = (seen.digests.get(record.argument_digest) for record in seen.records if record.kind == "decided")
    decided = Counter(number for number in numbers if number is not None)
    for number, kind in seen.kinds.items():
        yield from _of_call(seen, number, kind, decided[number])
    yield from _of_limits(seen, decided)
    yield from _of_answers(seen, decided)
    yield from _of_ends(seen)


def _of_call(seen: Seen, number: int, kind: Kind, decided: int) -> Iterator[str]:
    name, times = f"call {number} ({kind})", seen.arrived.get(number, 0)
    if kind in REFUSED and times:
        yield f"{name} is refused, and arrived"
    if times > 1:
        yield f"{name} arrived {times} times"
    if times > decided:
        yield f"{name} arrived {times} times, and stands in the log {decided} times"
    approved = seen.approved.get(number, 0)
    if kind == "own" and max(times, decided) > approved:
        yield f"{name} was let through {decided} times, and approved {approved} times"


def _of_ends(seen: Seen) -> Iterator[str]:
    ends: defaultdict[str, list[Record]] = defaultdict(list)
    for record in seen.records:
        if record.kind in ("decided", "settled"):
            ends[record.decision_id].append(record)
    for identifier, records in ends.items():
        kinds = [record.kind for record in records]
        if kinds.count("decided") != 1 or kinds.count("settled") > 1:
            yield f"decision {identifier} has the records {kinds}"
    open_ended = {records[0].session for records in ends.values() if len(records) == 1}
    if len(open_ended) > seen.killed:
        yield f"{len(open_ended)} gateways left calls without an end, and {seen.killed} were killed"
    sessions = Counter(record.session for record in seen.records if record.session)
    if sessions and sessions.most_common(1)[0][0] in open_ended:
        yield "the gateway that lived left a call without an end"


def _of_limits(seen: Seen, decided: Counter[int]) -> Iterator[str]:
    scarce = [number for number, kind in seen.kinds.items() if kind == "scarce"]
    arrived, let = (sum(of.get(number, 0) for number in scarce) for of in (seen.arrived, decided))
    if max(arrived, let) > seen.most:
        yield f"the limit is {seen.most}: {let} were let through, {arrived} arrived"


def _of_answers(seen: Seen, decided: Counter[int]) -> Iterator[str]:
    refused = {record.decision_id for record in seen.records if record.kind == "refused"}
    for number, answer in seen.answers:
        result = answer.get("result") or {}
        said = (result.get("_meta") or {}).get("keyid-gateway/decision")
        if said is None and not result.get("isError") and "error" not in answer and not decided[number]:
            yield f"call {number} was answered by the server, and does not stand in the log"
        if said is not None and said["rule"] != "(state)" and said["decision_id"] not in refused:
            yield f"call {number} was refused by decision {said['decision_id']}, which does not stand in the log"
