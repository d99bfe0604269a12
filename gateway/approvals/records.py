"""What the audit log is told of questions: that one was asked, and how it ended. Never a value of an argument.

Both records have the id of the question in the place of a decision's, so that a person finds them by what was typed.
"""

from typing import Final, Literal, TypeAlias

from gateway.policy import Effect
from gateway.state import Record
from gateway.state.approvals import Question, Standing

End: TypeAlias = Literal["approved", "denied", "withdrawn", "expired"]
_EFFECTS: Final[dict[End, Effect]] = {"approved": "allow", "denied": "deny", "withdrawn": "deny", "expired": "deny"}


def asked(question: Question, call: str, now: float) -> Record:
    """A question was asked on behalf of the call with the decision id `call`."""
    return _record(question, now, "approve", f"asked for decision {call}: {question.reason}")


def ended(question: Question, end: End, now: float, message: str) -> Record:
    """A question has ended."""
    return _record(question, now, _EFFECTS[end], message)._replace(kind="answer", outcome=end)


def answered(standing: Standing, now: float) -> Record:
    """A person has answered."""
    end: End = "approved" if standing.status == "approved" else "denied"
    note = f": {standing.note}" if standing.note else ""
    return ended(standing.question, end, now, f"{end} {place(standing.answered_by)}{note}")


def place(channel: str) -> str:
    """Where an answer came from, as it stands behind `approved`."""
    return f"by a person ({channel})"


def _record(question: Question, now: float, effect: Effect, message: str) -> Record:
    return Record(
        kind="question",
        decision_id=question.id,
        at=now,
        grant=question.grant,
        session=question.session,
        client_name=question.client_name,
        client_version=question.client_version,
        server=question.server,
        method="tools/call",
        tool=question.tool,
        policy_revision=question.policy_revision,
        effect=effect,
        rule=question.rule,
        reason="approval",
        message=message,
        argument_names=tuple(question.arguments),
    )
