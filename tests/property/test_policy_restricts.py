"""B10: whatever is added inside an entry, to `hide` or to `all_tools` never lets more through, in any order."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.jsonrpc import Json, loads
from gateway.policy import Circumstances, Decision, Facts, InputSchema, ToolCall, compose, decide, load
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
    [
        *("args.a", "args.b", "args.a.b", "args.a[0]", "args.a[*]", "args.a[*].b", "args.b[*][*]", 'args["c"]'),
        *("session.calls.t", "session.denials", "grant.seconds_since.t", "time.hour", "client.name", "grant"),
        *("tool.name", "tool.annotations.readOnlyHint"),
    ]
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
LIMITS = st.fixed_dictionaries(
    {"counter": st.just("c"), "window": st.sampled_from(["minute", 60]), "max": st.just(2), "scope": st.just("grant")},
    optional={"increment_from": st.just("args.a"), "per": st.sampled_from(["args.b", "args.a[*]"])},
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "limits": st.lists(LIMITS, max_size=1),
        "require": st.lists(PREDICATES, max_size=2),
        "deny_if": st.lists(PREDICATES, max_size=2),
        "rules": st.lists(RULES, max_size=2),
        "action": ACTIONS,
        "rate_limit": RATES,
        "validate": st.sampled_from([{"required_args": True}, {"schema": True}]),
    },
)
KEYS = st.sampled_from(["t", "u", "t*", "u*"])
DOCUMENTS = st.fixed_dictionaries(
    {"version": st.just("1"), "default": st.sampled_from(["allow", "deny"])},
    optional={
        "tools": st.dictionaries(KEYS, ENTRIES, max_size=3),
        "hide": st.lists(st.sampled_from(["t", "u", "*", "u*"]), max_size=2),
        "all_tools": ENTRIES,
    },
)
SCHEMAS = [InputSchema({}), InputSchema({"properties": {"a": {"type": "integer"}}}), InputSchema(None)]
CIRCUMSTANCES = st.builds(
    Circumstances,
    now=st.sampled_from([0.0, 1.7e9]),
    grant=st.just("a"),
    client=st.sampled_from(["", "ab"]),
    session_calls=st.sampled_from([{}, {"t": 2}]),
    session_denials=st.integers(0, 2),
    seconds_since=st.sampled_from([{}, {"t": Decimal("0.5")}]),
)
FACTS = st.builds(
    Facts,
    mirrored=st.booleans(),
    required_arguments=st.sampled_from([(), ("a",), ("a", "z")]),
    schema=st.sampled_from([None, *SCHEMAS]),
    annotations=st.sampled_from([None, {}, {"readOnlyHint": True}]),
    circumstances=st.none() | CIRCUMSTANCES,
    pin=st.just("kept"),
)
STRICTNESS = {"allow": 0, "observe": 0, "approve": 1, "deny": 2}


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


def an_entry(document: Any, data: st.DataObject) -> Any:
    """One of a document's entries: under a name, under a pattern, or that of all tools."""
    entries = [*document.get("tools", {}).values(), *([document["all_tools"]] if "all_tools" in document else [])]
    return data.draw(st.sampled_from(entries)) if entries else None


@given(DOCUMENTS, ARGUMENTS, FACTS, st.sampled_from(["require", "deny_if", "rules"]), st.data())
def test_adding_to_an_entry_never_allows_more(
    document: object, arguments: object, facts: Facts, field: str, data: st.DataObject
) -> None:
    tighter = copied(document)
    entry = an_entry(tighter, data)
    if entry is None:
        return
    addition = data.draw(RULES if field == "rules" else PREDICATES)
    entry.setdefault(field, []).append(addition)
    assert stricter(judge(tighter, arguments, facts), judge(document, arguments, facts))


@given(DOCUMENTS, ARGUMENTS, FACTS, ENTRIES, st.data())
def test_a_field_that_was_not_there_never_allows_more(
    document: object, arguments: object, facts: Facts, fields: dict[str, object], data: st.DataObject
) -> None:
    tighter = copied(document)
    entry = an_entry(tighter, data)
    if entry is None:
        return
    entry |= {key: value for key, value in fields.items() if key not in entry}
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


@given(DOCUMENTS, ARGUMENTS, FACTS, st.sampled_from(["t", "u", "*", "t*", "*t", "other"]))
def test_hiding_never_allows_more(document: object, arguments: object, facts: Facts, name: str) -> None:
    tighter = copied(document)
    tighter.setdefault("hide", []).append(name)
    assert stricter(judge(tighter, arguments, facts), judge(document, arguments, facts))


@given(DOCUMENTS, ARGUMENTS, FACTS, ENTRIES)
def test_restricting_all_tools_never_allows_more(
    document: object, arguments: object, facts: Facts, entry: object
) -> None:
    tighter = copied(document)
    if "all_tools" in tighter:
        return
    tighter["all_tools"] = entry
    assert stricter(judge(tighter, arguments, facts), judge(document, arguments, facts))


@given(DOCUMENTS, ARGUMENTS, FACTS, st.sampled_from(["t*", "*t"]), ENTRIES)
def test_a_pattern_for_a_tool_that_is_named_never_allows_more(
    document: object, arguments: object, facts: Facts, pattern: str, entry: object
) -> None:
    tighter = copied(document)
    tools = tighter.setdefault("tools", {})
    if pattern in tools or not any(key in tools for key in ("t", "t*")):
        return
    tools[pattern] = entry
    assert stricter(judge(tighter, arguments, facts), judge(document, arguments, facts))


@given(DOCUMENTS, DOCUMENTS, ARGUMENTS, FACTS)
def test_a_layer_never_allows_more(document: object, other: object, arguments: Any, facts: Facts) -> None:
    user = load(json.dumps(document).encode(), name="u")
    project = load(json.dumps(other).encode(), name="p", layer="project")
    call = ToolCall("t", loads(json.dumps(arguments)))  # type: ignore[arg-type]  # an object
    both = decide(compose(user, [project]), call, facts)
    for alone in (decide(user, call, facts), decide(project, call, facts)):
        assert stricter(both, alone)
    assert both.effect != "deny" or "deny" in (decide(user, call, facts).effect, decide(project, call, facts).effect)


@given(DOCUMENTS, ARGUMENTS, FACTS)
def test_observing_relays_exactly_what_the_enforced_document_would_deny(
    document: object, arguments: object, facts: Facts
) -> None:
    tried = judge({**copied(document), "mode": "observe"}, arguments, facts)
    enforced = judge(document, arguments, facts)
    if enforced.rule in ("(unknown tool)", "(hidden)") or "approve" in (enforced.effect, tried.effect):
        assert (tried.effect in ("deny", "approve")) or enforced.effect == "allow"
    elif enforced.effect == "deny":
        said = (tried.rule, tried.reason, tried.message)
        assert (tried.effect, tried.limits) == ("observe", ())
        assert said == (enforced.rule, enforced.reason, enforced.message)
    else:
        assert (tried.effect, tried.rule) == ("allow", enforced.rule)
        assert [limit.rule for limit in tried.limits] == [limit.rule for limit in enforced.limits]


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


def shuffled(value: Json, data: st.DataObject) -> Json:
    if isinstance(value, list):
        return data.draw(st.permutations([shuffled(item, data) for item in value]))
    return {key: shuffled(item, data) for key, item in value.items()} if isinstance(value, dict) else value


@given(DOCUMENTS, ARGUMENTS, FACTS, st.data())
def test_the_order_of_rules_changes_no_effect(
    document: Any, arguments: object, facts: Facts, data: st.DataObject
) -> None:
    other = shuffled(document, data)
    assert judge(other, arguments, facts).effect == judge(document, arguments, facts).effect


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
