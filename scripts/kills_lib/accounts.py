"""Whether what arrived, what was answered and what was written down fit each other, whoever was killed when. Pure.

What must hold (design, "One tools/call"):

1. What the policy refuses never arrived, and nothing arrived twice.
2. Whatever arrived stands in the log as decided. What was answered stands there as well.
3. A limit was never exceeded, nor an approval used twice; what an approval covers was let through only after one.
4. Nothing was let through while everything was stopped, nor by a policy that denies it.
5. Only a gateway that was killed leaves calls that nobody knows the end of; never the one that lived all along.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from gateway.state import Record

Json: TypeAlias = Any
Kind: TypeAlias = Literal["open", "scarce", "own", "kept", "sealed", "closed", "guarded", "nobody"]
"""The tools: one that one of the policies denies, one with a limit, one that a person approves each time (`own`), for a
group of calls (`kept`), or in the client, with a sealed state (`sealed`), and three that are refused."""
REFUSED: frozenset[Kind] = frozenset({"closed", "guarded", "nobody"})


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a run has seen. Calls have numbers; `digests` is what the log calls their arguments.

    `approved` says how often a person approved a call; `most` is what the limit lets through; `killed` is how many
    gateways were. `records` are all of them, the first one is number 1; behind the first number of each pair of
    `stopped`, and up to the second, everything was stopped. `strict` is the revision that denies what is `open`.
    """

    kinds: Mapping[int, Kind]
    digests: Mapping[str, int]
    arrived: Mapping[int, int]
    answers: Sequence[tuple[int, Json]]
    approved: Mapping[int, int]
    records: Sequence[Record]
    most: int
    killed: int
    stopped: Sequence[tuple[int, int]] = ()
    strict: str = "-"


GROUP: int = 8
"""So many calls, one after the other, are a group: the approval of one of them covers those that come later."""


def violations(seen: Seen) -> Iterator[str]:
    """What does not fit, in words."""
    numbers = (seen.digests.get(record.argument_digest) for record in seen.records if record.kind == "decided")
    decided = Counter(number for number in numbers if number is not None)
    for number, kind in seen.kinds.items():
        yield from _of_call(seen, number, kind, decided[number])
    yield from _of_limits(seen, decided)
    yield from _of_answers(seen, decided)
    yield from _of_ends(seen)
    yield from _of_refusals(seen)


def _of_call(seen: Seen, number: int, kind: Kind, decided: int) -> Iterator[str]:
    name, times = f"call {number} ({kind})", seen.arrived.get(number, 0)
    if kind in REFUSED and times:
        yield f"{name} is refused, and arrived"
    if times > 1:
        yield f"{name} arrived {times} times"
    if times > decided:
        yield f"{name} arrived {times} times, and stands in the log {decided} times"
    approved = seen.approved.get(number, 0)
    if kind in ("own", "sealed") and max(times, decided) > approved:
        yield f"{name} was let through {decided} times, and approved {approved} times"
    if kind == "kept" and max(times, decided) and not _is_approved(seen, number - number % GROUP):
        yield f"{name} was let through, and nobody approved any of its group"


def _is_approved(seen: Seen, first: int) -> bool:
    """Whether a person approved any call of the group that begins with this one."""
    group = range(first, first + GROUP)
    return any(seen.kinds.get(number) == "kept" and seen.approved.get(number) for number in group)


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


def _of_refusals(seen: Seen) -> Iterator[str]:
    for first, last in seen.stopped:
        let = sum(record.kind == "decided" for record in seen.records[first:last])
        if let:
            yield f"{let} calls were let through while everything was stopped (records {first + 1} to {last})"
    for record in seen.records:
        if (record.kind, record.tool, record.policy_revision) == ("decided", "open", seen.strict):
            yield f"decision {record.decision_id} let through what its policy denies"


def _of_limits(seen: Seen, decided: Counter[int]) -> Iterator[str]:
    scarce = [number for number, kind in seen.kinds.items() if kind == "scarce"]
    arrived, let = (sum(of.get(number, 0) for number in scarce) for of in (seen.arrived, decided))
    if max(arrived, let) > seen.most:
        yield f"the limit is {seen.most}: {let} were let through, {arrived} arrived"


def _of_answers(seen: Seen, decided: Counter[int]) -> Iterator[str]:
    refused = {record.decision_id for record in seen.records if record.kind == "refused"}
    ended = {record.decision_id for record in seen.records if record.kind == "decided"}
    for number, answer in seen.answers:
        result = answer.get("result") or {}
        said = (result.get("_meta") or {}).get("keyid-gateway/decision")
        if said is None and not result.get("isError") and "error" not in answer and not decided[number]:
            yield f"call {number} was answered by the server, and does not stand in the log"
        recorded = refused | ended if said is not None and said["rule"] == "(stopped)" else refused
        if said is not None and said["rule"] != "(state)" and said["decision_id"] not in recorded:
            where = f"`{said['rule']}` in decision {said['decision_id']}"
            yield f"call {number} was refused by {where}, which does not stand in the log"
