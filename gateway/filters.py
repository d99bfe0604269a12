"""What a client gets to see of the upstream's lists. Pure, but for what is said in the log.

A list is filtered on its way back, page by page; what stays is byte for byte what the upstream sent where nothing was
removed, and equal in every value where something was. A list that was filtered for this client may not be cached for
others: `cacheScope` becomes `private` (2026-07-28, Caching).

In the stateless revision a tool whose schema marks headers in a way that is not allowed is not listed either: whoever
speaks HTTP to the server owes that to the client, who could not call it (2026-07-28, Custom Headers).
"""

import logging
from collections.abc import Callable, Container, Iterable

from gateway import policy as judge
from gateway import replies
from gateway.jsonrpc import Json, Message, serialise
from gateway.policies import NoPolicy
from gateway.policy import Policy
from gateway.upstream.headers import is_modern, mark_fault

_LOG = logging.getLogger(__name__)
Keep = Callable[[Json], bool]


def filtered(request: Message, response: Message, policy: Policy | NoPolicy, tasks: Container[str]) -> bytes:
    """The response to one of the list methods, without what this client may not see."""
    result = response.body.get("result")
    field, keep = _rule(request, policy, tasks)
    items = result.get(field) if isinstance(result, dict) else None
    if not isinstance(result, dict) or not isinstance(items, list):
        return replies.relayed(response)
    kept = [item for item in items if keep(item)]
    if len(kept) == len(items):
        return replies.relayed(response)
    narrowed: dict[str, Json] = {**result, field: kept}
    if "cacheScope" in result:
        narrowed["cacheScope"] = "private"
    body: dict[str, Json] = {**response.body, "result": narrowed}
    return replies.relayed(Message("response", response.id, "", body, serialise(body)))


def _rule(request: Message, policy: Policy | NoPolicy, tasks: Container[str]) -> tuple[str, Keep]:
    match request.method:
        case "tools/list" if is_modern(request):
            return "tools", lambda item: visible(policy, _text(item, "name")) and _callable(item)
        case "tools/list":
            return "tools", lambda item: visible(policy, _text(item, "name"))
        case "resources/list":
            return "resources", lambda _: _permits(policy, "resources/read")
        case "resources/templates/list":
            return "resourceTemplates", lambda _: _permits(policy, "resources/read")
        case "prompts/list":
            return "prompts", lambda _: _permits(policy, "prompts/get")
        case _:
            return "tasks", lambda item: _text(item, "taskId") in tasks


def visible(policy: Policy | NoPolicy, tool: str) -> bool:
    """Whether a tool is listed. Without a policy everything is, so that the refusal of a call can say what is wrong."""
    return isinstance(policy, NoPolicy) or judge.visible(policy, tool)


def _callable(tool: Json) -> bool:
    """Whether the headers that a tool asks for can be made."""
    fault = mark_fault(tool.get("inputSchema")) if isinstance(tool, dict) else None
    if fault is not None:
        _LOG.warning("the tool %.100a is not listed: %.300a", _text(tool, "name"), fault)
    return fault is None


def changed_lists(tools: Iterable[str], old: Policy | NoPolicy, new: Policy | NoPolicy) -> tuple[str, ...]:
    """Which lists (`tools`, `resources`, `prompts`) would look different to a client under `new`.

    Where no tool is known yet, nobody can tell, and the tools' list counts as changed.
    """
    names = tuple(tools)
    moved = [visible(old, name) for name in names] != [visible(new, name) for name in names]
    changed = ["tools"] if moved or not names else []
    for kind, method in (("resources", "resources/read"), ("prompts", "prompts/get")):
        if _permits(old, method) != _permits(new, method):
            changed.append(kind)
    return tuple(changed)


def without_denied_subscriptions(request: Message, policy: Policy | NoPolicy) -> bytes:
    """`subscriptions/listen` (2026-07-28) without the resources that may not be read."""
    wanted = request.params.get("notifications")
    if _permits(policy, "resources/read") or not isinstance(wanted, dict) or "resourceSubscriptions" not in wanted:
        return request.raw
    kept = {key: value for key, value in wanted.items() if key != "resourceSubscriptions"}
    return serialise({**request.body, "params": {**request.params, "notifications": kept}})


def _permits(policy: Policy | NoPolicy, method: str) -> bool:
    return not isinstance(policy, NoPolicy) and judge.decide_method(policy, method).effect == "allow"


def _text(item: Json, key: str) -> str:
    value = item.get(key) if isinstance(item, dict) else None
    return value if isinstance(value, str) else ""
