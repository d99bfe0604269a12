"""What obliges to ask, against what persons have said: within the transaction in which a call is decided.

An answer is bound to all of this, and to nothing less (threat B22): the grant, the server, the tool and its definition
as announced, everything that the call carries but its `_meta`, the revision of the policy in force, and every rule that
obliges to ask. A call that differs in any of it is another call, about which somebody is asked anew.

`remember` covers a call if each of those rules has been answered before for the same values at its paths. A path that
finds nothing is a value too: it covers calls that have nothing there either. One that cannot be followed covers none.

What decides that an approval is worth something is here and nowhere else: the policy obliges to ask, so it is asked
again, with the policy in force at the moment of the call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple, Self

from gateway.approvals import Resumed, answers, records
from gateway.approvals.typed import program
from gateway.case import Case, Identity
from gateway.exchanges import Exchange
from gateway.jsonrpc import Json, canonical
from gateway.policy import Decision
from gateway.policy.decision import Approval
from gateway.policy.paths import select
from gateway.policy.values import UNJUDGEABLE, Missing
from gateway.state import State, Transaction
from gateway.state.approvals import Covering, Full, Question, Standing

_LONGEST_REASON: Final = 1000
_BESIDE: Final = "(beside the arguments)"
_CALL: Final = frozenset({"name", "arguments", "_meta"})

Binding = tuple[str, ...]
"""What an answer is bound to besides grant, server, tool and arguments: definition, revision, rules."""


class Turn(NamedTuple):
    """How a call comes to be judged: for the first time, or after it has waited for the answer to a question.

    `held` is the question that it waited for. `waits`: it may wait (again). `durable`: what is committed is on the disk
    then. `brought` is the answer that it brings itself, and the name of the channel that sealed it.
    """

    held: str = ""
    waits: bool = True
    durable: bool = False
    brought: tuple[str, Resumed] | None = None


FIRST: Final = Turn()


@dataclass(frozen=True, slots=True)
class Matter:
    """A call, the decision that a person must approve it, and what an answer to that is bound to."""

    state: State
    case: Case
    decision: Decision
    binding: Binding

    @property
    def tool(self) -> str:
        return self.case.call.tool if self.case.call else ""

    @property
    def arguments(self) -> Mapping[str, Json]:
        return self.case.call.arguments if self.case.call else {}

    @classmethod
    def of(cls, state: State, case: Case, decision: Decision, definition: str, revision: str) -> Self:
        """`definition` stands for the tool as announced; the answer is bound to it, the policy, and every rule."""
        return cls(state, case, decision, (definition, revision, *(each.rule for each in decision.approvals)))

    def passes(self, why: str) -> tuple[Decision, Binding]:
        """The call may be made as far as persons go; the log is told why."""
        return self.decision._replace(effect="allow", message=why), self.binding

    def digest(self, what: list[Json]) -> str:
        return self.state.digest(b"approval\0" + canonical(what))


@dataclass(frozen=True, slots=True)
class Pending:
    """A person has to be asked; the call is counted among those that wait. Nothing was recorded of the call itself."""

    question: Question


@dataclass(frozen=True, slots=True)
class Approved:
    """There is an approval, and it is still there: it is used by a transaction that no power cut undoes."""


class Desk:
    """Knows what was asked on behalf of one session. Everything runs within a transaction, and awaits nothing."""

    def __init__(self, identity: Identity, *, state_is_usual: bool = True) -> None:
        self._identity = identity
        self._usual = state_is_usual

    def stand(
        self, tx: Transaction, matter: Matter, turn: Turn, now: float, former: Exchange | None
    ) -> tuple[Decision, Binding] | Pending | Approved:
        """What becomes of a call that a person has to approve: the decision, and what an approval was bound to.

        `former` is the exchange that the call continues, and whose approval goes on.
        """
        if former is not None and former.approved == matter.binding:
            return matter.passes("approved with the first round")
        answers.pass_time(tx, now)
        covers = self._coverings(matter)
        keys = {each.key for each in covers}
        if all(keys) and tx.approvals.covered(keys, now) == keys:
            return matter.passes("covered by what a person has approved before (`remember`)")
        identity = matter.digest([self._whole(matter.case), *matter.binding])
        standing = _answered(tx, tx.approvals.open(identity), turn, now)
        if standing is None and turn.held and tx.approvals.statuses([turn.held]).get(turn.held) == "expired":
            return _refused(matter.decision, "Nobody answered in time; the same call asks once more."), ()
        if standing is None:
            asked = tx.approvals.ask(self._question(matter, covers), identity, now)
            if isinstance(asked, Full):
                return _refused(matter.decision, f"Nobody can be asked: {asked.why}."), ()
            tx.audit.append(records.asked(asked.question, matter.case.id, now))
            standing = asked
        question = standing.question
        if standing.status == "approved":
            if not turn.durable:
                return Approved()
            tx.approvals.use(question.id)
            return matter.passes(f"approved {records.place(standing.answered_by)}, question {question.id}")
        if standing.status == "denied":
            return _denied(matter.decision, standing), ()
        if not turn.waits:
            return self._required(matter.decision, question), ()
        tx.approvals.join(question.id)
        return Pending(question)

    def let_go(self, tx: Transaction, number: str, now: float, *, stays: bool, why: str) -> None:
        """A call waits no more for a question, which goes if it is not to stay, and nobody else waits for it."""
        left = tx.approvals.leave(number)
        question = None if stays or left else tx.approvals.withdraw(number)
        if question is not None:
            tx.audit.append(records.ended(question, "withdrawn", now, why))

    def _question(self, matter: Matter, covers: Sequence[Covering]) -> Question:
        who, client, decision = self._identity, matter.case.client, matter.decision
        reasons = dict.fromkeys(approval.text for approval in decision.approvals)
        return Question(
            id="",
            tool=matter.tool,
            arguments=_seen(matter),
            rule=decision.rule,
            reason=" ".join(reasons)[:_LONGEST_REASON],
            grant=who.grant,
            server=who.server,
            session=who.session,
            client_name=client.name,
            client_version=client.version,
            asked_at=0.0,
            expires_at=0.0,
            remember=tuple(covers) if all(each.key for each in covers) else (),
            timeout=min(approval.timeout for approval in decision.approvals),
            policy_revision=matter.binding[1],
        )

    def _required(self, decision: Decision, question: Question) -> Decision:
        """The refusal of a call about which nobody has answered yet: what a person has to do, and until when.

        A model reads it, and nobody else may: so it says what to tell the person, and that this is theirs to do.
        """
        where = "" if self._usual else ", with the `--state` that this gateway was started with"
        said = (
            f"{decision.message}{_stop(decision.message)} A person has to approve this call; nothing was sent. "
            f"Tell them to run `{program()} approvals approve {question.id}`{where}, in a terminal on this machine, "
            f"before {_clock(question.expires_at)}; that is theirs to do, not yours. "
            "When they have done so, make exactly the same call once more: it passes, once."
        )
        return decision._replace(message=said, limits=(), question=question.id)

    # --- what an answer is bound to -----------------------------------------------------------------------------------

    def _whole(self, case: Case) -> Json:
        """Everything of the call that the server will see, but for what is about the way there."""
        params = {name: value for name, value in case.request.params.items() if name != "_meta"}
        who = self._identity
        return [who.grant, who.server, {**params, "arguments": params.get("arguments") or {}}]

    def _coverings(self, matter: Matter) -> tuple[Covering, ...]:
        """For each rule what an answer to it covers; without a key where it covers nothing but the call."""
        about = [self._identity.grant, self._identity.server, matter.tool, *matter.binding[:2]]
        return tuple(_covering(matter, approval, about) for approval in matter.decision.approvals)


def _seen(matter: Matter) -> Mapping[str, Json]:
    """What a person is shown of the call: whatever the answer is bound to that the server reads, not arguments alone.

    Answers to questions that nobody asked (`inputResponses`) say as much to a server as arguments do.
    """
    seen = dict(matter.arguments)
    for name, value in matter.case.request.params.items():
        if name not in _CALL:
            label = f"{_BESIDE} {name}"
            while label in seen:  # an argument of that very name hides nothing
                label = f"{_BESIDE} {label}"
            seen[label] = value
    return seen


def _answered(tx: Transaction, standing: Standing | None, turn: Turn, now: float) -> Standing | None:
    """The question as it stands with the answer that the call brings itself, if it is the answer to this one."""
    if standing is None or standing.status != "pending" or turn.brought is None:
        return standing
    channel, brought = turn.brought
    if brought.verdict is None or brought.question != standing.question.id:
        return standing
    return answers.write(tx, brought.question, brought.verdict, now, by=channel) or standing


def _covering(matter: Matter, approval: Approval, about: Sequence[str]) -> Covering:
    texts = tuple(path.text for path in approval.paths)
    found = [select(path, matter.arguments) for path in approval.paths]
    if not texts or any(item is UNJUDGEABLE for items in found for item in items):
        return Covering(texts, approval.seconds)
    values: Json = [[[] if isinstance(item, Missing) else [item] for item in items] for items in found]
    return Covering(texts, approval.seconds, matter.digest([*about, approval.rule, list(texts), values]))


def _refused(decision: Decision, why: str) -> Decision:
    said = decision.message
    return Decision("deny", decision.rule, "approval", f"{said}{_stop(said)} {why}")


def _denied(decision: Decision, standing: Standing) -> Decision:
    note = f": {standing.note}" if standing.note else ""
    cure = "" if standing.note else " Ask them what they want instead, before anything that comes to the same."
    said = (
        f"A person has denied this call{note}{_stop(standing.note)} "
        f"The same call stays denied until {_clock(standing.question.expires_at)}.{cure}"
    )
    return Decision("deny", decision.rule, "approval", said, question=standing.question.id)


def _stop(text: str) -> str:
    return "" if text[-1:] in (".", "!", "?") else "."


def _clock(moment: float) -> str:
    """A moment as the clock on the wall shows it."""
    return f"{datetime.fromtimestamp(moment, UTC).astimezone():%Y-%m-%d %H:%M:%S %Z}"
