"""What is decided of one request and written down of it, at one moment and in one transaction.

`decide` answers from values (the policy in force, the call, what is mirrored of the tool), all limits are reserved, and
`decided` is recorded. A limit that is used up turns the record into a refusal.

A call that continues an exchange (`input_required`; which one does is for `exchanges` to say) is judged as any other,
and has records of its own, which name the decision that began it. It is charged only for what that one was not: a limit
that the policy has got meanwhile. What the first round took is never given back, because that round was answered. The
approval that it had goes on, as long as what that was bound to stays the same.

A call that a person has to approve is judged as often as it takes (`approvals`): nothing is recorded of it until it is
let through or refused. Limits that are used up already refuse it first, so that nobody is asked in vain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from gateway.approvals.desk import FIRST, Approved, Binding, Desk, Matter, Pending, Turn
from gateway.case import Case, Identity, Surroundings
from gateway.clock import Clock
from gateway.exchanges import Exchange, Exchanges, is_input_required
from gateway.halted import halted
from gateway.jsonrpc import Json
from gateway.policies import NoPolicy
from gateway.policy import (
    Circumstances,
    Decision,
    Facts,
    Policy,
    ToolCall,
    decide,
    decide_request,
    refuse_limit,
    refuse_no_policy,
)
from gateway.state import (
    Charge,
    Charging,
    Exhausted,
    Kind,
    Noted,
    Record,
    Reservation,
    SessionTally,
    State,
    Taken,
    Transaction,
    take,
)
from gateway.state.arguments import Keeping
from gateway.state.recent import RecentCalls, identity_of
from gateway.upstream import Answer

_NEVER: Mapping[str, Decimal] = {}
_NO_AGES: Sequence[float] = ()


class Admission(NamedTuple):
    """What a call that may be relayed holds: its reservation, the record that says so, the exchange it continues.

    `noted` is how the state file knows of it; `same` stands for the call where the policy counts those that are the
    same (`repeat`); `approved` is what its approval was bound to, if it needed one.
    """

    state: State
    reservation: Reservation
    record: Record
    former: Exchange | None = None
    noted: Noted | None = None
    same: bytes | None = None
    approved: Binding = ()


Judged: TypeAlias = Admission | Decision | Pending | Approved


class Judge:
    """Judges for one session. Whatever takes a transaction runs within it, and awaits nothing."""

    def __init__(
        self,
        identity: Identity,
        surroundings: Surroundings,
        clock: Clock,
        keeping: Keeping | None = None,
        desk: Desk | None = None,
    ) -> None:
        self._identity = identity
        self._desk = desk or Desk(identity)
        self._around = surroundings
        self._clock = clock
        self._keeping = keeping or Keeping()
        self._exchanges = Exchanges()
        self.tally = SessionTally()
        self._recent = RecentCalls()
        self._charging = Charging(server=identity.server, grant=identity.grant, session=identity.session)

    def admit(self, tx: Transaction, state: State, case: Case, turn: Turn = FIRST) -> Judged:
        """Decide, reserve and record, at one moment. A refusal comes back as the decision that says so."""
        now = self._clock.now()
        judged = self._admit(tx, state, case, turn, now)
        if turn.held:
            still = judged.question.id if isinstance(judged, Pending) else getattr(judged, "question", "")
            why = "what it was about is judged otherwise now"
            self._desk.let_go(tx, turn.held, now, stays=still == turn.held, why=why)
        return judged

    def take_back(self, tx: Transaction, number: str) -> None:
        """A call that waited for an answer was cancelled."""
        self._desk.let_go(tx, number, self._clock.now(), stays=False, why="the call was taken back")

    def _admit(self, tx: Transaction, state: State, case: Case, turn: Turn, now: float) -> Judged:
        number, former = self._continued(case)
        decision, revision, same = self._decide(tx, case, now, former)
        charges = self._charges(state, case, decision, former)
        taken: Taken | Exhausted | None = None
        approved: Binding = ()
        if decision.effect == "approve":
            taken = tx.counters.peek(charges, now)
        if decision.effect == "approve" and taken is None:
            stood = self._desk.stand(tx, self._matter(state, case, decision, revision), turn, now, former)
            if isinstance(stood, Pending | Approved):
                return stood
            decision, approved = stood
        if decision.effect in ("allow", "observe"):
            taken = take(tx.counters, charges, now)
        if isinstance(taken, Exhausted):
            decision = refuse_limit(taken.charge.limit, taken.retry_after_seconds)
        elif taken is not None and taken.would is not None:
            would = refuse_limit(taken.would.charge.limit, taken.would.retry_after_seconds)
            decision = would._replace(effect="observe")
        record = self.record(state, case, decision, revision, now)
        if former is not None and isinstance(taken, Taken) and decision.effect == "allow":
            said = f"round {former.rounds + 1} of the call that decision {former.decision_id} began"
            record = record._replace(message=said)
        tx.audit.append(record)
        if not isinstance(taken, Taken):
            return decision
        noted = None
        if case.call is not None:
            own = former.noted if former is not None else None
            noted = tx.calls.note(self._identity.server, self._identity.grant, case.call.tool, now, own)
        self._exchanges.take(number)
        return Admission(state, taken.reservation, record, former, noted, same, approved)

    def _charges(self, state: State, case: Case, decision: Decision, former: Exchange | None) -> Sequence[Charge]:
        """What the call is to be charged, but for what its exchange was charged already."""
        arguments = case.call.arguments if case.call else {}
        charges = self._charging.of(decision.limits, arguments, state.digest)
        return charges if former is None else [charge for charge in charges if charge.key not in former.charged]

    def again(self, tx: Transaction, case: Case, admission: Admission) -> Decision:
        """What the policy in force says by now of a call that was let through, and may be sent once more."""
        own = Exchange(case.id, frozenset(), 1, admission.noted)
        decision, revision, _ = self._decide(tx, case, self._clock.now(), own)
        if decision.effect != "approve":
            return decision
        if self._matter(admission.state, case, decision, revision).binding == admission.approved:
            return decision._replace(effect="allow")
        said = "the approval that it had is none by the policy, or the definition of the tool, of this moment"
        return Decision("deny", decision.rule, "approval", f"{decision.message}: {said}")

    def _matter(self, state: State, case: Case, decision: Decision, revision: str) -> Matter:
        tool = case.call.tool if case.call else ""
        return Matter.of(state, case, decision, self._around.definition(tool), revision)

    def halted(self, state: State) -> Decision | None:
        """What the switch refuses with at this moment, outside of any transaction."""
        halt = state.halt(self._identity.grant)
        return None if halt is None else halted(halt)

    def refuse(self, tx: Transaction, state: State, case: Case, decision: Decision) -> Decision:
        """Record a refusal that needs no policy; the refusal, which is that of the switch where one goes before."""
        halt = tx.switch.look(self._identity.grant)
        said = decision if halt is None else halted(halt)
        tx.audit.append(self.record(state, case, said, "", self._clock.now()))
        return said

    def _decide(
        self, tx: Transaction, case: Case, now: float, former: Exchange | None
    ) -> tuple[Decision, str, bytes | None]:
        """The decision of the policy in force at this moment, that policy's revision, and what a `repeat` looks for.

        It looks for nothing where a call has been let through once, or is a round of one.
        """
        halt = tx.switch.look(self._identity.grant)
        if halt is not None and case.kind == "call":
            return halted(halt), "", None
        policy = self._around.in_force()
        call = case.call
        if isinstance(policy, NoPolicy):
            return refuse_no_policy(policy.cause), "", None
        if call is None:
            return decide_request(policy, case.request.method, case.request.params), policy.revision, None
        same, ages = None, _NO_AGES
        if former is None and (most := policy.counts_same(call.tool)):
            same = identity_of(call)
            ages = self._recent.ages(same, self._clock.monotonic(), most)
        facts = self._facts(tx, case, call, policy, now=now, former=former, ages=ages)
        return decide(policy, call, facts), policy.revision, same

    def _facts(
        self,
        tx: Transaction,
        case: Case,
        call: ToolCall,
        policy: Policy,
        *,
        now: float,
        former: Exchange | None,
        ages: Sequence[float],
    ) -> Facts:
        """What is known of the tool, and what is true at this moment, but for the exchange that the call continues."""
        who, since, tally = self._identity, _NEVER, self.tally
        if policy.asks_since:
            tx.calls.look(who.server, who.grant, now)
            own = former.noted if former is not None else None
            since = tx.calls.since(who.server, who.grant, policy.asks_since, now, own)
        calls = tally.calls if former is None else tally.calls_but_one(call.tool)
        of_tool = self._around.facts(call.tool)
        return Facts(  # written out: this is made for every call, and `replace` takes three times as long
            of_tool.mirrored,
            of_tool.required_arguments,
            of_tool.schema,
            of_tool.annotations,
            Circumstances(now, who.grant, case.client.name, calls, tally.denials, since, ages),
            of_tool.pin,
        )

    def _continued(self, case: Case) -> tuple[int, Exchange | None]:
        """The exchange that a call continues, and its number. Nothing else does: a prompt may be named as a tool is."""
        found = self._exchanges.find(case.request, self._clock.monotonic()) if case.call is not None else None
        return found or (0, None)

    def tell(self, case: Case, admitted: Admission | Decision) -> None:
        """Count the call in this session: nothing is awaited between the decision and this, so the next one knows."""
        if case.call is None or case.kind != "call":
            return
        if isinstance(admitted, Decision) or admitted.record.effect != "allow":
            self.tally.denied()
        if isinstance(admitted, Admission) and admitted.former is None:
            self.tally.let_through(case.call.tool)
            if admitted.same is not None:
                self._recent.let_through(admitted.same, self._clock.monotonic())

    def denied(self) -> None:
        """Count in this session that a call was refused after all."""
        self.tally.denied()

    def remember_exchange(self, case: Case, admission: Admission, answer: Answer) -> None:
        """Whether the call may go on: it was asked for more, or what would have continued it certainly did not run."""
        former, now = admission.former, self._clock.monotonic()
        if case.call is None:
            return
        if former is not None and answer.fate in ("not sent", "refused"):
            self._exchanges.resume(case.request, replace(former, noted=admission.noted), now)
        elif answer.result is not None and is_input_required(answer.result):
            taken = frozenset(hold.charge.key for hold in admission.reservation.holds)
            begun = Exchange(case.id, taken, 1, admission.noted, admission.approved)
            if former is not None:
                begun = replace(
                    begun, decision_id=former.decision_id, charged=former.charged | taken, rounds=former.rounds + 1
                )
            self._exchanges.begin(case.request, answer.result, begun, now)

    def record(self, state: State, case: Case, decision: Decision, revision: str, now: float) -> Record:
        """What the log is told of a request, and of what was decided of it."""
        call = case.call
        arguments: Mapping[str, Json] = call.arguments if call else {}
        kept = self._keeping.of(call.tool if call else "", arguments, state.digest)
        who = self._identity
        return Record(  # by place, as it is made for every call: by name it takes eight times as long
            _kind(case, decision),
            case.id,
            now,
            who.grant,
            who.session,
            case.client.name,
            case.client.version,
            who.server,
            case.request.method,
            call.tool if call else "",
            revision,
            decision.effect if decision.effect in ("allow", "observe") else "deny",
            decision.rule,
            decision.reason,
            decision.message,
            kept.names,
            kept.digest,
            values=kept.values,
        )


def _kind(case: Case, decision: Decision) -> Kind:
    if case.kind == "self-test":
        return "self-test"
    return "decided" if decision.effect in ("allow", "observe") else "refused"
