"""An answer is written down: in the store, where it counts, and in the log. The same for every channel.

Once there is a PIN, only who has given it approves: a channel that cannot ask for it may still deny.
"""

from gateway.approvals import Verdict, records
from gateway.state import Transaction
from gateway.state.approvals import Standing


def write(
    tx: Transaction,
    number: str,
    verdict: Verdict,
    now: float,
    *,
    by: str,
    note: str = "",
    seconds: float | None = None,
    proven: bool = False,
) -> Standing | None:
    """Answer a question; None where it is not open any more, or the answer does not count.

    `seconds`: how long a denial holds. `proven`: the PIN was given, if there is one.
    """
    pass_time(tx, now)
    if verdict == "approve" and not proven and tx.passcodes.get() is not None:
        return None
    standing = tx.approvals.answer(number, verdict, now, by=by, note=note, seconds=seconds)
    if standing is not None:
        tx.audit.append(records.answered(standing, now))
    return standing


def pass_time(tx: Transaction, now: float) -> None:
    """Let go of what has expired, and tell the log."""
    for question in tx.approvals.sweep(now):
        tx.audit.append(records.ended(question, "expired", now, "nobody answered, or used the approval, in time"))
