"""Which calls of an audit log were the same, for the `repeat` of a policy that they are replayed under.

The log tells by the digest of the arguments, which is of the bytes that were sent: two calls with one digest were the
same. Arguments that were only written otherwise have another one, so less is refused here than in earnest. Where no
digest was kept, a call may have been the same as any other of its tool: nobody can tell, unless there were too few.

A round of an exchange is no call of its own. Bounded: of every session the last calls, and of the last sessions.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.authoring.partial import CannotTell
from gateway.policy import Policy
from gateway.policy.decision import Repeat
from gateway.state import Record
from gateway.state.recent import RecentCalls

_MOST_SESSIONS: Final = 1000
_MOST_CALLS: Final = 2000
_ROUND: Final = re.compile(r"round [0-9]+ of the call that decision ")
_UNKNOWN: Final = "whether the arguments were the same (no digest was kept)"


@dataclass(frozen=True, slots=True)
class _Session:
    """Internal: the calls of one session by tool and digest, all those of a tool, and those without a digest."""

    same: RecentCalls = field(default_factory=lambda: RecentCalls(_MOST_CALLS))
    any: RecentCalls = field(default_factory=lambda: RecentCalls(_MOST_CALLS))
    unknown: RecentCalls = field(default_factory=lambda: RecentCalls(_MOST_CALLS))


class Loops:
    """What the calls that were let through so far tell of the next one."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def ages(self, record: Record) -> Sequence[float]:
        """How long ago the same call was certainly made, the last time first."""
        key = _key(record)
        if key is None or not self._counts(record):
            return ()
        return self._session(record).same.ages(key, record.at)

    def doubt(self, record: Record) -> CannotTell | None:
        """That nobody can tell whether a call which is not refused was one too often."""
        if not self._counts(record):
            return None
        session, key, tool = self._session(record), _key(record), record.tool.encode()
        if key is None:
            perhaps = session.any.ages(tool, record.at)
        else:
            perhaps = sorted((*session.same.ages(key, record.at), *session.unknown.ages(tool, record.at)))
        rules = tuple(repeat.rule for repeat in self._repeats(record.tool) if _loops(repeat, perhaps))
        return CannotTell(rules, (_UNKNOWN,)) if rules else None

    def remember(self, record: Record) -> None:
        """A call that is let through."""
        if not self._counts(record):
            return
        session, key, tool = self._session(record), _key(record), record.tool.encode()
        session.any.let_through(tool, record.at)
        if key is None:
            session.unknown.let_through(tool, record.at)
        else:
            session.same.let_through(key, record.at)

    def _counts(self, record: Record) -> bool:
        return bool(self._policy.counts_same(record.tool)) and _ROUND.match(record.message) is None

    def _repeats(self, tool: str) -> Sequence[Repeat]:
        found = (repeat for layer in self._policy.layers for repeat in layer.applied(tool).repeats)
        return [repeat for repeat in found if not repeat.observed]

    def _session(self, record: Record) -> _Session:
        found = self._sessions.setdefault(record.session, _Session())
        self._sessions.move_to_end(record.session)
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return found


def _loops(repeat: Repeat, ages: Sequence[float]) -> bool:
    return len(ages) >= repeat.maximum and ages[repeat.maximum - 1] < repeat.seconds


def _key(record: Record) -> bytes | None:
    """What stands for a call; None where that was not kept."""
    if record.argument_names and not record.argument_digest:
        return None
    return f"{record.tool}\n{record.argument_digest if record.argument_names else ''}".encode()
