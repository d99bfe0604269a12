"""A small evaluator of Intercept's semantics, written from its documentation and behaviour: what `convert` is held to.

Values are what Go makes of JSON: numbers are doubles, and whatever is not two numbers is compared by its text.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SECONDS = {"minute": 60, "hour": 3600, "day": 86400}


def text(value: Any) -> str:
    """`fmt.Sprintf("%v", value)` for what JSON and YAML give."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return float_text(value)
        case str():
            return value
        case list():
            return f"[{' '.join(map(text, value))}]"
        case _:
            return f"map[{' '.join(f'{key}:{text(value[key])}' for key in sorted(value))}]"


def float_text(value: float) -> str:
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    digits, power = f"{value:.17e}".split("e")
    for precision in range(17):
        digits, power = f"{value:.{precision}e}".split("e")
        if float(f"{digits}e{power}") == value:
            break
    if int(power) < -4 or int(power) >= 6:
        return f"{digits}e{power}"
    whole = f"{value:.20f}"
    for precision in range(21):
        whole = f"{value:.{precision}f}"
        if float(whole) == value:
            break
    return whole


def number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def equal(actual: Any, expected: Any) -> bool:
    left, right = number(actual), number(expected)
    if left is not None and right is not None:
        return left == right
    return text(actual) == text(expected)


def holds(op: str, actual: Any, expected: Any) -> bool:
    left, right = number(actual), number(expected)
    match op:
        case "eq" | "neq":
            return equal(actual, expected) is (op == "eq")
        case "in" | "not_in":
            return any(equal(actual, item) for item in expected) is (op == "in")
        case "lt" | "lte" | "gt" | "gte":
            if left is None or right is None:
                return False
            return {"lt": left < right, "lte": left <= right, "gt": left > right, "gte": left >= right}[op]
        case "regex":
            return isinstance(actual, str) and re.search(expected, actual) is not None
        case _:
            if isinstance(actual, str):
                return isinstance(expected, str) and expected in actual
            return isinstance(actual, list) and any(equal(item, expected) for item in actual)


def look_up(arguments: Any, path: str) -> tuple[Any, bool]:
    current = arguments
    for step in path.split("."):
        if not isinstance(current, dict) or step not in current:
            return None, False
        current = current[step]
    return current, True


@dataclass
class Reference:
    """One document, and its counters: key -> (start of the window, value)."""

    document: Mapping[str, Any]
    counters: dict[str, tuple[int, int]] = field(default_factory=dict)

    def allows(self, tool: str, arguments: Mapping[str, Any], now: int) -> bool:
        hidden = self.document.get("hide") or []
        tools = self.document.get("tools") or {}
        if tool in hidden or "*" in hidden:
            return False
        if self.document.get("default") == "deny" and tool not in tools:
            return False
        rules = [(tool, rule) for rule in (tools.get(tool) or {}).get("rules") or []]
        rules += [("_global", rule) for rule in (tools.get("*") or {}).get("rules") or []]
        rules = [(scope, spelt_out(scope, rule)) for scope, rule in rules]
        return all(self._passes(scope, rule, arguments, now) for scope, rule in rules) and self._reserved(
            rules, arguments, now
        )

    def _passes(self, scope: str, rule: Mapping[str, Any], arguments: Mapping[str, Any], now: int) -> bool:
        del scope
        if rule.get("action") == "deny":
            return False
        for condition in rule["conditions"]:
            path, op, expected = condition["path"], condition["op"], condition["value"]
            if path.startswith("state."):
                actual, there = self._value(path.removeprefix("state."), now), True
            else:
                actual, there = look_up(arguments, path.removeprefix("args."))
            if op == "exists":
                if (there and actual is not None) is not expected:
                    return False
            elif not there or not holds(op, actual, expected):
                return False
        return True

    def _value(self, key: str, now: int) -> int:
        window = next((w for w in SECONDS if key.endswith(f"_{w}")), "minute")
        start, value = self.counters.get(key, (0, 0))
        return value if start == now - now % SECONDS[window] else 0

    def _reserved(self, rules: list[tuple[str, Mapping[str, Any]]], arguments: Mapping[str, Any], now: int) -> bool:
        before = dict(self.counters)
        for scope, rule in rules:
            state = rule.get("state")
            if state is None:
                continue
            key = f"{scope}.{state['counter']}"
            bound = next(item for item in rule["conditions"] if item["path"] == f"state.{key}")
            limit = int(bound["value"]) - (bound["op"] == "lt")
            amount: Any = state.get("increment") or 1
            if "increment_from" in state:
                amount, there = look_up(arguments, state["increment_from"].removeprefix("args."))
                if not there or number(amount) is None:
                    self.counters = before
                    return False
            start = now - now % SECONDS[state["window"]]
            value = self.counters.get(key, (0, 0))[1] if self.counters.get(key, (0, 0))[0] == start else 0
            if value + int(amount) > limit:
                self.counters = before
                return False
            self.counters[key] = (start, value + int(amount))
        return True


def spelt_out(scope: str, rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """A rate as the conditions and the counter it stands for."""
    if "rate_limit" not in rule:
        return rule
    count, window = rule["rate_limit"].split("/")
    counter = f"_rate_{window}"
    condition = {"path": f"state.{scope}.{counter}", "op": "lte", "value": int(count)}
    return {"conditions": [condition], "state": {"counter": counter, "window": window}}
