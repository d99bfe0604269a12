"""What `policy diff` says of two policies is so: its witnesses differ, and what it calls the same never does."""

import json
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.authoring.comparison import Difference, compare
from gateway.authoring.repetition import Repetition, repeated
from gateway.authoring.witness import Trial
from gateway.catalogue import Catalogue
from gateway.policy import Circumstances, Facts, Policy, ToolCall, decide, load
from gateway.policy.requests import decide_request

RANKS = {"deny": 2, "approve": 1, "observe": 0, "allow": 0}
MONDAY = 1_767_614_400.0

CONDITIONS = st.builds(
    lambda path, condition: {"path": path, "op": condition[0], "value": condition[1]},
    st.sampled_from(["args.a", "args.b", "args.a[*]", "time.hour", "session.calls.t", "grant.seconds_since.u"]),
    st.sampled_from(
        [
            *(("eq", "x"), ("neq", "x"), ("eq", 3), ("lt", 9), ("gte", 9), ("exists", True), ("exists", False)),
            *(("in", ["x", "y"]), ("not_in", ["x", "y"]), ("contains", "x"), ("regex", "^[a-c]{2}$"), ("eq", None)),
        ]
    ),
)
PREDICATES = st.lists(st.builds(lambda many: {"conditions": many}, st.lists(CONDITIONS, max_size=2)), max_size=2)
LIMITS = st.lists(
    st.builds(
        lambda window, maximum, scope, per: {"window": window, "max": maximum, "scope": scope, **per},
        st.sampled_from(["minute", "hour", 90]),
        st.integers(1, 4),
        st.sampled_from(["grant", "session"]),
        st.sampled_from([{}, {}, {"per": "args.a"}]),
    ),
    max_size=2,
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "require": PREDICATES,
        "deny_if": PREDICATES,
        "limits": LIMITS,
        "repeat": st.fixed_dictionaries({"max": st.integers(1, 3), "window": st.sampled_from([30, 60])}),
        "action": st.sampled_from(["allow", "deny", "require_approval"]),
        "mode": st.sampled_from(["enforce", "observe"]),
        "validate": st.just({"required_args": True}),
    },
)
KEYS = ["t", "u", "t*", "*u", "tu"]
SECTIONS = st.fixed_dictionaries(
    {"default": st.sampled_from(["allow", "deny"])},
    optional={
        name: st.lists(st.sampled_from(["a://x", "a://*", "b://**"]), max_size=2, unique=True)
        for name in ("allow", "deny")
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "default": st.sampled_from(["allow", "deny"]),
        "tools": st.dictionaries(st.sampled_from(KEYS), ENTRIES, max_size=3),
    },
    optional={
        "hide": st.lists(st.sampled_from(KEYS), max_size=2, unique=True),
        "all_tools": ENTRIES,
        "mode": st.sampled_from(["enforce", "enforce", "observe"]),
        "resources": SECTIONS,
        "methods": SECTIONS,
    },
)
VALUES: Any = st.sampled_from(["x", "y", "ab", 3, 9, None, ["x"], [], {}, True])
CALLS = st.tuples(
    st.sampled_from(["t", "u", "tu", "txu", "other"]),
    st.dictionaries(st.sampled_from(["a", "b"]), VALUES, max_size=2),
    st.sampled_from([8, 9, 10]),
    st.sampled_from([0, 3, 9]),
)


def policy(document: Any) -> Policy:
    whole = json.loads(json.dumps({"version": "1", **document}))
    for name, entry in [*whole["tools"].items(), ("all", whole.get("all_tools", {}))]:
        for index, limit in enumerate(entry.get("limits", ())):
            limit["counter"] = f"{name}{index}"
    return load(json.dumps(whole).encode(), name="p")


def catalogue() -> Catalogue:
    found = Catalogue()
    schema: Any = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    found.page(None, {"tools": [{"name": name, "inputSchema": schema} for name in ("t", "u", "tu", "other")]})
    return found


def is_shown(difference: Difference, old: Policy, new: Policy) -> bool:
    """Whether the witness is one: decided again, here."""
    witness = difference.witness
    assert witness is not None
    if witness.trial is None:
        passes = [passes_section(found, difference.rule.removeprefix("/"), witness.tool) for found in (old, new)]
        return passes == ([False, True] if difference.direction == "looser" else [True, False])
    call, facts = witness.trial.call, witness.trial.facts
    before, after = decide(old, call, facts).effect, decide(new, call, facts).effect
    if witness.repetition is None:
        assert (witness.before, witness.after) == (before, after)
        rank = RANKS[after] - RANKS[before]
        return rank < 0 if difference.direction == "looser" else rank > 0
    strict, other = (old, new) if difference.direction == "looser" else (new, old)
    if difference.rule.endswith("/repeat"):
        return refuses_the_last(strict, other, witness.trial, witness.repetition)
    rule = witness.rules[0] if difference.direction == "looser" else witness.rules[1]
    found = repeated(strict, other, (witness.trial, *witness.others), rule)
    return found == (witness.repetition, rule) and {before, after} == {"allow"}


def refuses_the_last(strict: Policy, other: Policy, trial: Trial, repetition: Repetition) -> bool:
    """Whether only one of them refuses the last of the calls, for a `repeat`; limits are left aside here."""
    within = repetition.within or (repetition.seconds or 0.0) * (repetition.number - 1)
    moments = [(repetition.seconds or 0.0) * index for index in range(repetition.number - 1)]
    around = trial.circumstances
    ages = tuple(within - moment for moment in reversed(moments))
    calls = {trial.call.tool: around.session_calls.get(trial.call.tool, 0) + len(ages)}
    since = {**around.seconds_since, **({"u": Decimal(ages[0])} if trial.call.tool == "u" and ages else {})}
    last = around._replace(now=around.now + within, same=ages, session_calls={**around.session_calls, **calls})
    facts = trial.facts._replace(circumstances=last._replace(seconds_since=since))
    before, after = decide(strict, trial.call, facts), decide(other, trial.call, facts)
    return before.reason == "repeat" and after.effect in ("allow", "observe")


def passes_section(found: Policy, section: str, value: str) -> bool:
    request = {
        "resources": ("resources/read", {"uri": value}),
        "prompts": ("prompts/get", {"name": value}),
        "methods": (value, {}),
    }
    return decide_request(found, *request[section]).effect in ("allow", "observe")


@settings(deadline=None, max_examples=40)
@given(DOCUMENTS, DOCUMENTS, st.lists(CALLS, max_size=8))
def test_witnesses_differ_and_what_is_not_called_looser_is_not(before: Any, after: Any, calls: Sequence[Any]) -> None:
    old, new = policy(before), policy(after)
    differences = compare(old, new, catalogue())
    for difference in differences:
        assert difference.witness is None or is_shown(difference, old, new), difference
    said = {difference.direction for difference in differences}
    for tool, arguments, hour, count in calls:
        around = Circumstances(MONDAY + (hour - 12) * 3600, "me", "", {"t": count}, 0, {"u": count}, (1.0,) * count)
        facts = Facts(mirrored=True, required_arguments=("a",), circumstances=around)
        call = ToolCall(tool, arguments)
        rank = RANKS[decide(new, call, facts).effect] - RANKS[decide(old, call, facts).effect]
        assert rank >= 0 or "looser" in said, (tool, arguments)
        assert rank <= 0 or "tighter" in said, (tool, arguments)
        if not rank and decide(old, call, facts).effect == "allow":
            assert_limits_agree(said, old, new, Trial(call, facts._replace()))


def assert_limits_agree(said: Collection[str], old: Policy, new: Policy, trial: Trial) -> None:
    assert "looser" in said or repeated(old, new, [trial]) is None
    assert "tighter" in said or repeated(new, old, [trial]) is None


@settings(deadline=None, max_examples=50)
@given(DOCUMENTS)
def test_a_policy_is_the_same_as_itself(document: Any) -> None:
    assert compare(policy(document), policy(document), catalogue()) == ()
