"""Policy documents for a run, made from the one that is measured. Pure."""

import json
from typing import TypeAlias, cast

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Document: TypeAlias = dict[str, Json]

PLENTY = 10**12
_PLENTY_RATE = 10**9 - 1


def roomy(text: str) -> Document:
    """The same document with every maximum beyond reach: limits are reserved and never used up.

    A `repeat` stays as it is: no call that is measured is the same as another.
    """
    return cast(Document, _roomy(json.loads(text)))


def _roomy(value: Json) -> Json:
    if isinstance(value, list):
        return [_roomy(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: item if key == "repeat" else _widened(key, item) for key, item in value.items()}


def _widened(key: str, value: Json) -> Json:
    if key == "max" and isinstance(value, int | float):
        return PLENTY
    if key == "rate_limit" and isinstance(value, str):
        return f"{_PLENTY_RATE}/{value.partition('/')[2]}"
    return value if key == "value" else _roomy(value)


def lacks(document: Document, tool: str) -> str | None:
    """Why calls of a tool cannot be measured under a document, or None."""
    tools, hidden = _tools(document), document.get("hide")
    if isinstance(hidden, list) and (tool in hidden or "*" in hidden):
        return f"the policy hides `{tool}`"
    if tool not in tools and document.get("default") != "allow":
        return f"the policy does not name `{tool}`"
    return None


def widened(document: Document, tool: str, count: int) -> Document:
    """The document with so many tools more, each with the entry of `tool`."""
    tools = _tools(document)
    return {**document, "tools": {**tools, **{f"more_{number}": tools.get(tool, {}) for number in range(count)}}}


def patterned(document: Document, count: int) -> Document:
    """The document with so many patterns more, which begin like nothing that there is."""
    more: dict[str, Json] = {f"none_{number}_*_x*": {"action": "deny"} for number in range(count)}
    return {**document, "tools": {**_tools(document), **more}}


def ruled(count: int) -> Document:
    """A document with one tool and so many rules over its argument, none of which refuses."""
    words = (f"secret{number}" for number in range(count))
    rules: list[Json] = [{"conditions": [{"path": "args.body", "op": "regex", "value": word}]} for word in words]
    return {"version": "1", "default": "deny", "tools": {"t": {"deny_if": rules}}}


def denying(document: Document, tool: str) -> Document:
    """The document as somebody edits it who wants `tool` no more."""
    return {**document, "tools": {**_tools(document), tool: {"action": "deny"}}}


def _tools(document: Document) -> dict[str, Json]:
    tools = document.get("tools", {})
    return tools if isinstance(tools, dict) else {}
