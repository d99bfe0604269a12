"""From Intercept's YAML to a policy of ours: exact in meaning, or refused with the reason, rule by rule.

Intercept (github.com/policylayer/intercept) judges by `rules`: a tool's own, then those of `"*"`. A `deny` rule
refuses; an `evaluate` rule refuses unless all of its conditions hold; a rule with `state` counts calls in a window of
UTC, for everybody who shares the server. So here

| there | here |
|---|---|
| `default` (absent: allow), `hide` | the same, `default` written out |
| tool `"*"` | `all_tools` |
| `action: deny` | `action: deny` |
| conditions on `args.` | a predicate of `require` |
| `rate_limit`, and `state` with `lt` or `lte` on its own counter | a limit of scope `server` |
| a rule without `action`, `default` without `resources` and the like | what Intercept does: evaluate, pass |

What differs is the treatment of values of another type than the operand's, which Intercept compares by their text and
our conditions cannot judge, and so refuse. A condition that holds where the value *is* something is given the twins of
its operand (`go_text`) and stays exact. One that holds where the value *is not* something would refuse more than it
did; so would costs that are no whole numbers. Such a rule is *tighter*, and is taken only if the caller says so.

Rules are order-free here, so of several rules that refuse a call another one may be reported.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from gateway.authoring.intercept_rules import Part, Refused, add_condition, added, increment, limit_of, own
from gateway.jsonrpc import Json
from gateway.policy.positions import pointer
from gateway.policy.problem import Problem, quoted
from gateway.policy.source import Source

Status: TypeAlias = Literal["exact", "tighter", "refused"]

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "document": ("version", "description", "default", "hide", "tools"),
    "tool": ("rules",),
    "rule": ("name", "action", "rate_limit", "conditions", "on_deny", "state"),
    "condition": ("path", "op", "value"),
    "state": ("counter", "window", "increment", "increment_from"),
}
_WINDOWS: Final = ("minute", "hour", "day")
_RATE: Final = re.compile(r"\+?0*([1-9][0-9]{0,8})/(minute|hour|day)")
_GUESSED: Final = re.compile(r"[-+]?(0b[01_]+|0?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*)")
CHARGES: Final = "a call that the server answers with an error keeps its charge here; Intercept gives it back"
OTHERS: Final = "`resources`, `prompts` and other methods stay open, because Intercept judges calls of tools only"


@dataclass(frozen=True, slots=True)
class Converted:
    """One rule (or other part) of the source: what became of it, where it is in the result, and why it is not exact."""

    pointer: str
    line: int
    name: str
    status: Status
    to: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Conversion:
    """`document` is None where something was refused. `notes` hold for the whole document."""

    document: dict[str, Json] | None
    rules: tuple[Converted, ...]
    notes: tuple[str, ...]


def convert(source: Source, *, tighter: bool = False) -> Conversion:
    """The policy that an Intercept document says; `tighter` takes rules that would refuse more than they did."""
    converter = _Converter(source, tighter=tighter)
    document = converter.document(source.value)
    problems = [_refused(problem) for problem in source.problems]
    rules = tuple(sorted([*problems, *converter.done], key=lambda rule: rule.line))
    if any(rule.status == "refused" for rule in rules):
        return Conversion(None, rules, ())
    return Conversion(document, rules, tuple(_notes(document)))


def _refused(problem: Problem) -> Converted:
    return Converted(problem.pointer, problem.line, "", "refused", (), problem.message)


def _notes(document: Mapping[str, Json]) -> Iterator[str]:
    if document["default"] == "deny":
        yield OTHERS
    tools = document["tools"]
    entries = [document.get("all_tools"), *(tools.values() if isinstance(tools, dict) else ())]
    if any(isinstance(entry, dict) and "limits" in entry for entry in entries):
        yield CHARGES


class _Converter:
    """Internal: one document on its way. What was done is in `done`."""

    def __init__(self, source: Source, *, tighter: bool) -> None:
        self._lines = source.text.split("\n")
        self._places = source.places()
        self._tighter = tighter
        self._counters: dict[str, str] = {}
        self.done: list[Converted] = []

    def document(self, value: Json) -> dict[str, Json]:
        found = self._object(value, "", "document")
        made: dict[str, Json] = {"version": "1"}
        if found.get("description") not in (None, ""):
            made["description"] = str(found["description"])
        made["default"] = self._default(found)
        hide = self._hide(found.get("hide"))
        tools = self._object(found.get("tools"), "/tools", "")
        entries = {name: self._tool(name, tool) for name, tool in tools.items()}
        everything = entries.pop("*", {})
        made |= {"hide": hide} if hide else {}
        made |= {"all_tools": everything} if everything else {}
        made["tools"] = {name: entry for name, entry in entries.items() if entry or made["default"] == "deny"}
        if made["default"] == "deny":
            made |= {section: {"default": "allow"} for section in ("methods", "resources", "prompts")}
        return made

    # --- the top ----------------------------------------------------------------------------------------------------

    def _default(self, found: Mapping[str, Json]) -> Json:
        if str(found.get("version")) != "1":
            self._refuse("/version", "Intercept wants `version` to be `1`")
        default = found.get("default") or "allow"
        if default not in ("allow", "deny"):
            self._refuse("/default", "Intercept wants `default` to be `allow` or `deny`")
        return default

    def _hide(self, value: Json) -> list[Json]:
        if value is None:
            return []
        if not isinstance(value, list):
            self._refuse("/hide", "Intercept wants a list here")
            return []
        for index, name in enumerate(value):
            where = pointer("hide", index)
            if not isinstance(name, str) or not name.strip():
                self._refuse(where, "Intercept wants a name here")
            elif name in value[:index]:
                self._refuse(where, f"{quoted(name)} stands twice")
            elif "*" in name and name != "*":
                self._refuse(where, f"{quoted(name)} is no pattern there: it hides nothing; here it would")
        return value

    # --- tools ------------------------------------------------------------------------------------------------------

    def _tool(self, name: str, value: Json) -> dict[str, Json]:
        where = pointer("tools", name)
        if "*" in name and name != "*":
            self._refuse(where, f"{quoted(name)} is no pattern there: it names no tool; here it would")
        tool = self._object(value, where, "tool")
        rules = tool.get("rules")
        if rules is not None and not isinstance(rules, list):
            self._refuse(f"{where}/rules", "Intercept wants a list here")
        entry: dict[str, Json] = {}
        target = "/all_tools" if name == "*" else where
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            self._rule(name, rule, f"{where}/rules/{index}", target, entry)
        return entry

    def _rule(self, tool: str, value: Json, where: str, target: str, entry: dict[str, Json]) -> None:
        rule = self._object(value, where, "rule")
        name = str(rule.get("name") or "")
        try:
            part = self._part("_global" if tool == "*" else tool, rule, where)
        except Refused as refused:
            self._refuse(where, str(refused), name)
            return
        if part.tighter and not self._tighter:
            self._refuse(where, f"it would refuse more here: {'; '.join(part.tighter)}", name)
            return
        to = tuple(added(entry, part, rule, target))
        status: Status = "tighter" if part.tighter else "exact"
        self.done.append(Converted(where, self._places.value(where)[0], name, status, to, "; ".join(part.tighter)))

    def _part(self, scope: str, rule: Mapping[str, Json], where: str) -> Part:
        action = rule.get("action") or "evaluate"
        conditions = rule.get("conditions") or []
        if not isinstance(conditions, list):
            raise Refused("Intercept wants a list of `conditions`")
        if rule.get("rate_limit") not in (None, ""):
            return self._rate(scope, rule, where)
        if not rule.get("name"):
            raise Refused("Intercept wants a `name`")
        if action == "deny":
            if conditions:
                raise Refused("Intercept wants no `conditions` under `deny`")
            return Part(denies=True)
        if action != "evaluate":
            raise Refused("Intercept wants `action` to be `evaluate` or `deny`")
        if not conditions:
            raise Refused("Intercept wants `conditions` here")
        part = Part()
        bounds: list[tuple[str, Json]] = []
        for index, given in enumerate(conditions):
            condition = self._object(given, f"{where}/conditions/{index}", "condition")
            path, op, operand = str(condition.get("path")), str(condition.get("op")), condition.get("value")
            if path.startswith("state."):
                bounds.append((own(path, op, scope, rule), operand))
            else:
                self._guessed(f"{where}/conditions/{index}/value", operand)
                add_condition(path, op, operand, part)
        self._state(scope, rule, where, bounds, part)
        return part

    def _rate(self, scope: str, rule: Mapping[str, Json], where: str) -> Part:
        if rule.get("conditions") or rule.get("state") is not None or rule.get("action") == "deny":
            raise Refused("Intercept takes `rate_limit` neither with `conditions` or `state` nor under `deny`")
        found = _RATE.fullmatch(str(rule["rate_limit"]))
        if found is None:
            raise Refused(f"{quoted(str(rule['rate_limit']))} is no rate of Intercept's: `5/hour`")
        number, window = int(found[1]), found[2]
        self._count(scope, f"_rate_{window}", where)
        said = rule.get("on_deny") or f"Rate limit of {number} per {window} reached. Try again later."
        return Part(limits=[limit_of(f"_rate_{window}", window, number, str(said))])

    def _state(
        self, scope: str, rule: Mapping[str, Json], where: str, bounds: list[tuple[str, Json]], part: Part
    ) -> None:
        if rule.get("state") is None:
            return
        state = self._object(rule["state"], f"{where}/state", "state")
        counter, window = state.get("counter"), state.get("window")
        if not isinstance(counter, str) or not counter or window not in _WINDOWS:
            raise Refused("Intercept wants a `counter`, and a `window` of `minute`, `hour` or `day`")
        self._count(scope, counter, where)
        if len(bounds) != 1:
            words = "nothing bounds its counter, so that Intercept never counts" if not bounds else "two bounds"
            raise Refused(f"{words}; write one condition with `lt` or `lte` on it")
        op, operand = bounds[0]
        if isinstance(operand, bool) or not isinstance(operand, int | Decimal):
            raise Refused(f"Intercept wants a number beside `{op}`")
        maximum = int(operand) - (op == "lt")
        if op == "lte" and maximum != operand:
            maximum = int(operand)  # Intercept cuts the fraction off
        step, cost = increment(state, part)
        said = str(rule.get("on_deny") or f"Rate limit exceeded for {rule.get('name')}")
        if cost is None and maximum // step < 1:
            part.denies = True
        elif maximum < 1:
            raise Refused("its bound is below 1, which only a call that costs nothing could pass")
        else:
            limit = limit_of(counter, str(window), maximum if cost else maximum // step, said)
            part.limits.append(limit | ({"increment_from": cost} if cost else {}))

    def _count(self, scope: str, counter: str, where: str) -> None:
        key = f"{scope}.{counter}"
        if key in self._counters:
            raise Refused(f"its counter is that of `{self._counters[key]}` as well")
        self._counters[key] = where

    # --- words ------------------------------------------------------------------------------------------------------

    def _object(self, value: Json, where: str, shape: str) -> Mapping[str, Json]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._refuse(where, "Intercept wants an object here")
            return {}
        for key in value if shape else ():
            if key not in _KEYS[shape]:
                message = f"Intercept ignores the key {quoted(key)}: whatever it is meant to say is not in force there"
                self._refuse(f"{where}{pointer(key)}", message)
        return value

    def _guessed(self, where: str, operand: Json) -> None:
        """Words that Intercept's reader takes for a number or a date, and ours for a text."""
        items = [(where, operand)]
        if isinstance(operand, list):
            items += [(f"{where}/{index}", item) for index, item in enumerate(operand)]
        for place, item in items:
            if isinstance(item, str) and _GUESSED.fullmatch(item) and not self._is_quoted(place):
                raise Refused(f"{quoted(item)} is a number or a date to Intercept: put it in quotes if it is a text")

    def _is_quoted(self, where: str) -> bool:
        line, column = self._places.value(where)
        return self._lines[line - 1][column - 1 : column] in ("'", '"', "|", ">")

    def _refuse(self, where: str, why: str, name: str = "") -> None:
        self.done.append(Converted(where, self._places.value(where)[0], name, "refused", (), why))
