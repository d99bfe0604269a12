"""The story of a call about which a person was asked: the question, its answer, and every call that they were for.

A call that was refused until somebody approves it, and the call that was let through afterwards, are two decisions; the
question is what they have in common. Their messages name it, and so do its own records, by their id.
"""

import re
import sqlite3
from collections.abc import Iterable
from typing import Final

from gateway.state.audit import Entry
from gateway.state.queries import of_call, story

_NAMED: Final = re.compile(r"(?:\bquestion |approvals approve )([2-9b-z]{5})\b")
_REASON: Final = "approval"
_CALLS: Final = (
    "SELECT DISTINCT decision_id FROM audit INDEXED BY audit_calls WHERE kind <> 'settled' AND at >= ? "
    "AND reason = ? AND grant_name = ? AND (message LIKE ? OR message LIKE ?) ORDER BY seq"
)


def whole_story(connection: sqlite3.Connection, decision_id: str) -> list[Entry]:
    """Every record of one call or question, of its rounds, and of what was asked and answered about it; in order."""
    found = {each.seq: each for each in story(connection, decision_id)}
    for number in _questions(found.values()):
        about = of_call(connection, number)
        found |= {each.seq: each for each in about}
        for call in _calls(connection, number, about):
            found |= {each.seq: each for each in story(connection, call)}
    return [found[seq] for seq in sorted(found)]


def _questions(records: Iterable[Entry]) -> list[str]:
    named: dict[str, None] = {}
    for each in records:
        if each.record.kind in ("question", "answer"):
            named[each.record.decision_id] = None
        elif each.record.reason == _REASON and (match := _NAMED.search(each.record.message)):
            named[match[1]] = None
    return list(named)


def _calls(connection: sqlite3.Connection, number: str, about: list[Entry]) -> list[str]:
    if not about:
        return []
    first = about[0].record
    bound = (first.at, _REASON, first.grant, f"%question {number}%", f"%approvals approve {number}%")
    return [call for (call,) in connection.execute(_CALLS, bound)]
