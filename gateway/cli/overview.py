"""What there is to know at one moment of the gateways of this user: for `status`, from the state file alone.

A part that cannot be had (a policy with a mistake) says so, and takes no other part down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.cli import calls
from gateway.cli.in_force import InForce, policy_in_force, state
from gateway.cli.used import Row as Counted
from gateway.cli.used import as_data as used_data
from gateway.cli.used import row_of
from gateway.errors import ConfigError, StateError
from gateway.settings import Settings
from gateway.state import Entry, Halt, Running, Usage
from gateway.state.approvals import Standing
from gateway.state.evidence import examining
from gateway.state.queries import Query

DENIALS: Final = 5
"""How many of the last denials are shown."""
_OVERLAP_SECONDS: Final = 60.0
"""A record is of the moment of its decision, which may be a little before it was written."""


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it at the moment `at`, in seconds since the epoch; `there`: whether there is a state file at all."""

    at: float
    there: bool
    gateways: tuple[Running, ...] = ()
    """Those that run, and those of which nobody can tell (in another container)."""
    left: int = 0
    """How many ended without saying so, since one began."""
    halts: tuple[Halt, ...] = ()
    questions: tuple[Standing, ...] = ()
    """The calls that wait for a person."""
    used: tuple[Counted, ...] = ()
    no_policy: str | None = None
    """Why no limit has a maximum."""
    denials: tuple[Entry, ...] = ()
    """The newest first."""

    @property
    def same(self) -> object:
        """What two of them have in common between which nothing happened."""
        used = tuple((row.usage.key, row.usage.used) for row in self.used)
        asked = tuple((each.question.id, each.waiters) for each in self.questions)
        return self.there, self.gateways, self.left, self.halts, asked, used, self.no_policy, self.denials


def look(settings: Settings, now: float, before: Overview | None = None) -> Overview:
    """Everything, as it is now; `before` is what was seen last, if anything was. Raises `StateError`."""
    with state(settings.state) as tx:
        if tx is None:
            return Overview(now, there=False)
        noted = [(line, line.life(now)) for line in tx.gateways.noted()]
        halts, usages = tuple(tx.switch.all()), tx.counters.usage(now)
        questions = tuple(tx.approvals.pending(now))
    denials = _denials(settings, before)
    rows, trouble = _limits(settings, usages)
    return Overview(
        now,
        there=True,
        gateways=tuple(line for line, life in noted if life != "gone"),
        left=sum(life == "gone" for _, life in noted),
        halts=halts,
        questions=questions,
        used=rows,
        no_policy=trouble,
        denials=denials,
    )


def _denials(settings: Settings, before: Overview | None) -> tuple[Entry, ...]:
    """The last ones. Whoever looks again and again asks only for what came since: a log may be long, and have none."""
    known = () if before is None else before.denials
    query = Query(effect="deny", since=None if before is None else before.at - _OVERLAP_SECONDS)
    with examining(settings.state) as found:
        fresh = {each.first.seq: each.first for each in found.find(query, order="newest", limit=DENIALS)}
    every = fresh | {entry.seq: entry for entry in known}
    return tuple(every[seq] for seq in sorted(every, reverse=True)[:DENIALS])


def _limits(settings: Settings, usages: Sequence[Usage]) -> tuple[tuple[Counted, ...], str | None]:
    """Every counter that is not empty, the fullest first, and why none has a maximum, if so."""
    try:
        in_force: InForce | None = policy_in_force(settings, quiet=True)
        trouble = None
    except (ConfigError, StateError) as error:
        in_force, trouble = None, error.message
    rows = [row_of(usage, in_force, settings) for usage in usages]
    return tuple(sorted(rows, key=_emptiness)), trouble


def _emptiness(row: Counted) -> float:
    if row.limit is None or not row.limit.maximum:
        return 2.0
    return 1 - float(row.usage.used / row.limit.maximum)


def as_data(found: Overview) -> Mapping[str, object]:
    """The same as JSON; its form is part of the help of `status`."""
    return {
        "at": found.at,
        "state_file": found.there,
        "gateways": [_gateway(line, found.at) for line in found.gateways],
        "killed": found.left,
        "stopped": next((_halt(halt) for halt in found.halts if halt.of_everyone), None),
        "revoked": [_halt(halt) for halt in found.halts if not halt.of_everyone],
        "questions": [_question(each) for each in found.questions],
        "limits": [used_data(row, found.at) for row in found.used],
        "no_policy": found.no_policy,
        "denials": [calls.as_data(entry) for entry in found.denials],
    }


def _gateway(line: Running, now: float) -> Mapping[str, object]:
    return {
        "pid": line.pid,
        "session": line.session,
        "version": line.version,
        "client": {"name": line.client_name, "version": line.client_version},
        "grant": line.grant,
        "profile": line.profile,
        "server": line.server,
        "policy": {"file": line.policy or None, "revision": line.policy_revision or None},
        "since": line.since,
        "seen": line.seen,
        "calls": line.calls,
        "denials": line.denials,
        "certain": line.life(now) == "running",
    }


def _halt(halt: Halt) -> Mapping[str, object]:
    return {"grant": halt.grant or None, "since": halt.since, "by": halt.by, "reason": halt.reason}


def _question(standing: Standing) -> Mapping[str, object]:
    question = standing.question
    return {
        "id": question.id,
        "tool": question.tool,
        "grant": question.grant,
        "client": {"name": question.client_name, "version": question.client_version},
        "reason": question.reason,
        "asked_at": question.asked_at,
        "expires_at": question.expires_at,
        "waiters": standing.waiters,
    }
