"""What the lint calls idle is idle: taking it out changes no decision."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.authoring.implied import implied
from gateway.policy import Circumstances, Facts, Policy, ToolCall, decide, load
from gateway.state import Charging, Exhausted, scratch, take

NOON = 1_767_614_400.0


def policy(entry: Any, brake: Any = ()) -> Policy:
    document = {"version": "1", "default": "deny", "tools": {"t": entry}, "all_tools": {"limits": list(brake)}}
    return load(json.dumps(document).encode(), name="p")


def without(entry: Any, pointer: str) -> Any:
    """The entry without one element of one of its lists."""
    _, _, _, field, index, *_ = pointer.split("/")
    kept = [item for place, item in enumerate(entry[field]) if place != int(index)]
    return {**entry, field: kept}


CONDITIONS = st.builds(
    lambda path, condition: {"path": path, "op": condition[0], "value": condition[1]},
    st.sampled_from(["args.a", "args.b", "args.a.x", "args.a[*]", "time.hour", "time.weekday", "tool.name"]),
    st.sampled_from(
        [
            *(("eq", "t"), ("neq", "t"), ("eq", 3), ("lt", 24), ("gte", 0), ("exists", True), ("exists", False)),
            *(("in", [1, 2]), ("in", [None, 1]), ("eq", None), ("regex", "^t")),
        ]
    ),
)
PREDICATES = st.lists(st.builds(lambda many: {"conditions": many}, st.lists(CONDITIONS, max_size=3)), max_size=3)
ENTRIES = st.fixed_dictionaries({"require": PREDICATES, "deny_if": PREDICATES})
VALUES = st.sampled_from(["t", "u", 1, 3, None, True, [1], ["t", 3], [], {"x": 3}, {}])
ARGUMENTS = st.dictionaries(st.sampled_from(["a", "b"]), VALUES, max_size=2)


def facts(now: float) -> Facts:
    return Facts(mirrored=True, annotations={}, circumstances=Circumstances(now, "me", "c", {}, 0, {}))


@settings(deadline=None, max_examples=200)
@given(ENTRIES, st.lists(ARGUMENTS, min_size=1, max_size=6), st.floats(0, 700_000))
def test_an_idle_rule_changes_no_decision(entry: Any, calls: list[dict[str, Any]], moment: float) -> None:
    whole = policy(entry)
    for finding in implied(whole):
        never_holds = finding.message.startswith("never holds")
        less = policy(without(entry, finding.pointer))
        for arguments in calls:
            call, known = ToolCall("t", arguments), facts(NOON + moment)
            if never_holds:
                assert decide(whole, call, known).effect == "deny"
            else:
                assert decide(whole, call, known).effect == decide(less, call, known).effect, finding


LIMITS = st.builds(
    lambda window, maximum, scope, more: {"window": window, "max": maximum, "scope": scope, **more},
    st.sampled_from(["minute", "hour", "day", 60, 90, 3600]),
    st.sampled_from([1, 2, 3, 60, 120]),
    st.sampled_from(["grant", "session", "server"]),
    st.sampled_from([{}, {}, {}, {"strategy": "fixed"}, {"strategy": "sliding"}, {"per": "args.a"}]),
)
CALLS = st.lists(st.tuples(st.integers(0, 100), st.sampled_from("xy"), st.sampled_from("st")), max_size=40)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(LIMITS, min_size=1, max_size=3),
    st.lists(LIMITS.filter(lambda limit: "per" not in limit), max_size=1),
    CALLS,
)
def test_a_limit_that_is_never_reached_refuses_nothing(own: Any, brake: Any, calls: Any) -> None:
    entry = {"limits": [{**limit, "counter": f"c{index}"} for index, limit in enumerate(own)]}
    brakes = [{**limit, "counter": f"a{index}"} for index, limit in enumerate(brake)]
    whole = policy(entry, brakes)
    for finding in implied(whole):
        less = policy(without(entry, finding.pointer), brakes)
        assert passed(whole, calls) == passed(less, calls), finding


def passed(found: Policy, calls: list[tuple[int, str, str]]) -> list[bool]:
    """Which of the calls pass: each some seconds after the one before, with a value and in a session."""
    moment, results = NOON, []
    with scratch() as counters:
        for seconds, value, session in calls:
            moment += seconds
            decision = decide(found, ToolCall("t", {"a": value}), facts(moment))
            charging = Charging(server="s", grant="me", session=session)
            charges = tuple(charging.of(decision.limits, {"a": value}, lambda data: data.hex()))
            results.append(not isinstance(take(counters, charges, moment), Exhausted))
    return results
