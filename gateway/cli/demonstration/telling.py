"""The words of the story: what a step is made of, and how calls, answers and refusals are said."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from gateway.cli.demonstration.document import document
from gateway.cli.words import shown

if TYPE_CHECKING:
    from mcp_types import CallToolResult

Label: TypeAlias = Literal["call", "answer", "rule", "says", ""]
Arguments: TypeAlias = dict[str, object]
_DECISION: Final = "keyid-gateway/decision"


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was expected; `found` says what was there instead."""

    expected: str
    ok: bool
    found: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One act, over: `name` is for programs, `title` for people."""

    name: str
    title: str
    lines: tuple[tuple[Label, str], ...]
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back of one call: its text, its structured part, and the gateway's decision if it refused."""

    text: str
    data: Mapping[str, object]
    decision: Mapping[str, object] | None


def as_reply(result: "CallToolResult") -> Reply:
    text = " ".join(str(getattr(block, "text", "")) for block in result.content)
    decision = (result.meta or {}).get(_DECISION)
    data = result.structured_content
    return Reply(text, data if isinstance(data, dict) else {}, decision if isinstance(decision, dict) else None)


def asked(tool: str, arguments: Arguments) -> tuple[tuple[Label, str], ...]:
    return (("call", f"{tool} {json.dumps(arguments)}"),)


def refusal(reply: Reply) -> tuple[tuple[Label, str], ...]:
    rule = str((reply.decision or {}).get("rule", ""))
    return (("answer", shown(reply.text)), ("rule", f"{rule}{_written(rule)}"))


def _written(rule: str) -> str:
    """The part of the policy that a rule points to, as written."""
    if not rule.startswith("/"):
        return ""
    value: object = document()
    for step in rule.split("/")[1:]:
        value = value[int(step)] if isinstance(value, list) else cast(Mapping[str, object], value)[step]
    conditions = value.get("conditions") if isinstance(value, dict) else None
    if not isinstance(conditions, list):
        return f": {json.dumps(value)}"
    return ": " + ", ".join(f"{item['path']} {item['op']} {json.dumps(item['value'])}" for item in conditions)


def refused_by(reply: Reply, rule: str) -> Check:
    found = "it was let through" if reply.decision is None else str(reply.decision.get("rule"))
    return Check(f"refused by `{rule}`", reply.decision is not None and reply.decision.get("rule") == rule, found)


def part(data: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = data.get(name)
    return part if isinstance(part, dict) else {}


def brief(reply: Reply) -> str:
    return shown(json.dumps(reply.data) if reply.data else reply.text, 160)
