"""One judged request: decide, reserve, record, relay, settle, record.

The line of one call, in this order and no other:

1. The bytes that will be relayed are made from the parsed message before anything is decided: what is judged is what
   is relayed.
2. Whatever takes time comes first: loading a policy, opening the state, fetching the list of tools, waiting for the
   lock of the state file.
3. Then, at **one moment** and in one transaction, it is decided, all limits are reserved, and `decided` is recorded
   (`judging`). What cannot be recorded is refused: no record, no call. A call that a person has to approve waits here,
   with nothing recorded of it, and goes through 2 and 3 once more: the answer is only worth what it is bound to.
4. The request is relayed, once. Where it certainly did not run and is to be sent once more (another session, other
   headers, a sign-in), time has passed: it is decided again, on what is in force and announced then.
5. `settled` is recorded behind the answer (`settling`), and the reservation given back where the tool certainly did not
   run. A cancelled call is settled too. One that was cancelled before it was judged leaves a refusal that says so.
   One that the owner ended (`stop --now`) is cancelled as by its client, and answered with the refusal.

Refusals are values until `gateway.replies` writes them down. This module knows neither sockets nor files.
"""

import asyncio
import logging

from gateway import replies
from gateway.approvals.desk import Approved, Desk, Pending, Turn
from gateway.approvals.waiting import Waiting
from gateway.case import Case, CaseKind, Client, Forward, Identity, Surroundings
from gateway.clock import Clock
from gateway.errors import StateError
from gateway.halted import Underway
from gateway.jsonrpc import Message, serialise
from gateway.judging import Admission, Judge, Judged
from gateway.policies import NoPolicy
from gateway.policy import Decision, concealed, refuse_state, visible
from gateway.settling import Outcome, Settling
from gateway.state import SessionTally, State, Transaction
from gateway.state.arguments import Keeping
from gateway.state.ids import DecisionIds
from gateway.upstream import Answer

_LOG = logging.getLogger(__name__)


class Interceptor:
    """Judges requests one by one; any number may be on their way at once."""

    def __init__(
        self,
        identity: Identity,
        surroundings: Surroundings,
        clock: Clock,
        keeping: Keeping | None = None,
        *,
        underway: Underway | None = None,
        waiting: Waiting | None = None,
        desk: Desk | None = None,
        conceal: bool = False,
    ) -> None:
        self._waiting = waiting
        self._first = Turn(waits=waiting is not None)
        self._underway = underway or Underway()
        self._conceal = conceal
        self._around = surroundings
        self._clock = clock
        self._judge = Judge(identity, surroundings, clock, keeping, desk)
        self._settling = Settling()
        self._ids = DecisionIds()

    @property
    def tally(self) -> SessionTally:
        """What this session has done so far."""
        return self._judge.tally

    async def intercept(self, request: Message, client: Client, forward: Forward, kind: CaseKind = "call") -> bytes:
        """The line that answers `request`: the upstream's answer, a denial, or an error."""
        brought = self._waiting.resumed(request) if self._waiting is not None else None
        if brought is not None:
            request = brought[1].request
        turn = self._first if brought is None else self._first._replace(brought=brought)
        case = self._case(request, client, kind)
        self._underway.begins(case.id, request)
        try:
            return await self._intercept(case, forward, turn)
        except asyncio.CancelledError:
            ended = self._underway.ended(case.id)
            if ended is None:
                raise
            return replies.denial(request, ended, case.id)
        finally:
            self._underway.ends(case.id)

    async def _intercept(self, case: Case, forward: Forward, turn: Turn) -> bytes:
        request = case.request
        try:
            state = self._around.ready(case.call.tool) if case.call is not None else None
            if state is None:
                unknown = await self._prepared(case)
                state = await self._around.state()
                if unknown is not None:
                    return await self._unjudged(state, case, unknown)
            alone = self._underway.alone
            admitted = await self._settling.atomically(
                state, lambda tx: self._judge.admit(tx, state, case, turn), alone=alone
            )
            if isinstance(admitted, Pending | Approved):
                answered = await self._after_asking(state, case, turn, admitted)
                if isinstance(answered, bytes):
                    return answered
                admitted = answered
        except asyncio.CancelledError:  # what was admitted is beyond this: a transaction that has begun does not wait
            await asyncio.shield(self._note_cancelled(case))
            raise
        except StateError as error:
            _LOG.error("call refused, because it could not be recorded: %s", error)
            return replies.denial(request, refuse_state(error.told), case.id)
        except Exception:  # noqa: BLE001  # one of the two places that may: a fault of ours refuses
            _LOG.exception("call refused, because judging it failed")
            return replies.denial(request, refuse_state(), case.id)
        self._judge.tell(case, admitted)
        if isinstance(admitted, Decision):
            return replies.denial(request, self._said(case, admitted), case.id)
        return await self._relay(case, admitted, forward)

    async def withdrawn(self, request: Message, client: Client) -> None:
        """Record a request that was taken back before its turn came."""
        await self._note_cancelled(self._case(request, client))

    async def halted(self) -> Decision | None:
        """What keeps the agent from everything that is not only looking, at this moment."""
        try:
            return self._judge.halted(await self._around.state())
        except StateError as error:
            return refuse_state(error.told)

    async def settle(self, patience: float) -> None:
        """Write what came of the calls so far, for up to `patience` seconds."""
        await self._settling.finish(patience)

    async def refuse(self, request: Message, client: Client, decision: Decision) -> bytes:
        """The line that refuses `request` without a look at it, because no policy can be relied on."""
        case = self._case(request, client)
        try:
            state = await self._around.state()
            decision = await self._settling.atomically(state, lambda tx: self._judge.refuse(tx, state, case, decision))
        except StateError as error:
            _LOG.error("call refused, because it could not be recorded: %s", error)
            decision = refuse_state(error.told)
        self._judge.denied()
        return replies.denial(request, decision, case.id)

    def _case(self, request: Message, client: Client, kind: CaseKind = "call") -> Case:
        identifier = self._ids.next(self._clock.now())
        return Case.of(identifier, request, serialise(request.body), client, self._clock.monotonic(), kind=kind)

    # --- asking a person ----------------------------------------------------------------------------------------------

    async def _after_asking(self, state: State, case: Case, turn: Turn, judged: Judged) -> Admission | Decision | bytes:
        """What a call comes to that a person has to approve; a line, where that is answered already."""
        until = case.started if self._waiting is None else self._waiting.ends(case.started)
        line, asked = None, ""
        try:
            while isinstance(judged, Pending | Approved):
                turn = turn._replace(durable=True)
                if isinstance(judged, Pending) and self._waiting is not None:
                    turn = turn._replace(held=judged.question.id)
                    line = await self._waiting.wait(state, judged.question, case.request, until)
                    turn = turn._replace(waits=line is None and self._waiting.may_wait(until))
                    unknown = await self._prepared(case)
                    if unknown is not None:
                        await self._take_back(state, turn.held)
                        return await self._unjudged(state, case, unknown)
                judged = await self._judge_durably(state, case, turn)
                asked, turn = turn.held, turn._replace(held="")
        except asyncio.CancelledError:
            if turn.held:
                await asyncio.shield(self._take_back(state, turn.held))
            raise
        if line is not None and isinstance(judged, Decision) and judged.question == asked:
            self._judge.tell(case, judged)
            return line
        return judged

    async def _judge_durably(self, state: State, case: Case, turn: Turn) -> Judged:
        """Judge in a transaction that is on the disk when it ends: no power cut brings an approval back."""
        with state.durably():
            return await self._settling.atomically(state, lambda tx: self._judge.admit(tx, state, case, turn))

    async def _take_back(self, state: State, number: str) -> None:
        try:
            await self._settling.atomically(state, lambda tx: self._judge.take_back(tx, number))
        except StateError as error:
            _LOG.error("question %s could not be withdrawn, and stays until it expires: %s", number, error)

    # --- deciding -----------------------------------------------------------------------------------------------------

    async def _prepared(self, case: Case) -> Answer | None:
        """Wait for whatever deciding needs: after this, it needs no time. An answer where the tool cannot be known."""
        policy = await self._around.prepare()
        call = case.call
        if call is None or isinstance(policy, NoPolicy):
            return None
        return await self._around.look_up(call.tool, case.request)

    async def _unjudged(self, state: State, case: Case, answer: Answer) -> bytes:
        """The answer to a call that could not be judged, because the upstream did not say what its tools are."""
        await self._settling.atomically(state, lambda tx: self._refuse_unjudged(tx, state, case, answer))
        return replies.failure(case.request, answer.failure or "no answer", answer)

    def _refuse_unjudged(self, tx: Transaction, state: State, case: Case, answer: Answer) -> None:
        record = self._judge.record(state, case, _unjudged(answer), "", self._clock.now())
        tx.audit.append(record._replace(upstream_status=answer.status))

    async def _note_cancelled(self, case: Case) -> None:
        """A call that its client took back before it was judged, or that the owner ended: nothing of it was sent."""
        decision = self._underway.refusal(case.id, sent=False) or Decision(
            "deny", "(cancelled)", "cancelled", "cancelled by the client before it was judged"
        )
        try:
            state = await self._around.state()
            record = self._judge.record(state, case, decision, "", self._clock.now())._replace(outcome="cancelled")
            await self._settling.atomically(state, lambda tx: tx.audit.append(record))
        except StateError as error:
            _LOG.error("a call that was cancelled before it was judged could not be recorded: %s", error)

    # --- relaying -----------------------------------------------------------------------------------------------------

    async def _relay(self, case: Case, admission: Admission, forward: Forward) -> bytes:
        refused: list[Decision] = []

        async def still() -> bool:
            refused.extend(await self._refused_by_now(case, admission))
            return not refused

        if self._underway.alone:
            self._settling.pause()
        try:
            answer = await forward(case.body, still)
        except asyncio.CancelledError:
            ended = self._underway.refusal(case.id, sent=True)
            if ended is not None:
                admission = admission._replace(record=admission.record._replace(message=ended.message))
            self._settle(case, admission, Answer("unknown", failure="cancelled"))
            raise
        except Exception:  # noqa: BLE001  # as above: a fault of ours must not leave a call unsettled
            _LOG.exception("relaying failed")
            answer = Answer("unknown", failure="internal error of the gateway while relaying: see its log")
        if refused:
            self._judge.denied()
            said = f"not sent once more: refused by `{refused[0].rule}` by then: {refused[0].message}"
            admission = admission._replace(record=admission.record._replace(message=said))
        self._judge.remember_exchange(case, admission, answer)
        self._settle(case, admission, answer)
        if refused:
            return replies.denial(case.request, self._said(case, refused[0]), case.id)
        if answer.response is None:
            return replies.failure(case.request, answer.failure or "no answer", answer)
        return replies.relayed(answer.response)

    def _said(self, case: Case, decision: Decision) -> Decision:
        """What the client reads of a refusal; the record keeps what was decided."""
        if not self._conceal or case.kind != "call" or case.call is None:
            return decision
        policy = self._around.in_force()
        hides = not isinstance(policy, NoPolicy) and not visible(policy, case.call.tool)
        return concealed(decision, case.call.tool, hides=hides)

    async def _refused_by_now(self, case: Case, admission: Admission) -> list[Decision]:
        """What refuses a call that was let through, where something does by now. What it was charged stays as it is."""
        try:
            unknown = await self._prepared(case)
            if unknown is not None:
                return [_unjudged(unknown)]
            decision = await admission.state.atomically(lambda tx: self._judge.again(tx, case, admission))
        except StateError as error:
            return [refuse_state(error.told)]
        return [] if decision.effect in ("allow", "observe") else [decision]

    def _settle(self, case: Case, admission: Admission, answer: Answer) -> None:
        outcome = Outcome(
            admission.record,
            self._clock.now(),
            replies.outcome(answer),
            answer.status,
            (self._clock.monotonic() - case.started) * 1000,
            admission.reservation if answer.fate in ("not sent", "refused") else None,
        )
        self._settling.add(admission.state, outcome)


def _unjudged(answer: Answer) -> Decision:
    """The refusal of a call that cannot be judged: the upstream did not say what its tools are."""
    return Decision("deny", "(upstream)", "upstream", answer.failure or "")
