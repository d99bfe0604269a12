"""A converted document decides as Intercept decides, call by call; a tighter one never lets more through."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.authoring.intercept import Conversion, convert
from gateway.jsonrpc import loads
from gateway.policy import Facts, Policy, ToolCall, decide, load
from gateway.policy.source import Source, read
from tests.property.intercept_reference import SECONDS, Reference, text

SOMETIMES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TOOLS = ("pay", "read", "send")
FIELDS = ("a", "b.c", "amount")
SCALARS: tuple[Any, ...] = (
    0,
    1,
    5,
    -3,
    1.5,
    1000000,
    1e6,
    True,
    False,
    "",
    "main",
    "5",
    "1.5",
    "true",
    "1e+06",
    "1000000",
)
VALUES = st.sampled_from(
    (*SCALARS, None, [], ["main"], ["5", 5], [True], {"c": "main"}, {"c": 5}, {"c": None}, [["main"]])
)
POSITIVE = ("eq", "in", "lt", "lte", "gt", "gte", "regex", "contains", "exists")
NEGATIVE = ("neq", "not_in")


def operand(op: str) -> st.SearchStrategy[Any]:
    match op:
        case "in" | "not_in":
            return st.lists(st.sampled_from(SCALARS), min_size=1, max_size=3)
        case "lt" | "lte" | "gt" | "gte":
            return st.sampled_from((0, 1, 5, 1.5, -3, 1000000))
        case "regex":
            return st.sampled_from(("^ma", "n$", "[0-9]+", "^$", "(?i)MAIN"))
        case "exists":
            return st.booleans()
        case _:
            return st.sampled_from(SCALARS)


def conditions(ops: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(ops).flatmap(
        lambda op: st.fixed_dictionaries(
            {"path": st.sampled_from(FIELDS).map(lambda name: f"args.{name}"), "op": st.just(op), "value": operand(op)}
        )
    )


def counted(scope: str, window: str) -> st.SearchStrategy[dict[str, Any]]:
    """A rule with a counter of its own, whose name ends with its window."""
    counter = f"c_{window}"
    bound = st.fixed_dictionaries(
        {
            "path": st.just(f"state.{scope}.{counter}"),
            "op": st.sampled_from(("lt", "lte")),
            "value": st.sampled_from((0, 1, 2, 3, 4, 2.5)),
        }
    )
    state = st.fixed_dictionaries(
        {"counter": st.just(counter), "window": st.just(window)}, optional={"increment": st.sampled_from((0, 1, 2, 3))}
    )
    return st.fixed_dictionaries({"name": st.just("counted"), "conditions": st.tuples(bound).map(list), "state": state})


def rules(scope: str, ops: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, Any]]]:
    evaluate = st.fixed_dictionaries(
        {"name": st.just("r"), "conditions": st.lists(conditions(ops), min_size=1, max_size=2)},
        optional={"on_deny": st.just("No.")},
    )
    rates = st.sampled_from((("1/minute",), ("2/hour", "1/minute"), ("3/day",))).map(
        lambda many: [{"rate_limit": rate} for rate in many]
    )
    deny = st.just([{"name": "d", "action": "deny"}])
    return st.one_of(
        st.lists(evaluate, max_size=2),
        rates,
        st.sampled_from(tuple(SECONDS)).flatmap(lambda window: st.tuples(counted(scope, window))).map(list),
        deny,
    )


def documents(ops: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    tools = st.fixed_dictionaries(
        {},
        optional={
            **{name: st.fixed_dictionaries({"rules": rules(name, ops)}) for name in TOOLS[:2]},
            "*": st.fixed_dictionaries({"rules": rules("_global", ops)}),
        },
    )
    return st.fixed_dictionaries(
        {"version": st.just("1"), "tools": tools},
        optional={"default": st.sampled_from(("allow", "deny")), "hide": st.sampled_from((["send"], ["*"], []))},
    )


ARGUMENTS = st.fixed_dictionaries({}, optional={"a": VALUES, "b": VALUES, "amount": VALUES})
CALLS = st.lists(
    st.tuples(st.sampled_from(TOOLS), ARGUMENTS, st.sampled_from((0, 1, 30, 3600))), min_size=1, max_size=12
)


class Ours:
    """The converted policy, and what of each limit is used: by window, because all are fixed."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.used: dict[tuple[str, int], int] = {}

    def allows(self, tool: str, arguments: Mapping[str, Any], now: int) -> bool:
        call = ToolCall(tool, loads(json.dumps(arguments)))  # type: ignore[arg-type] # an object
        decision = decide(self.policy, call, Facts(mirrored=True))
        if decision.effect != "allow":
            return False
        taken = {}
        for limit in decision.limits:
            assert (limit.strategy, limit.scope) == ("fixed", "server")
            key = (limit.rule, now - now % limit.seconds)
            taken[key] = self.used.get(key, 0) + 1
            if taken[key] > limit.maximum:
                return False
        self.used |= taken
        return True


def converted(document: Mapping[str, Any], *, tighter: bool = False) -> Conversion:
    source = read(json.dumps(document).encode(), "intercept.yaml")
    assert isinstance(source, Source)
    return convert(source, tighter=tighter)


def compared(document: dict[str, Any], conversion: Conversion, calls: list[Any]) -> list[tuple[bool, bool]]:
    theirs, ours = Reference(document), Ours(load(json.dumps(conversion.document, default=float).encode(), name="p"))
    now, found = 1_767_603_600, []
    for tool, arguments, later in calls:
        now += later
        before = dict(theirs.counters), dict(ours.used)
        pair = theirs.allows(tool, arguments, now), ours.allows(tool, arguments, now)
        if pair[0] != pair[1]:  # count the same from here on
            theirs.counters, ours.used = before
        found.append(pair)
    return found


@SOMETIMES
@given(documents(POSITIVE), CALLS)
def test_what_is_converted_exactly_decides_alike(document: dict[str, Any], calls: list[Any]) -> None:
    conversion = converted(document)
    if conversion.document is not None:
        assert all(theirs is ours for theirs, ours in compared(document, conversion, calls))
    else:
        assert {rule.status for rule in conversion.rules} >= {"refused"}


@SOMETIMES
@given(documents((*POSITIVE, *NEGATIVE)), CALLS)
def test_what_is_tighter_lets_nothing_more_through(document: dict[str, Any], calls: list[Any]) -> None:
    conversion = converted(document, tighter=True)
    if conversion.document is not None:
        assert all(theirs or not ours for theirs, ours in compared(document, conversion, calls))


def test_the_generated_documents_are_not_all_refused() -> None:
    taken = []

    @settings(SOMETIMES, max_examples=80, database=None)
    @given(documents(POSITIVE))
    def count(document: dict[str, Any]) -> None:
        taken.append(converted(document).document is not None)

    count()
    assert sum(taken) > len(taken) / 2


def test_the_reference_writes_numbers_as_go_does() -> None:
    written = {5.0: "5", 1.5: "1.5", 1e6: "1e+06", 123456.0: "123456", 1234567.0: "1.234567e+06", 1e-4: "0.0001"}
    assert {value: text(value) for value in written} == written
    assert [text(value) for value in (1e-5, 0.1, -0.0, 1e21, 1000000, None, ["a", 1.0], {"b": True})] == [
        "1e-05",
        "0.1",
        "-0",
        "1e+21",
        "1000000",
        "<nil>",
        "[a 1]",
        "map[b:true]",
    ]
