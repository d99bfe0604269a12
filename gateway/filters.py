"""What a client gets to see of the upstream's lists. Pure, but for what is said in the log.

Resources and prompts are listed where they could be read; a template is, where an address that looks like it could be.
A list is filtered on its way back, page by page; what stays is byte for byte what the upstream sent where nothing was
removed, and equal in every value where something was. A list that was filtered for this client may not be cached for
others: `cacheScope` becomes `private` (2026-07-28, Caching).

In the stateless revision a tool whose schema marks headers in a way that is not allowed is not listed either: whoever
speaks HTTP to the server owes that to the client, who could not call it (2026-07-28, Custom Headers).
"""

import logging
from collections.abc import Callable, Container, Iterable
from typing import Final, Literal, TypeAlias

from gateway import policy as judge
from gateway import replies
from gateway.jsonrpc import Json, Message, serialise
from gateway.policies import NoPolicy
from gateway.policy import Policy
from gateway.policy.sections import Section, SectionName
from gateway.upstream.headers import is_modern, mark_fault

_LOG = logging.getLogger(__name__)
_SECTIONS: Final[tuple[SectionName, ...]] = ("resources", "prompts")
_NOTHING: Final = "nothing is permitted"
Keep = Callable[[Json], bool]
Listing: TypeAlias = Literal["all", "callable"]
"""Which tools are listed: all but the hidden, or only those of which some call could pass."""


def filtered(
    request: Message,
    response: Message,
    policy: Policy | NoPolicy,
    tasks: Container[str],
    listing: Listing = "all",
    *,
    trusted: Keep | None = None,
) -> bytes:
    """The response to one of the list methods, without what this client may not see; `trusted`: what it may at all."""
    result = response.body.get("result")
    field, keep = _rule(request, policy, tasks, listing)
    if not isinstance(result, dict) or field not in result:
        return replies.relayed(response)
    items = result[field]
    listed = items if isinstance(items, list) else []  # of what is no list nobody knows what it shows
    kept = [item for item in listed if keep(item) and (trusted is None or trusted(item))]
    if isinstance(items, list) and len(kept) == len(items):
        return replies.relayed(response)
    narrowed: dict[str, Json] = {**result, field: kept}
    if "cacheScope" in result:
        narrowed["cacheScope"] = "private"
    body: dict[str, Json] = {**response.body, "result": narrowed}
    return replies.relayed(Message("response", response.id, "", body, serialise(body)))


def _rule(request: Message, policy: Policy | NoPolicy, tasks: Container[str], listing: Listing) -> tuple[str, Keep]:
    match request.method:
        case "tools/list" if is_modern(request):
            return "tools", lambda item: visible(policy, _text(item, "name"), listing) and _callable(item)
        case "tools/list":
            return "tools", lambda item: visible(policy, _text(item, "name"), listing)
        case "resources/list":
            return "resources", lambda item: _permits(policy, "resources", _text(item, "uri"))
        case "resources/templates/list":
            return "resourceTemplates", lambda item: _permits(policy, "resources", _text(item, "uriTemplate"))
        case "prompts/list":
            return "prompts", lambda item: _permits(policy, "prompts", _text(item, "name"))
        case _:
            return "tasks", lambda item: _text(item, "taskId") in tasks


def visible(policy: Policy | NoPolicy, tool: str, listing: Listing = "all") -> bool:
    """Whether a tool is listed. Without a policy everything is, so that the refusal of a call can say what is wrong."""
    if isinstance(policy, NoPolicy):
        return True
    return judge.visible(policy, tool) if listing == "all" else judge.callable_(policy, tool)


def _callable(tool: Json) -> bool:
    """Whether the headers that a tool asks for can be made."""
    fault = mark_fault(tool.get("inputSchema")) if isinstance(tool, dict) else None
    if fault is not None:
        _LOG.warning("the tool %.100a is not listed: %.300a", _text(tool, "name"), fault)
    return fault is None


def changed_lists(
    tools: Iterable[str], old: Policy | NoPolicy, new: Policy | NoPolicy, listing: Listing = "all"
) -> tuple[str, ...]:
    """Which lists (`tools`, `resources`, `prompts`) would look different to a client under `new`.

    Where no tool is known yet, nobody can tell, and the tools' list counts as changed.
    """
    names = tuple(tools)
    moved = [visible(old, name, listing) for name in names] != [visible(new, name, listing) for name in names]
    changed = ["tools"] if moved or not names else []
    return (*changed, *(section for section in _SECTIONS if _said(old, section) != _said(new, section)))


def _said(policy: Policy | NoPolicy, section: SectionName) -> object:
    """What a policy says of a section, so that two can be compared: nobody knows here what the upstream has."""
    if isinstance(policy, NoPolicy):
        return _NOTHING
    texts = []
    for layer in policy.layers:
        found: Section | None = getattr(layer, section)
        opens = layer.default_allows if found is None else found.default_allows or bool(found.allow)
        if not opens and not layer.observed:
            return _NOTHING
        texts.append((b"" if found is None else found.text, layer.observed))
    return texts


def without_denied_subscriptions(request: Message, policy: Policy | NoPolicy, tasks: Container[str]) -> bytes:
    """`subscriptions/listen` (2026-07-28) without the resources that may not be read, and without others' `tasks`.

    (What is heard of a task is all of it, its result included: the tasks extension, `notifications/tasks`.)
    """
    wanted = request.params.get("notifications")
    if not isinstance(wanted, dict):
        return request.raw
    rest = _narrowed(wanted, "resourceSubscriptions", lambda uri: _permits(policy, "resources", uri))
    rest = _narrowed(rest, "taskIds", lambda task: isinstance(task, str) and task in tasks)
    if rest is wanted:
        return request.raw
    return serialise({**request.body, "params": {**request.params, "notifications": rest}})


def _narrowed(wanted: dict[str, Json], field: str, keep: Keep) -> dict[str, Json]:
    """What is wanted, with only those of a list that are to be kept; without the list, if there are none."""
    if field not in wanted:
        return wanted
    asked = wanted[field]
    kept = [item for item in asked if keep(item)] if isinstance(asked, list) else []
    if isinstance(asked, list) and len(kept) == len(asked) and kept:
        return wanted
    rest = {key: value for key, value in wanted.items() if key != field}
    return {**rest, field: kept} if kept else rest


def is_news(message: Message, policy: Policy | NoPolicy) -> bool:
    """Whether the client may hear what the upstream says of its own accord: nothing of what it may not read."""
    if message.method != "notifications/resources/updated":
        return True
    return _permits(policy, "resources", message.params.get("uri"))


def _permits(policy: Policy | NoPolicy, section: SectionName, value: Json) -> bool:
    return not isinstance(policy, NoPolicy) and judge.permits(policy, section, value)


def _text(item: Json, key: str) -> str:
    value = item.get(key) if isinstance(item, dict) else None
    return value if isinstance(value, str) else ""
