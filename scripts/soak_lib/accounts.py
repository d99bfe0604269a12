"""Whether what the client got, what arrived at the upstream, and what the gateways wrote down fit each other. Pure.

What must hold of each call, whatever went wrong with it:

1. It was let in at most once, and looked as it was sent.
2. Whatever knocked at the upstream was recorded as decided before, and settled after, once each.
3. What was recorded as refused never knocked, and the client got a refusal that names that record.
4. What was settled as not run was not let in; what was settled as run was.
5. Its outcome is the one that its kind says, and the client got the answer that the outcome says.
6. A call that was not cancelled was answered, once.

And of each counter: it holds what was decided, less what was given back because it certainly did not run.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

from gateway.state import Record
from scripts.soak_lib.kinds import LIMITED, OPEN, OWN, PACE_SECONDS, PACED, SCARCE, TURNED_AWAY, Asked, most_own
from scripts.soak_lib.kinds import most_scarce as most_scarce_of

Json: TypeAlias = Any
_NOT_RUN = frozenset({TURNED_AWAY, "no answer: not sent"})
_PACE = 20
_SECONDS: Mapping[str, int] = {"day": 86_400, "hour": 3_600}


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that a run has seen of its calls. `digest` makes the digest under which arguments are recorded."""

    calls: int
    asked: Mapping[int, Asked]
    answers: Mapping[int, Json]
    knocked: Mapping[int, int]
    let_in: Mapping[int, int]
    arrived: Mapping[int, Json]
    records: Sequence[Record]
    digest: Callable[[Json], str]


@dataclass(slots=True)
class Accounts:
    """What was found: violations in words, and how often each kind came to each outcome."""

    violations: list[str] = field(default_factory=list)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def check(self, holds: object, what: str) -> None:
        if not holds:
            self.violations.append(what)


def audit(seen: Seen) -> Accounts:
    """Check every call, and that no record is of anything else."""
    found = Accounts()
    by_digest: dict[str, list[Record]] = defaultdict(list)
    for record in seen.records:
        by_digest[record.argument_digest].append(record)
    for asked in seen.asked.values():
        _call(seen, asked, by_digest.pop(seen.digest(asked.params["arguments"]), []), found)
    found.check(not by_digest, f"{len(by_digest)} records are of calls that nobody made")
    found.violations += [f"call {n} arrived, and nobody made it" for n in set(seen.knocked) - set(seen.asked)]
    return found


def _call(seen: Seen, asked: Asked, records: Sequence[Record], found: Accounts) -> None:
    kind, n = asked.kind, asked.n
    name = f"call {n} ({kind.name}{', stateless' if asked.stateless else ''})"
    let_in, answer = seen.let_in.get(n, 0), seen.answers.get(n)
    kinds = tuple(record.kind for record in records)
    found.check(let_in <= 1, f"{name} was let in {let_in} times")
    found.check(n not in seen.arrived or seen.arrived[n] == asked.params, f"{name} did not arrive as it was sent")
    found.check(answer is not None or kind.cancelled, f"{name} was not answered")
    found.check(kinds in ((), ("refused",), ("decided", "settled")), f"{name} has the records {kinds}")
    if "refused" in kinds:
        may = kind.refused or kind.cancelled or kind.tool in LIMITED
        found.check(may, f"{name} was refused: {records[0].message}")
        found.check(not seen.knocked.get(n), f"{name} was refused, and knocked")
        found.check(answer is None or said(answer) == records[0].decision_id, f"{name} was refused otherwise than told")
        found.outcomes[kind.name, f"refused {records[0].rule}"] += 1
    elif kinds == ("decided", "settled"):
        found.check(not kind.refused, f"{name} was allowed")
        _settled(asked, name, (records[1].outcome or "", let_in, answer), found)
    else:
        found.check(kind.cancelled, f"{name} left no record")
        found.check(not seen.knocked.get(n), f"{name} left no record, and knocked")
        found.outcomes[kind.name, "cancelled before it was judged"] += 1


def _settled(asked: Asked, name: str, ended: tuple[str, int, Json], found: Accounts) -> None:
    """Compare the outcome with what happened at both ends: how often it was let in, what was answered."""
    kind = asked.kind
    outcome, let_in, answer = ended
    found.outcomes[kind.name, outcome] += 1
    found.check(not (outcome in _NOT_RUN and let_in), f"{name} ran, and was settled as `{outcome}`")
    found.check(outcome not in ("ok", "tool error", "error") or let_in, f"{name} did not run, and is `{outcome}`")
    if let_in and not kind.cancelled:
        found.check(outcome == kind.outcome, f"{name} was settled as `{outcome}`")
    elif not kind.cancelled:
        found.check(outcome == TURNED_AWAY, f"{name} was not let in, and was settled as `{outcome}`")
    if answer is None:
        return
    found.check(said(answer) is None, f"{name} was relayed, and is answered in the gateway's name")
    result = answer.get("result")
    shape = "error" if result is None else "tool error" if result.get("isError") else "ok"
    due = outcome if outcome in ("ok", "tool error") else "error"
    found.check(shape == due, f"{name} is `{outcome}`, and is answered with `{shape}`")


def said(answer: Json) -> str | None:
    """The id of the decision that an answer tells of."""
    meta = (answer.get("result") or {}).get("_meta") or {}
    identifier = (meta.get("keyid-gateway/decision") or {}).get("decision_id")
    return identifier if isinstance(identifier, str) else None


# --- counters ---------------------------------------------------------------------------------------------------------


def charged(records: Iterable[Record]) -> list[Record]:
    """The decisions that cost something for good: those whose call was not turned away."""
    taken = list(records)
    given_back = {record.decision_id for record in taken if record.kind == "settled" and record.outcome in _NOT_RUN}
    return [record for record in taken if record.kind == "decided" and record.decision_id not in given_back]


def within(records: Sequence[Record], window: str, now: float) -> list[Record]:
    """Those of the window, aligned to UTC, in which `now` lies."""
    seconds = _SECONDS[window]
    return [record for record in records if record.at // seconds == now // seconds]


def expected_usage(
    records: Sequence[Record], now: float, asked: Mapping[str, Asked]
) -> Mapping[tuple[str, str, str | None], Decimal]:
    """What each counter must hold, by its name, its owner (a grant, a session, nobody), and what is counted apart.

    `asked` are the calls by the digest of their arguments.
    """
    kept = charged(records)
    found: defaultdict[tuple[str, str, str | None], Decimal] = defaultdict(Decimal)
    for record in within(kept, "day", now):
        found["all", record.grant, None] += 1
        if record.tool == OWN:
            found[OWN, record.session, None] += 1
        elif record.tool == SCARCE:
            found[SCARCE, record.grant, None] += 1
        elif record.tool == OPEN:
            arguments = asked[record.argument_digest].params["arguments"]
            found[OPEN, record.grant, None] += 1
            found["all of us", "", None] += 1
            found["spent", record.grant, None] += Decimal(str(arguments["cost"]))
            found["of each", record.grant, arguments["who"]] += 1
    for record in kept:
        if record.tool == OPEN:
            found["always", record.session, None] += 1
            found["lately", record.grant, None] += record.at > now - _SECONDS["day"]
    for record in within(kept, "hour", now):
        if record.tool == OPEN:
            found["hourly", record.session, None] += 1
    return found


def limits(seen: Seen) -> Accounts:
    """Nobody gained a call, and nobody was refused one that was left."""
    found = Accounts()
    kept = charged(seen.records)
    refused = [record for record in seen.records if record.kind == "refused"]
    scarce = [record for record in kept if record.tool == SCARCE]
    most = most_scarce_of(seen.calls)
    days = Counter(record.at // _SECONDS["day"] for record in scarce)
    found.check(all(count <= most for count in days.values()), f"`{SCARCE}` ran {len(scarce)} times, {most} a day")
    if any(record.tool == SCARCE for record in refused):
        found.check(len(scarce) >= most, f"`{SCARCE}` was refused after {len(scarce)} of {most}")
    for session in {record.session for record in kept}:
        own = [record for record in kept if record.tool == OWN and record.session == session]
        found.check(len(own) <= most_own(seen.calls) * len(days or {0}), f"`{OWN}` ran {len(own)} times in a session")
        paced = sorted(record.at for record in kept if record.tool == PACED and record.session == session)
        spans = [late - early for early, late in zip(paced, paced[_PACE:], strict=False)]
        found.check(
            all(span >= PACE_SECONDS for span in spans), f"`{PACED}` ran more than {_PACE} times in {PACE_SECONDS} s"
        )
    return found
