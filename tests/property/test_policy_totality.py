"""`decide` answers for whatever is asked; `load` accepts, or says what is wrong, for whatever it is given."""

import json
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.policy import Facts, PolicyError, ToolCall, decide, decide_request, load, visible
from gateway.policy.explanation import explain

OPERANDS = {
    "eq": '[1, "a", null]',
    "neq": "5",
    "lt": "5",
    "lte": "9007199254740993",
    "gt": "0.1",
    "gte": "1e300",
    "in": '[5, "a", null, [1]]',
    "not_in": "[{}]",
    "exists": "true",
    "regex": '"(a|b)*c$"',
    "contains": '"a"',
}
PATHS = ("args.a", "args.a.b", "args.a[0]", "args.a[*]", "args.a[*].b[*]")
PREDICATES = ", ".join(
    f'{{"conditions": [{{"path": "{path}", "op": "{op}", "value": {value}}}]}}'
    for op, value in OPERANDS.items()
    for path in PATHS
)
POLICIES = [
    load(
        f'{{"version": "1", "default": "deny", "tools": {{"t": {{"{field}": [{PREDICATES}]}}}}}}'.encode(),
        name="p",
    )
    for field in ("require", "deny_if")
]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**400, max_value=10**401),
    st.decimals(),
    st.text(st.characters()),
    st.floats(),
    st.binary(max_size=3),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.dictionaries(st.just("b"), inner),
    max_leaves=12,
)


@given(st.text(st.characters()) | st.just("t"), st.dictionaries(st.text() | st.just("a"), VALUES), st.booleans())
@example("t", {"a": Decimal("1e999999999")}, True)
@example("t", {"a": Decimal("-1e-999999999")}, True)
@example("t", {"a": "\ud800"}, True)
def test_decide_answers_for_every_call(tool: str, arguments: dict[str, object], mirrored: bool) -> None:
    call, facts = ToolCall(tool, arguments), Facts(mirrored, ("a", ""))  # type: ignore[arg-type]  # beyond JSON
    for policy in POLICIES:
        decision = decide(policy, call, facts)
        assert decision.effect in ("allow", "deny", "approve")
        assert decision == decide(policy, call, facts)
        assert explain(policy, call, facts).decision == decision
        assert isinstance(visible(policy, tool), bool)
        assert decide_request(policy, tool, arguments).reason in ("method", "resource", "prompt", "allowed")  # type: ignore[arg-type]  # beyond JSON


def accepted(data: bytes) -> None:
    refused: PolicyError | None = None
    try:
        load(data, name="policy.json")
    except PolicyError as error:
        refused = error
    if refused is None:
        return
    assert refused.problems
    assert all(line.isprintable() for line in str(refused).split("\n"))
    for problem in refused.problems:
        assert min(problem.line, problem.column) >= 1
        assert problem.hint
        assert problem.message[0].islower() or not problem.message[0].isalpha()
        assert not problem.message.endswith(".")
        assert problem.pointer == "" or problem.pointer.startswith("/")


@given(st.binary())
@example(b'{"a": 1e-99999999999999999999}')
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"-" * 5000)
@example(b"9" * 5000)
def test_load_survives_any_bytes(data: bytes) -> None:
    accepted(data)


@given(st.text())
def test_load_survives_any_text(text: str) -> None:
    accepted(text.encode(errors="surrogatepass"))


KEYS = st.sampled_from(
    [
        *("methods", "resources", "prompts", "timezone", "allow", "strategy", "per", "increment_from"),
        *("version", "default", "hide", "all_tools", "tools", "mode", "$schema", "t", "*", "a*", "(object)", "[key]"),
        *("require", "deny_if", "limits", "action", "reason", "rate_limit", "validate", "rules", "required_args"),
        *("conditions", "path", "op", "value", "on_deny", "counter", "window", "max", "scope", "schema", "name", ""),
    ]
)
WORDS = st.sampled_from(
    [
        "1",
        "deny",
        "allow",
        "args.a",
        "session.x",
        "eq",
        "regex",
        "in",
        "(",
        "*",
        "hour",
        "session",
        "observe",
        "args.a[*]",
        "session.calls.t",
        "Europe/Berlin",
        "a%2fb",
        "**",
        "grant",
        "30/hour",
        "\ud800",
        "",
    ]
)
LIKELY = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(KEYS, LIKELY, max_size=6) | LIKELY)
def test_load_survives_any_json(value: object) -> None:
    accepted(json.dumps(value).encode())


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, LIKELY, max_size=6), max_size=2))
def test_load_survives_any_entry(tools: object) -> None:
    accepted(json.dumps({"version": "1", "default": "deny", "tools": tools}).encode())
