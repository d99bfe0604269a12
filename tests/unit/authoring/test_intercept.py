"""What becomes of each rule of an Intercept document, and why one is refused (that decisions stay: property tests)."""

from decimal import Decimal
from typing import Any

import pytest

from gateway.authoring.go_text import number_text, twins
from gateway.authoring.intercept import CHARGES, OTHERS, Conversion, convert
from gateway.jsonrpc import Number
from gateway.policy.source import Source, read

WHOLE = """\
version: "1"
description: Payments
default: deny
hide: [transfer]
tools:
  read: {rules: []}
  pay:
    rules:
      - name: small
        conditions:
          - {path: args.amount, op: lte, value: 500}
          - {path: args.currency, op: in, value: [usd, eur]}
        on_deny: Too much.
      - name: daily
        conditions: [{path: state.pay.daily, op: lt, value: 10}]
        state: {counter: daily, window: day, increment: 2}
      - rate_limit: 5/hour
  drop:
    rules: [{name: never, action: deny}]
  "*":
    rules:
      - name: calls
        conditions: [{path: state._global.calls, op: lte, value: 60}]
        state: {counter: calls, window: minute}
        on_deny: Slower.
"""


def conversion(text: str, *, tighter: bool = False) -> Conversion:
    source = read(text.encode(), "i.yaml")
    assert isinstance(source, Source)
    return convert(source, tighter=tighter)


def one_rule(rule: str, *, tighter: bool = False) -> Any:
    """What becomes of the only rule of a tool `t`."""
    found = conversion(f"version: '1'\ntools:\n  t:\n    rules:\n      - {rule}\n", tighter=tighter)
    (converted,) = found.rules
    return converted if found.document is None else (converted, found.document["tools"]["t"])  # type: ignore[index,call-overload] # JSON


def test_a_whole_document() -> None:
    found = conversion(WHOLE)
    assert found.document == {
        "version": "1",
        "description": "Payments",
        "default": "deny",
        "hide": ["transfer"],
        "all_tools": {
            "limits": [{"counter": "calls", "window": "minute", "max": 60, "scope": "server", "on_deny": "Slower."}]
        },
        "tools": {
            "read": {},
            "pay": {
                "require": [
                    {
                        "conditions": [
                            {"path": "args.amount", "op": "lte", "value": 500},
                            {"path": "args.currency", "op": "in", "value": ["usd", "eur"]},
                        ],
                        "on_deny": "Too much.",
                    }
                ],
                "limits": [
                    {
                        "counter": "daily",
                        "window": "day",
                        "max": 4,
                        "scope": "server",
                        "on_deny": "Rate limit exceeded for daily",
                    },
                    {
                        "counter": "_rate_hour",
                        "window": "hour",
                        "max": 5,
                        "scope": "server",
                        "on_deny": "Rate limit of 5 per hour reached. Try again later.",
                    },
                ],
            },
            "drop": {"action": "deny", "reason": 'Denied by rule "never"'},
        },
        "methods": {"default": "allow"},
        "resources": {"default": "allow"},
        "prompts": {"default": "allow"},
    }
    assert found.notes == (OTHERS, CHARGES)
    assert [(rule.pointer, rule.line, rule.name, rule.status, rule.to) for rule in found.rules] == [
        ("/tools/pay/rules/0", 9, "small", "exact", ("/tools/pay/require/0",)),
        ("/tools/pay/rules/1", 14, "daily", "exact", ("/tools/pay/limits/0",)),
        ("/tools/pay/rules/2", 17, "", "exact", ("/tools/pay/limits/1",)),
        ("/tools/drop/rules/0", 19, "never", "exact", ("/tools/drop/action",)),
        ("/tools/*/rules/0", 22, "calls", "exact", ("/all_tools/limits/0",)),
    ]


def test_what_is_absent_is_written_out() -> None:
    assert conversion("version: 1\n").document == {"version": "1", "default": "allow", "tools": {}}


@pytest.mark.parametrize(
    ("condition", "made"),
    [
        ("{path: args.x, op: eq, value: 5}", {"path": "args.x", "op": "in", "value": [5, "5"]}),
        ("{path: args.x, op: eq, value: main}", {"path": "args.x", "op": "eq", "value": "main"}),
        ("{path: args.x, op: eq, value: '5'}", {"path": "args.x", "op": "in", "value": ["5", 5]}),
        ("{path: args.x, op: eq, value: true}", {"path": "args.x", "op": "in", "value": [True, "true"]}),
        ("{path: args.x.y, op: exists, value: true}", {"path": "args.x.y", "op": "exists", "value": True}),
        ("{path: 'args.x[0]', op: gt, value: 1.5}", {"path": 'args["x[0]"]', "op": "gt", "value": Decimal("1.5")}),
        ("{path: args.x.0, op: regex, value: '^a'}", {"path": "args.x.0", "op": "regex", "value": "^a"}),
        ("{path: args.x, op: contains, value: a}", {"path": "args.x", "op": "contains", "value": "a"}),
    ],
)
def test_a_condition_that_is_exact(condition: str, made: dict[str, Any]) -> None:
    converted, entry = one_rule(f"{{name: n, conditions: [{condition}]}}")
    assert (converted.status, converted.why) == ("exact", "")
    assert entry == {"require": [{"conditions": [made], "on_deny": 'Denied by rule "n"'}]}


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        (
            "{path: args.x, op: neq, value: main}",
            "a value of `args.x` of another type than what it must not be is refused",
        ),
        (
            "{path: args.x, op: not_in, value: [a, b]}",
            "a value of `args.x` of another type than what it must not be is refused",
        ),
        (
            "{path: args.x.y, op: exists, value: false}",
            "`args.x.y` must be absent, and a step into something that is no object is refused",
        ),
        (
            "{path: args.x, op: contains, value: '5'}",
            "`args.x` contains '5' only as what it is, not as a text that looks like it",
        ),
    ],
)
def test_a_condition_that_would_refuse_more(condition: str, why: str) -> None:
    refused = one_rule(f"{{name: n, conditions: [{condition}]}}")
    assert (refused.status, refused.why) == ("refused", f"it would refuse more here: {why}")
    converted, entry = one_rule(f"{{name: n, conditions: [{condition}]}}", tighter=True)
    assert (converted.status, converted.why) == ("tighter", why)
    assert len(entry["require"]) == 1


def test_a_cost_is_exact_only_for_whole_numbers() -> None:
    bound = "{path: state.t.spent, op: lte, value: 100}"
    rule = f"{{name: n, conditions: [{bound}], state: {{counter: spent, window: day, increment_from: args.cost}}}}"
    why = "a cost that is no whole number counts in full, and a negative one is refused"
    assert one_rule(rule).why == f"it would refuse more here: {why}"
    _, entry = one_rule(rule, tighter=True)
    assert entry["limits"][0]["increment_from"] == "args.cost"


@pytest.mark.parametrize(
    ("bound", "made"),
    [
        ("op: lt, value: 10", {"max": 9}),
        ("op: lte, value: 2.9", {"max": 2}),
        ("op: lt, value: 1", "deny"),
        ("op: lte, value: -4", "deny"),
    ],
)
def test_a_bound_is_what_intercept_makes_of_it(bound: str, made: object) -> None:
    rule = f"{{name: n, conditions: [{{path: state.t.c, {bound}}}], state: {{counter: c, window: hour}}}}"
    _, entry = one_rule(rule)
    assert (entry["action"] if made == "deny" else {"max": entry["limits"][0]["max"]}) == made


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("{name: n}", "Intercept wants `conditions` here"),
        ("{action: deny}", "Intercept wants a `name`"),
        ("{name: n, action: stop}", "Intercept wants `action` to be `evaluate` or `deny`"),
        (
            "{name: n, action: deny, conditions: [{path: args.x, op: eq, value: 1}]}",
            "Intercept wants no `conditions` under `deny`",
        ),
        ("{rate_limit: 5/week}", "`5/week` is no rate of Intercept's: `5/hour`"),
        (
            "{rate_limit: 5/hour, action: deny}",
            "Intercept takes `rate_limit` neither with `conditions` or `state` nor under `deny`",
        ),
        (
            "{name: n, conditions: [{path: x, op: eq, value: 1}]}",
            "`x` begins neither with `args.` nor with `state.`",
        ),
        ("{name: n, conditions: [{path: args.x, op: is, value: 1}]}", "`is` is no operator of Intercept's"),
        (
            "{name: n, conditions: [{path: args.x, op: lt, value: a}]}",
            "`lt`: `value` of `lt` must be a number, not a string",
        ),
        (
            "{name: n, conditions: [{path: args.x, op: eq, value: [1]}]}",
            "`eq` compares null, a list, an object or an odd number by its text",
        ),
        (
            "{name: n, conditions: [{path: args.x, op: contains, value: null}]}",
            "`contains` compares a list or an object by its text",
        ),
        (
            "{name: n, conditions: [{path: args.x, op: eq, value: 2026-01-05}]}",
            "`2026-01-05` is a number or a date to Intercept: put it in quotes if it is a text",
        ),
        (
            "{name: n, conditions: [{path: args.x, op: in, value: [1_000]}]}",
            "`1_000` is a number or a date to Intercept: put it in quotes if it is a text",
        ),
        (
            "{name: n, conditions: [{path: args.x, op: lt, value: 9007199254740993}]}",
            "9007199254740993 is another number to Intercept, which reads doubles",
        ),
        (
            "{name: n, conditions: [{path: state.u.c, op: lt, value: 1}]}",
            "`state.u.c` is the counter of another rule, which a limit cannot look at",
        ),
        (
            "{name: n, conditions: [{path: state.t.c, op: gt, value: 1}], state: {counter: c, window: day}}",
            "a counter is bounded by `lt` or `lte`, not by `gt`",
        ),
        (
            "{name: n, conditions: [{path: args.x, op: lt, value: 1}], state: {counter: c, window: day}}",
            (
                "nothing bounds its counter, so that Intercept never counts; "
                "write one condition with `lt` or `lte` on it"
            ),
        ),
        (
            "{name: n, conditions: [{path: state.t.c, op: lt, value: 9}], state: {counter: c, window: week}}",
            "Intercept wants a `counter`, and a `window` of `minute`, `hour` or `day`",
        ),
        (
            "{name: n,conditions: [{path: state.t.c,op: lt,value: 9}], state: {counter: c, window: day, increment: x}}",
            "its `increment` is not a whole number from 1 on",
        ),
        (
            "{name: n, conditions: [{path: state.t.c, op: lt, value: x}], state: {counter: c, window: day}}",
            "Intercept wants a number beside `lt`",
        ),
    ],
)
def test_a_rule_that_is_refused(rule: str, why: str) -> None:
    found = one_rule(rule, tighter=True)
    assert (found.pointer, found.line, found.status, found.to, found.why) == ("/tools/t/rules/0", 5, "refused", (), why)


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("version: 2", "/version", "Intercept wants `version` to be `1`"),
        ("version: 1\ndefault: maybe", "/default", "Intercept wants `default` to be `allow` or `deny`"),
        ("version: 1\nhide: x", "/hide", "Intercept wants a list here"),
        ("version: 1\nhide: [a, a]", "/hide/1", "`a` stands twice"),
        ("version: 1\nhide: [a*]", "/hide/0", "`a*` is no pattern there: it hides nothing; here it would"),
        ("version: 1\ntools: {a*: {}}", "/tools/a*", "`a*` is no pattern there: it names no tool; here it would"),
        (
            "version: 1\ntools: {a: {rule: []}}",
            "/tools/a/rule",
            "Intercept ignores the key `rule`: whatever it is meant to say is not in force there",
        ),
        ("version: 1\ntools: [a]", "/tools", "Intercept wants an object here"),
        ("version: 1\ntools: {a: {rules: 1}}", "/tools/a/rules", "Intercept wants a list here"),
        ("version: 1\nversion: 1", "/version", "the key `version` stands twice"),
        (
            "version: 1\ntools: {a: {rules: [{rate_limit: 5/hour}, {rate_limit: 6/hour}]}}",
            "/tools/a/rules/1",
            "its counter is that of `/tools/a/rules/0` as well",
        ),
    ],
)
def test_a_document_that_is_refused(text: str, where: str, why: str) -> None:
    found = conversion(text)
    assert found.document is None
    assert [(rule.pointer, rule.why) for rule in found.rules if rule.status == "refused"] == [(where, why)]


@pytest.mark.parametrize(
    ("operand", "found"),
    [
        (1000000, [1000000, "1000000"]),
        (Number("1e6"), [Number("1e6"), "1e+06"]),
        ("1000000", ["1000000"]),
        ("1e+06", ["1e+06", Number("1e+06")]),
        ("007", ["007"]),
        ("0", ["0", 0]),
        ("-0", None),
        ("<nil>", None),
        ("[a]", None),
        ("NaN", None),
        (None, None),
        ({}, None),
        (2**53 + 1, None),
    ],
)
def test_the_twins_of_an_operand(operand: Any, found: object) -> None:
    assert twins(operand) == found


def test_numbers_are_written_as_go_writes_them() -> None:
    assert [number_text(Decimal(text)) for text in ("1.5", "100000", "123456.5", "1234567", "0.0001", "0.00001")] == [
        "1.5",
        "100000",
        "123456.5",
        "1.234567e+06",
        "0.0001",
        "1e-05",
    ]
