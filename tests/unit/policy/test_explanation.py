import pytest

from gateway.jsonrpc import Json, loads
from gateway.policy import Circumstances, Facts, InputSchema, Policy, ToolCall, load
from gateway.policy.explanation import ConditionStep, Explanation, Step, explain, obstacles

TEXT = """{
  "version": "1",
  "default": "deny",
  "hide": ["secret"],
  "all_tools": { "limits": [{ "counter": "all", "window": "day", "max": 9, "scope": "grant" }] },
  "tools": {
    "send": {
      "validate": { "required_args": true },
      "require": [{ "conditions": [{ "path": "args.to", "op": "regex", "value": "@example" }] }],
      "deny_if": [
        { "conditions": [{ "path": "args.cc", "op": "exists", "value": true }] },
        { "conditions": [{ "path": "args.n", "op": "gt", "value": 5 }] }
      ],
      "rules": [{ "action": "require_approval", "conditions": [{ "path": "args.html", "op": "eq", "value": true }] }],
      "rate_limit": "5/hour"
    },
    "gone": { "action": "deny" },
    "ask": { "action": "require_approval" }
  }
}"""


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load(TEXT.encode(), name="policy.json")


def ask(policy: Policy, arguments: str, *, tool: str = "send", mirrored: bool = True) -> Explanation:
    value = loads(arguments)
    assert isinstance(value, dict)
    return explain(policy, ToolCall(tool, value), Facts(mirrored, ("to",)))


def test_every_check_is_listed_in_order_with_its_line_and_value(policy: Policy) -> None:
    told = ask(policy, '{"to": "x", "n": "6", "html": false}')
    assert told.steps == (
        Step("mirrored", "(unknown tool)", None, "true", refuses=False),
        Step("hide", "(hidden)", None, "false", refuses=False),
        Step("listed", "/tools/send", 7, "true", refuses=False),
        Step("validate", "/tools/send/validate/required_args", 8, "true", refuses=False),
        Step(
            "require",
            "/tools/send/require/0",
            9,
            "false",
            refuses=True,
            decided=True,
            conditions=(ConditionStep("args.to", "regex", '"@example"', "false", '"x"'),),
        ),
        Step(
            "deny_if",
            "/tools/send/deny_if/0",
            11,
            "false",
            refuses=False,
            conditions=(ConditionStep("args.cc", "exists", "true", "false", "absent"),),
        ),
        Step(
            "deny_if",
            "/tools/send/deny_if/1",
            12,
            "unjudgeable",
            refuses=True,
            conditions=(ConditionStep("args.n", "gt", "5", "unjudgeable", '"6"'),),
        ),
        Step(
            "approval",
            "/tools/send/rules/0",
            14,
            "false",
            refuses=False,
            conditions=(ConditionStep("args.html", "eq", "true", "false", "false"),),
        ),
        Step("limit", "/tools/send/rate_limit", 15, "counted", refuses=False),
        Step("limit", "/all_tools/limits/0", 5, "counted", refuses=False),
    )


@pytest.mark.parametrize(
    ("arguments", "change"),
    [
        ("{}", "give `args.to`, which the tool requires (line 8)"),
        ('{"to": "x"}', 'make `args.to regex "@example"` hold (line 9)'),
        ('{"to": 5}', 'send `args.to` as a type that `args.to regex "@example"` can judge (line 9)'),
        ('{"to": "@example", "cc": 1}', "make `args.cc exists true` not hold (line 11)"),
        ('{"to": "@example", "n": "6"}', "send `args.n` as a type that `args.n gt 5` can judge (line 12)"),
        (
            '{"to": "@example", "html": true}',
            "make `args.html eq true` not hold, or have a person approve (line 14)",
        ),
        ('{"to": "@example"}', "nothing has to change: the call is relayed once its limits are reserved"),
    ],
)
def test_a_sentence_says_what_would_change_the_decision(policy: Policy, arguments: str, change: str) -> None:
    assert ask(policy, arguments).change == change


CC: Json = {"type": "object", "properties": {"to": {"type": "string"}, "cc": {"type": "array"}, "n": {}}}
PAIR: Json = {"type": "object", "properties": {"cc": {"type": ["array", "string"]}}}


@pytest.mark.parametrize(
    ("schema", "arguments", "change"),
    [
        (
            CC,
            '{"cc": ["a"]}',
            (
                '`args.cc regex "a"` can never be judged: the tool takes `args.cc` as a list; '
                "let the rule look at `args.cc[*]` (line 1)"
            ),
        ),
        (CC, '{"cc": 5}', 'send `args.cc` as a type that `args.cc regex "a"` can judge (line 1)'),
        (PAIR, '{"cc": ["a"]}', 'send `args.cc` as a type that `args.cc regex "a"` can judge (line 1)'),
        (None, '{"cc": ["a"]}', 'send `args.cc` as a type that `args.cc regex "a"` can judge (line 1)'),
    ],
)
def test_a_rule_that_no_call_the_tool_takes_can_satisfy_is_said_to_be_one(
    schema: Json, arguments: str, change: str
) -> None:
    rule = '{"conditions": [{"path": "args.cc", "op": "regex", "value": "a"}]}'
    text = f'{{"version": "1", "default": "allow", "tools": {{"send": {{"require": [{rule}]}}}}}}'
    value = loads(arguments)
    assert isinstance(value, dict)
    facts = Facts(mirrored=True, required_arguments=("to",), schema=None if schema is None else InputSchema(schema))
    assert explain(load(text.encode(), name="p"), ToolCall("send", value), facts).change == change


@pytest.mark.parametrize(
    ("tool", "mirrored", "rule", "change"),
    [
        ("send", False, "(unknown tool)", "the upstream would have to announce a tool of exactly this name"),
        ("secret", True, "(hidden)", "take `secret` out of `hide` (line 4)"),
        ("other", True, "(default deny)", "name `other` under `tools`, or set `default` to `allow` (line 3)"),
        ("gone", True, "/tools/gone/action", "take out `/tools/gone/action` (line 17)"),
        ("ask", True, "/tools/ask/action", "a person has to approve, or `/tools/ask/action` go (line 18)"),
    ],
)
def test_what_refuses_without_conditions_is_explained_too(
    policy: Policy, tool: str, mirrored: bool, rule: str, change: str
) -> None:
    told = ask(policy, "{}", tool=tool, mirrored=mirrored)
    assert (told.decision.rule, told.change) == (rule, change)
    assert [step.rule for step in told.steps if step.decided] == [rule]


def test_an_absent_argument_is_shown_as_absent(policy: Policy) -> None:
    steps = {step.rule: step for step in ask(policy, '{"to": "@example", "n": null}').steps}
    assert steps["/tools/send/deny_if/1"].value == "absent"
    assert steps["/tools/send/deny_if/1"].conditions[0].value == "absent"
    assert steps["/tools/send/rules/0"].value == "absent"


def test_a_lone_star_is_what_hides() -> None:
    hidden = load(b'{"version": "1", "default": "allow",\n"hide": ["*"]}', name="p")
    told = explain(hidden, ToolCall("t", {}), Facts(mirrored=True))
    assert told.change == "take `*` out of `hide` (line 2)"


# --- repeat -----------------------------------------------------------------------------------------------------------


def test_a_repeat_is_counted_in_the_session_and_refuses_where_that_is_known() -> None:
    text = """{"version": "1", "default": "allow",
    "tools": {"t": {"repeat": {"max": 1, "window": 60}}},
    "all_tools": {"repeat": {"max": 2, "window": 60}}}"""
    policy = load(text.encode(), name="policy.json")
    once = explain(policy, ToolCall("t", {}), Facts(mirrored=True))
    assert once.decision.effect == "allow"
    assert [step for step in once.steps if step.kind == "repeat"] == [
        Step("repeat", "/tools/t/repeat", 2, "counted", refuses=False),
        Step("repeat", "/all_tools/repeat", 3, "counted", refuses=False),
    ]
    around = Circumstances(0.0, "me", "", {"t": 1}, 0, {}, same=(15.0,))
    facts = Facts(mirrored=True, circumstances=around)
    again = explain(policy, ToolCall("t", {}), facts)
    assert [step for step in again.steps if step.kind == "repeat"] == [
        Step("repeat", "/tools/t/repeat", 2, "true", refuses=True, decided=True),
        Step("repeat", "/all_tools/repeat", 3, "counted", refuses=False),
    ]
    assert again.change.endswith("Try again in 45 seconds. (line 2)")
    wait = "wait 45 s, or send other arguments: `/tools/t/repeat` counts those that are the same (line 2)"
    assert obstacles(policy, ToolCall("t", {}), facts) == (wait,)
