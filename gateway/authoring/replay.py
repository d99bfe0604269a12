"""What a policy would have made of the calls of the audit log: decided again in their order, limits counted again.

The log keeps names of arguments, rarely their values. A call whose values are there, whole (their digest says so), is
decided as it was made; any other by what there is (`partial`), and where that is not enough the answer is "cannot
tell". Values beside something that was left out on purpose are taken as they stand: their digest is that of the whole
and cannot be checked, so the chain of the log alone vouches for them (`audit verify`). Values that leave nothing out
and have another digest are not those of the call, and not used.

What a policy said then tells of every rule that stands unchanged: of the policy in force, and of the candidate itself
in any `mode`, if their revision is the record's.

Counters begin empty some time before the first call that is reported, so that their windows are full where it matters.
A call that would have been relayed is counted, and given back where it was given back then. One that nobody can tell
about is taken to have been relayed if it was.

What no policy decided (the state file failed, there was no policy) is left out, and so is what is no tool call.
Memory does not grow with the log: rows of the report, unsettled calls and decision ids are bounded.
"""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from gateway.authoring import kept
from gateway.authoring.kept import Sketch
from gateway.authoring.loops import Loops
from gateway.authoring.modes import Modes
from gateway.authoring.partial import Answers, CannotTell, answered, judge
from gateway.authoring.tallies import MOST_ROWS, Report, Row
from gateway.catalogue import Catalogue, Definition
from gateway.jsonrpc import Json, loads, serialise
from gateway.policy import Decision, Facts, Policy, ToolCall, decide, refuse_limit
from gateway.policy.decision import Circumstances
from gateway.policy.schemas import InputSchema
from gateway.state import Charging, Counters, Exhausted, Record, Reservation, take
from gateway.state.audit import OF_NO_CALL

_MOST_OPEN: Final = 10_000
_NOT_SENT_STATUS: Final = frozenset({401, 404, 429})
_NOT_SENT: Final = ("no answer: not sent", "no answer: refused")
_OUTSIDE: Final = frozenset({"state", "no policy", "upstream", "stopped", "revoked", "changed tool", "cancelled"})
"""Reasons of refusals that no policy document has a say in."""
_OF_THE_CALL: Final = frozenset({"args", "tool.name", "tool.annotations"})
_DAY: Final = 86_400


@dataclass(slots=True)
class _Session:
    """Internal: what a session has behind it."""

    calls: Counter[str] = field(default_factory=Counter)
    denials: int = 0


def look_back(policy: Policy) -> float:
    """How many seconds before the first call of the report the counting has to begin."""
    entries = (*policy.entries.values(), *(pattern.entry for pattern in policy.patterns), policy.all_tools)
    windows = [limit.seconds for entry in entries for limit in entry.limits]
    windows += [entry.repeat.seconds for entry in entries if entry.repeat is not None]
    return float(max((*windows, _DAY)))


class Replay:
    """Takes the records of the log one by one, oldest first; `report` says what came of them.

    `judged_by` is a policy that may have judged some of them (its revision tells which). `digest` is that of the log.
    """

    def __init__(
        self,
        policy: Policy,
        counters: Counters,
        *,
        since: float,
        catalogue: Catalogue,
        judged_by: Policy | None,
        digest: Callable[[bytes], str],
    ) -> None:
        self._policy = policy
        self._counters = counters
        self._since = since
        self._catalogue = catalogue
        self._judged_by = judged_by
        self._modes = Modes(policy)
        self._digest = digest
        self._facts: dict[str, Facts] = {}
        self._alike: dict[tuple[object, ...], Decision | CannotTell] = {}
        self._charges: dict[tuple[str, str], Charging] = {}
        self._open: OrderedDict[str, Reservation] = OrderedDict()
        self._sessions: defaultdict[str, _Session] = defaultdict(_Session)
        self._latest: dict[tuple[str, str], float] = {}
        self._loops = Loops(policy)
        self.report = Report()

    def take(self, record: Record) -> None:
        """One record of the log."""
        if record.kind == "settled":
            self._settle(record)
        elif record.kind in OF_NO_CALL:
            return
        elif record.method != "tools/call":
            self._leave_out(record, "no tool call")
        elif record.reason in _OUTSIDE:
            self._leave_out(record, "refused outside of any policy")
        else:
            self._judge(record)

    def _leave_out(self, record: Record, why: str) -> None:
        if record.at >= self._since:
            self.report.left_out[why] += 1

    def _judge(self, record: Record) -> None:
        call = self._call(record)
        said = self._decide(record, call)
        if isinstance(said, Decision) and said.effect != "deny":
            said = self._loops.doubt(record) or said
        if isinstance(said, Decision) and said.effect in ("allow", "observe"):
            said = self._reserve(record, said, call.plain if isinstance(call, Sketch) else call)
        was = "approve" if record.reason == "approval" and record.effect == "deny" else str(record.effect)
        relayed = said.effect in ("allow", "observe") if isinstance(said, Decision) else was in ("allow", "observe")
        self._remember(record, relayed=relayed)
        if record.at < self._since:
            return
        report = self.report
        by_name = isinstance(call, Sketch) and not call.values
        report.calls += 1
        report.by_name += by_name
        report.in_part += isinstance(call, Sketch) and not by_name
        if isinstance(said, CannotTell):
            row = Row(record.tool, was, record.rule, "cannot tell", said.rules, said.unknown)
            report.add(row, record, by_name=by_name)
        elif said.effect != was:
            report.add(Row(record.tool, was, record.rule, said.effect, (said.rule,)), record, by_name=by_name)
        else:
            report.same += 1

    # --- deciding -----------------------------------------------------------------------------------------------------

    def _call(self, record: Record) -> Mapping[str, Json] | Sketch:
        """The arguments, where the log has them as they were (their digest is that of the call); or what there is."""
        if not record.argument_names:
            return {}
        names = _names(record)
        values = _values(record)
        if values is not None and self._digest(serialise(values)) == record.argument_digest:
            return values
        known = None if values is None else kept.read(values)
        if known is None or (names is not None and not known.keys() <= names):
            return Sketch(record.tool, names, {})
        return Sketch(record.tool, names, known)

    def _decide(self, record: Record, arguments: Mapping[str, Json] | Sketch) -> Decision | CannotTell:
        if isinstance(arguments, Sketch):
            return self._decide_in_part(record, arguments)
        facts = self._known(record)
        decision = decide(self._policy, ToolCall(record.tool, arguments), facts)
        if facts.schema is not None or not facts.mirrored:
            return decision
        checks = self._policy.applied(record.tool).checks
        unknown = tuple(check.rule for check in checks if check.kind in ("validate", "schema"))
        if not unknown or (decision.effect == "deny" and decision.rule not in unknown):
            return decision
        return judge(self._policy, Sketch(record.tool, frozenset(arguments), arguments), facts, self._answers(record))

    def _decide_in_part(self, record: Record, sketch: Sketch) -> Decision | CannotTell:
        """Most calls of a log are alike: where no rule asks for the circumstances, so are their verdicts."""
        told = (record.effect, record.reason, record.rule) if self._judge_of(record) is not None else ()
        alike = (record.tool, record.reason == "unknown tool", record.argument_names, record.policy_revision, *told)
        said = None if sketch.values else self._alike.get(alike)
        if said is None:
            said = judge(self._policy, sketch, self._known(record), self._answers(record))
            if not sketch.values and not self._asks(record.tool) and len(self._alike) < _MOST_OPEN:
                self._alike[alike] = said
        return said

    def _asks(self, tool: str) -> bool:
        """Whether a rule for a tool looks at anything but the call and the tool itself."""
        applied = self._policy.applied(tool)
        conditions = (item for check in (*applied.checks, *applied.approvals) for item in check.conditions)
        return bool(applied.repeats) or any(item.path.root not in _OF_THE_CALL for item in conditions)

    def _judge_of(self, record: Record) -> Policy | None:
        if self._judged_by is not None and self._judged_by.revision == record.policy_revision:
            return self._judged_by
        return self._modes.of(record.policy_revision)

    def _answers(self, record: Record) -> Answers:
        before = self._judge_of(record)
        if before is None or record.effect is None:
            return {}
        return answered(before, record.tool, effect=record.effect, reason=record.reason, rule=record.rule)

    def _known(self, record: Record) -> Facts:
        if record.reason == "unknown tool":
            return Facts(mirrored=False)
        facts = self._facts.get(record.tool)
        if facts is None:
            facts = facts_of(self._catalogue.definition(record.tool))
            if len(self._facts) < MOST_ROWS:
                self._facts[record.tool] = facts
        session = self._sessions[record.session]
        since = {
            tool: Decimal(str(max(0.0, record.at - self._latest[record.grant, tool])))
            for tool in self._policy.asks_since
            if (record.grant, tool) in self._latest
        }
        circumstances = Circumstances(
            now=record.at,
            grant=record.grant,
            client=record.client_name,
            session_calls=session.calls,
            session_denials=session.denials,
            seconds_since=since,
            same=self._loops.ages(record),
        )
        return facts._replace(circumstances=circumstances)

    # --- counting -----------------------------------------------------------------------------------------------------

    def _reserve(self, record: Record, decision: Decision, arguments: Mapping[str, Json]) -> Decision:
        charges = tuple(self._charging(record).of(decision.limits, arguments, self._digest))
        if not charges:
            return decision
        taken = take(self._counters, charges, record.at)
        if isinstance(taken, Exhausted):
            return refuse_limit(taken.charge.limit, taken.retry_after_seconds)
        self._open[record.decision_id] = taken.reservation
        if len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)
        if taken.would is None or decision.effect == "observe":
            return decision
        return refuse_limit(taken.would.charge.limit, taken.would.retry_after_seconds)._replace(effect="observe")

    def _charging(self, record: Record) -> Charging:
        who = record.grant, record.session
        found = self._charges.get(who)
        if found is None:
            if len(self._charges) >= MOST_ROWS:
                self._charges.clear()
            found = self._charges[who] = Charging(server=record.server, grant=who[0], session=who[1])
        return found

    def _settle(self, record: Record) -> None:
        """Give back what was given back then: where the tool certainly did not run."""
        reservation = self._open.pop(record.decision_id, None)
        ran = record.outcome not in _NOT_SENT and record.upstream_status not in _NOT_SENT_STATUS
        if reservation is not None and not ran:
            self._counters.release(reservation, record.at)

    def _remember(self, record: Record, *, relayed: bool) -> None:
        if relayed:
            self._loops.remember(record)
            self._sessions[record.session].calls[record.tool] += 1
            if record.tool in self._policy.asks_since:
                self._latest[record.grant, record.tool] = record.at
        else:
            self._sessions[record.session].denials += 1


def facts_of(definition: Definition | None) -> Facts:
    """What is known of a tool by its definition; of None, only that it was there."""
    if definition is None:
        return Facts(mirrored=True)
    schema, hints = definition.get("inputSchema"), definition.get("annotations")
    required = schema.get("required") if isinstance(schema, dict) else None
    names = tuple(item for item in required if isinstance(item, str)) if isinstance(required, list) else ()
    return Facts(
        mirrored=True,
        required_arguments=names,
        schema=InputSchema(schema),
        annotations=hints if isinstance(hints, dict) else {},
    )


def _values(record: Record) -> dict[str, Json] | None:
    try:
        values = None if record.values is None else loads(record.values)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _names(record: Record) -> frozenset[str] | None:
    """The names of the arguments; None where the log has cut some of them."""
    cut = any(name.startswith("… (+") or name.endswith(" bytes)") for name in record.argument_names)
    return None if cut else frozenset(record.argument_names)
