"""B10: whatever is added inside an entry, to `hide` or to `all_tools` never lets more through, in any order."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.jsonrpc import Json, loads
from gateway.policy import Decision, Facts, ToolCall, decide, load
from gateway.policy.explanation import explain

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -0.0, 2**53, 2**53 + 1, 1e300]),
    st.sampled_from(["", "a", "ab", "5", "1"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
ARGUMENTS = st.dictionaries(NAMES, VALUES, max_size=3)
PATHS = st.sampled_from(
    ["args.a", "args.b", "args.a.b", "args.a[0]", "args.a[*]", "args.a[*].b", "args.b[*][*]", 'args["c"]']
)
OPERANDS = {
    "lt": st.integers(-3, 3),
    "lte": st.integers(-3, 3),
    "gt": st.sampled_from([0.5, 2**53]),
    "gte": st.integers(-3, 3),
    "in": st.lists(VALUES, max_size=3),
    "not_in": st.lists(VALUES, max_size=3),
    "exists": st.booleans(),
    "regex": st.sampled_from(["^a", "b$", "", "[0-9]"]),
    "eq": VALUES,
    "neq": VALUES,
    "contains": VALUES,
}
CONDITIONS = st.lists(
    st.sampled_from(sorted(OPERANDS)).flatmap(
        lambda op: st.fixed_dictionaries({"path": PATHS, "op": st.just(op), "value": OPERANDS[op]})
    ),
    max_size=2,
)
PREDICATES = st.fixed_dictionaries({"conditions": CONDITIONS}, optional={"on_deny": st.just("no")})
ACTIONS = st.sampled_from(["allow", "deny", "require_approval"])
RATES = st.sampled_from(["1/hour", {"max": 2, "window": 60}])
RULES = st.fixed_dictionaries(
    {},
    optional={
        "action": ACTIONS,
        "conditions": CONDITIONS,
        "rate_limit": RATES,
        "validate": st.just({"required_args": True}),
    },
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "require": st.lists(PREDICATES, max_size=2),
        "deny_if": st.lists(PREDICATES, max_size=2),
        "rules": st.lists(RULES, max_size=2),
        "action": ACTIONS,
        "rate_limit": RATES,
        "validate": st.just({"required_args": True}),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {"version": st.just("1"), "default": st.sampled_from(["allow", "deny"])},
    optional={
        "tools": st.dictionaries(st.sampled_from(["t", "u"]), ENTRIES, max_size=2),
        "hide": st.lists(st.sampled_from(["t", "u", "*"]), max_size=2),
    },
)
FACTS = st.builds(Facts, mirrored=st.booleans(), required_arguments=st.sampled_from([(), ("a",), ("a", "z")]))
STRICTNESS = {"allow": 0, "approve": 1, "deny": 2}


def judge(document: object, arguments: object, facts: Facts, tool: str = "t") -> Decision:
    values = loads(json.dumps(arguments))
    assert isinstance(values, dict)
    return decide(load(json.dumps(document).encode(), name="p"), ToolCall(tool, values), facts)


def stricter(after: Decision, before: Decision) -> bool:
    if STRICTNESS[after.effect] != STRICTNESS[before.effect]:
        return STRICTNESS[after.effect] > STRICTNESS[before.effect]
    return set(before.limits) <= set(after.limits)


def copied(document: object) -> Any:
    return json.loads(json.dumps(document))


@given(DOCUMENTS, ARGUMENTS, FACTS, st.sampled_from(["require", "deny_if", "rules"]), st.data())
def test_adding_to_an_entry_never_allows_more(
    document: object, arguments: object, facts: Facts, field: str, data: st.DataObject
) -> None:
    tighter = copied(document)
    entry = tighter.get("tools", {}).get("t")
    if entry is None:
        return
    addition = data.draw(RULES if field == "rules" else PREDICATES)
    entry.setdefault(field, []).append(addition)
    assert stricter(judge(tighter, arguments, facts), judge(document, arguments, facts))


@given(DOCUMENTS, ARGUMENTS, FACTS, ENTRIES)
def test_a_field_that_was_not_there_never_allows_more(
    document: object, arguments: object, facts: Facts, fields: dict[str, object]
) -> None:
    tighter = copied(document)
    entry = tighter.get("tools", {}).get("t")
    if entry is None:
        return
    tighter["tools"]["t"] = fields | entry
    assert stricter(judge(tighter, arguments, facts), judge(document, arguments, facts))


@given(DOCUMENTS, ARGUMENTS, FACTS, CONDITIONS)
def test_adding_a_condition_to_a_requirement_never_allows_more(
    document: object, arguments: object, facts: Facts, conditions: list[object]
) -> None:
    tighter = copied(document)
    predicates = tighter.get("tools", {}).get("t", {}).get("require")
    if not predicates:
        return
    predicates[0]["conditions"] += conditions
    assert stricter(judge(tighter, arguments, facts), judge(document, arguments, facts))


@given(DOCUMENTS, ARGUMENTS, FACTS, st.sampled_from(["t", "u", "*", "other"]))
def test_hiding_never_allows_more(document: object, arguments: object, facts: Facts, name: str) -> None:
    tighter = copied(document)
    tighter.setdefault("hide", []).append(name)
    assert stricter(judge(tighter, arguments, facts), judge(document, arguments, facts))


@given(DOCUMENTS, ARGUMENTS, FACTS, st.sampled_from(["minute", "hour", "day"]))
def test_limiting_all_tools_never_allows_more(document: object, arguments: object, facts: Facts, window: str) -> None:
    tighter = copied(document)
    tighter["all_tools"] = {"limits": [{"counter": "c", "window": window, "max": 1, "scope": "grant"}]}
    assert stricter(judge(tighter, arguments, facts), judge(document, arguments, facts))


def reordered(value: Json, data: st.DataObject) -> Json:
    if isinstance(value, list):
        return [reordered(item, data) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: reordered(value[key], data) for key in data.draw(st.permutations(list(value)))}


@given(DOCUMENTS, ARGUMENTS, FACTS, st.data())
def test_the_order_of_keys_changes_nothing(document: Any, arguments: Any, facts: Facts, data: st.DataObject) -> None:
    shuffled, other = reordered(document, data), reordered(arguments, data)
    assert judge(shuffled, other, facts) == judge(document, arguments, facts)
    first = load(json.dumps(document).encode(), name="p")
    assert load(json.dumps(shuffled).encode(), name="p").revision == first.revision


def resolves(rule: str, document: Any) -> bool:
    for step in rule.split("/")[1:]:
        document = document[int(step)] if isinstance(document, list) else document[step]
    return True


@given(DOCUMENTS, ARGUMENTS, FACTS)
def test_the_explanation_agrees_with_the_decision(document: object, arguments: object, facts: Facts) -> None:
    values = loads(json.dumps(arguments))
    assert isinstance(values, dict)
    policy = load(json.dumps(document).encode(), name="p")
    told = explain(policy, ToolCall("t", values), facts)
    decision = decide(policy, ToolCall("t", values), facts)
    assert told.decision == decision
    assert decision.rule.startswith("(") or resolves(decision.rule, document)
    assert [step.rule for step in told.steps if step.decided] == ([] if decision.effect == "allow" else [decision.rule])
