"""One judged request: decide, reserve, record, relay, settle, record.

The line of one call, in this order and no other:

1. The bytes that will be relayed are made from the parsed message before anything is decided: what is judged is what
   is relayed.
2. Whatever takes time comes first: loading a policy, opening the state, fetching the list of tools, waiting for the
   lock of the state file.
3. Then, at **one moment** and in one transaction: `decide` answers from values (the policy in force, the call, what is
   mirrored of the tool), all limits are reserved, and `decided` is recorded. A limit that is used up turns the record
   into a refusal. What cannot be recorded is refused: no record, no call.
4. The request is relayed, once. Where it certainly did not run and is to be sent once more (another session, other
   headers, a sign-in), time has passed: it is decided again, on what is in force and announced then.
5. `settled` is recorded behind the answer (`settling`), and the reservation given back where the tool certainly did not
   run. A cancelled call is settled too. One that was cancelled before it was judged leaves a refusal that says so.

A call that continues an exchange (`input_required`; which one does is for `exchanges` to say) goes the same way and has
records of its own, which name the decision that began it. It is charged only for what that one was not: a limit that
the policy has got meanwhile. What the first round took is never given back, because that round was answered.

Refusals are values until `gateway.replies` writes them down. This module knows neither sockets nor files.
"""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from gateway import replies
from gateway.case import Case, Client, Forward, Identity, Surroundings
from gateway.clock import Clock
from gateway.errors import StateError
from gateway.exchanges import Exchange, Exchanges, is_input_required
from gateway.jsonrpc import Json, Message, serialise
from gateway.policies import NoPolicy
from gateway.policy import (
    Circumstances,
    Decision,
    Facts,
    Policy,
    ToolCall,
    concealed,
    decide,
    decide_request,
    refuse_limit,
    refuse_no_policy,
    refuse_state,
)
from gateway.settling import Outcome, Settling
from gateway.state import Charging, Exhausted, Noted, Record, Reservation, SessionTally, State, Taken, Transaction, take
from gateway.state.arguments import Keeping
from gateway.upstream import Answer

_LOG = logging.getLogger(__name__)
_NEVER: Mapping[str, Decimal] = {}


class Interceptor:
    """Judges requests one by one; any number may be on their way at once."""

    def __init__(
        self,
        identity: Identity,
        surroundings: Surroundings,
        clock: Clock,
        keeping: Keeping | None = None,
        *,
        conceal: bool = False,
    ) -> None:
        self._conceal = conceal
        self._identity = identity
        self._around = surroundings
        self._clock = clock
        self._keeping = keeping or Keeping()
        self._exchanges = Exchanges()
        self._settling = Settling()
        self._tally = SessionTally()
        self._charging = Charging(server=identity.server, grant=identity.grant, session=identity.session)

    async def intercept(self, request: Message, client: Client, forward: Forward) -> bytes:
        """The line that answers `request`: the upstream's answer, a denial, or an error."""
        case = self._case(request, client)
        try:
            unknown = await self._prepared(case)
            state = await self._around.state()
            if unknown is not None:
                await self._settling.atomically(state, lambda tx: self._refuse_unjudged(tx, state, case, unknown))
                return replies.failure(request, unknown.failure or "no answer", unknown)
            admitted = await self._settling.atomically(state, lambda tx: self._admit(tx, state, case))
        except asyncio.CancelledError:  # what was admitted is beyond this: a transaction that has begun does not wait
            await asyncio.shield(self._note_cancelled(case))
            raise
        except StateError as error:
            _LOG.error("call refused, because it could not be recorded: %s", error)
            return replies.denial(request, refuse_state(error.told), case.id)
        except Exception:  # noqa: BLE001  # one of the two places that may: a fault of ours refuses
            _LOG.exception("call refused, because judging it failed")
            return replies.denial(request, refuse_state(), case.id)
        self._tell(case, admitted)
        if isinstance(admitted, Decision):
            return replies.denial(request, self._said(case, admitted), case.id)
        return await self._relay(case, admitted, forward)

    async def withdrawn(self, request: Message, client: Client) -> None:
        """Record a request that was taken back before its turn came."""
        await self._note_cancelled(self._case(request, client))

    async def settle(self, patience: float) -> None:
        """Write what came of the calls so far, for up to `patience` seconds."""
        await self._settling.finish(patience)

    def _case(self, request: Message, client: Client) -> Case:
        return Case(secrets.token_hex(8), request, serialise(request.body), client, self._clock.monotonic())

    # --- deciding -----------------------------------------------------------------------------------------------------

    async def _prepared(self, case: Case) -> Answer | None:
        """Wait for whatever deciding needs: after this, it needs no time. An answer where the tool cannot be known."""
        policy = await self._around.prepare()
        call = case.call
        if call is None or isinstance(policy, NoPolicy):
            return None
        return await self._around.look_up(call.tool, case.request)

    def _decide(self, tx: Transaction, case: Case, now: float, former: Exchange | None) -> tuple[Decision, str]:
        """The decision of the policy in force at this moment, and that policy's revision."""
        policy = self._around.in_force()
        call = case.call
        if isinstance(policy, NoPolicy):
            return refuse_no_policy(policy.cause), ""
        if call is None:
            return decide_request(policy, case.request.method, case.request.params), policy.revision
        return decide(policy, call, self._facts(tx, case, call, policy, now=now, former=former)), policy.revision

    def _facts(
        self, tx: Transaction, case: Case, call: ToolCall, policy: Policy, *, now: float, former: Exchange | None
    ) -> Facts:
        """What is known of the tool, and what is true at this moment, but for the exchange that the call continues."""
        who, since, tally = self._identity, _NEVER, self._tally
        if policy.asks_since:
            tx.calls.look(who.server, who.grant, now)
            own = former.noted if former is not None else None
            since = tx.calls.since(who.server, who.grant, policy.asks_since, now, own)
        calls = tally.calls if former is None else tally.calls_but_one(call.tool)
        circumstances = Circumstances(now, who.grant, case.client.name, calls, tally.denials, since)
        return replace(self._around.facts(call.tool), circumstances=circumstances)

    def _admit(self, tx: Transaction, state: State, case: Case) -> "_Admission | Decision":
        """Decide, reserve and record, at one moment. A refusal comes back as the decision that says so."""
        now = self._clock.now()
        number, former = self._continued(case)
        decision, revision = self._decide(tx, case, now, former)
        arguments = case.call.arguments if case.call else {}
        charged = former.charged if former is not None else frozenset()
        charges = [
            charge
            for charge in self._charging.of(decision.limits, arguments, state.digest)
            if charge.key not in charged
        ]
        taken: Taken | Exhausted | None = None
        if decision.effect == "approve":
            taken = tx.counters.peek(charges, now)
            decision = _without_channel(decision)
        elif decision.effect in ("allow", "observe"):
            taken = take(tx.counters, charges, now)
        if isinstance(taken, Exhausted):
            decision = refuse_limit(taken.charge.limit, taken.retry_after_seconds)
        elif taken is not None and taken.would is not None:
            would = refuse_limit(taken.would.charge.limit, taken.would.retry_after_seconds)
            decision = replace(would, effect="observe")
        record = self._record(state, case, decision, revision, now)
        if former is not None and isinstance(taken, Taken) and decision.effect == "allow":
            said = f"round {former.rounds + 1} of the call that decision {former.decision_id} began"
            record = replace(record, message=said)
        tx.audit.append(record)
        if not isinstance(taken, Taken):
            return decision
        noted = None
        if case.call is not None:
            own = former.noted if former is not None else None
            noted = tx.calls.note(self._identity.server, self._identity.grant, case.call.tool, now, own)
        self._exchanges.take(number)
        return _Admission(state, taken.reservation, record, former, noted)

    def _continued(self, case: Case) -> tuple[int, Exchange | None]:
        """The exchange that a call continues, and its number. Nothing else does: a prompt may be named as a tool is."""
        found = self._exchanges.find(case.request, self._clock.monotonic()) if case.call is not None else None
        return found or (0, None)

    def _tell(self, case: Case, admitted: "_Admission | Decision") -> None:
        """Count the call in this session: nothing is awaited between the decision and this, so the next one knows."""
        if case.call is None:
            return
        if isinstance(admitted, Decision) or admitted.record.effect != "allow":
            self._tally.denied()
        if isinstance(admitted, _Admission) and admitted.former is None:
            self._tally.let_through(case.call.tool)

    def _refuse_unjudged(self, tx: Transaction, state: State, case: Case, answer: Answer) -> None:
        """A call that could not be judged, because the upstream did not say what its tools are."""
        record = self._record(state, case, _unjudged(answer), "", self._clock.now())
        tx.audit.append(replace(record, upstream_status=answer.status))

    async def _note_cancelled(self, case: Case) -> None:
        """A call that its client took back before it was judged: nothing of it was sent."""
        decision = Decision("deny", "(cancelled)", "cancelled", "cancelled by the client before it was judged")
        try:
            state = await self._around.state()
            record = replace(self._record(state, case, decision, "", self._clock.now()), outcome="cancelled")
            await self._settling.atomically(state, lambda tx: tx.audit.append(record))
        except StateError as error:
            _LOG.error("a call that was cancelled before it was judged could not be recorded: %s", error)

    # --- relaying -----------------------------------------------------------------------------------------------------

    async def _relay(self, case: Case, admission: "_Admission", forward: Forward) -> bytes:
        refused: list[Decision] = []

        async def still() -> bool:
            refused.extend(await self._refused_by_now(case, admission))
            return not refused

        try:
            answer = await forward(case.body, still)
        except asyncio.CancelledError:
            self._settle(case, admission, Answer("unknown", failure="cancelled"))
            raise
        except Exception:  # noqa: BLE001  # as above: a fault of ours must not leave a call unsettled
            _LOG.exception("relaying failed")
            answer = Answer("unknown", failure="internal error of the gateway while relaying: see its log")
        if refused:
            self._tally.denied()
            said = f"not sent once more: refused by `{refused[0].rule}` by then: {refused[0].message}"
            admission = replace(admission, record=replace(admission.record, message=said))
        self._remember_exchange(case, admission, answer)
        self._settle(case, admission, answer)
        if refused:
            return replies.denial(case.request, self._said(case, refused[0]), case.id)
        if answer.response is None:
            return replies.failure(case.request, answer.failure or "no answer", answer)
        return replies.relayed(answer.response)

    def _said(self, case: Case, decision: Decision) -> Decision:
        """What the client reads of a refusal; the record keeps what was decided."""
        return concealed(decision, case.call.tool) if self._conceal and case.call is not None else decision

    async def _refused_by_now(self, case: Case, admission: "_Admission") -> list[Decision]:
        """What refuses a call that was let through, where something does by now. What it was charged stays as it is."""
        own = Exchange(case.id, frozenset(), 1, admission.noted)
        try:
            unknown = await self._prepared(case)
            if unknown is not None:
                return [_unjudged(unknown)]
            decision, _ = await admission.state.atomically(lambda tx: self._decide(tx, case, self._clock.now(), own))
        except StateError as error:
            return [refuse_state(error.told)]
        return [] if decision.effect in ("allow", "observe") else [_without_channel(decision)]

    def _settle(self, case: Case, admission: "_Admission", answer: Answer) -> None:
        record = replace(
            admission.record,
            kind="settled",
            at=self._clock.now(),
            outcome=replies.outcome(answer),
            upstream_status=answer.status,
            latency_ms=(self._clock.monotonic() - case.started) * 1000,
        )
        released = admission.reservation if answer.fate in ("not sent", "refused") else None
        self._settling.add(admission.state, Outcome(record, released))

    def _remember_exchange(self, case: Case, admission: "_Admission", answer: Answer) -> None:
        """Whether the call may go on: it was asked for more, or what would have continued it certainly did not run."""
        former, now = admission.former, self._clock.monotonic()
        if case.call is None:
            return
        if former is not None and answer.fate in ("not sent", "refused"):
            self._exchanges.resume(case.request, replace(former, noted=admission.noted), now)
        elif answer.result is not None and is_input_required(answer.result):
            taken = frozenset(hold.charge.key for hold in admission.reservation.holds)
            begun = Exchange(case.id, taken, 1, admission.noted)
            if former is not None:
                begun = Exchange(former.decision_id, former.charged | taken, former.rounds + 1, admission.noted)
            self._exchanges.begin(case.request, answer.result, begun, now)

    def _record(self, state: State, case: Case, decision: Decision, revision: str, now: float) -> Record:
        call = case.call
        arguments: Mapping[str, Json] = call.arguments if call else {}
        kept = self._keeping.of(call.tool if call else "", arguments, state.digest)
        return Record(
            kind="decided" if decision.effect in ("allow", "observe") else "refused",
            decision_id=case.id,
            at=now,
            grant=self._identity.grant,
            session=self._identity.session,
            client_name=case.client.name,
            client_version=case.client.version,
            server=self._identity.server,
            method=case.request.method,
            tool=call.tool if call else "",
            policy_revision=revision,
            effect=decision.effect if decision.effect in ("allow", "observe") else "deny",
            rule=decision.rule,
            reason=decision.reason,
            message=decision.message,
            argument_names=kept.names,
            argument_digest=kept.digest,
            values=kept.values,
        )


@dataclass(frozen=True, slots=True)
class _Admission:
    """What a call that may be relayed holds: its reservation, the record that says so, the exchange it continues.

    `noted` is how the state file knows of it.
    """

    state: State
    reservation: Reservation
    record: Record
    former: Exchange | None = None
    noted: Noted | None = None


def _unjudged(answer: Answer) -> Decision:
    """The refusal of a call that cannot be judged: the upstream did not say what its tools are."""
    return Decision("deny", "(upstream)", "upstream", answer.failure or "")


def _without_channel(decision: Decision) -> Decision:
    """Until a person can be asked, a call that needs approval is refused, and the refusal says so."""
    if decision.effect != "approve":
        return decision
    text = "this version of the gateway cannot ask a person yet, so it refuses; the owner of the policy can change that"
    return replace(decision, message=f"{decision.message} ({text})", limits=())
