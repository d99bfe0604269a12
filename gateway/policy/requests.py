"""Requests that are no tool call: what they reach for, and whether the policy's sections permit it (bypass class B15).

| request | judged by |
|---|---|
| `resources/read`, `resources/subscribe` | `resources`, by the address |
| `prompts/get` | `prompts`, by the name |
| `completion/complete` | whatever its `ref` names: it tells what values a prompt or a template takes |
| the lists, what else is housekeeping | passes; lists are filtered item by item, by the same rules |
| any other request | `methods`, by the method; what only reads like one of the above, by its section as well |

Without a section, the document's `default` decides.
"""

from collections.abc import Iterator, Mapping

from gateway.jsonrpc import Json, fold
from gateway.policy import uris
from gateway.policy.compiled import Policy
from gateway.policy.decision import Decision
from gateway.policy.layers import meet
from gateway.policy.problem import Fault
from gateway.policy.refusals import refuse_method, refuse_prompt, refuse_resource
from gateway.policy.sections import Section, SectionName

LISTS = frozenset({"tools/list", "resources/list", "resources/templates/list", "prompts/list", "tasks/list"})
"""Request methods whose answer is filtered by the document instead."""
HOUSEKEEPING = LISTS | {
    "initialize",
    "ping",
    "server/discover",
    "logging/setLevel",
    "subscriptions/listen",
    "resources/unsubscribe",
}
"""Request methods that carry no effect of the upstream's: they pass whatever the document says."""
_RULED: Mapping[str, tuple[SectionName, ...]] = {
    "resources/read": ("resources",),
    "resources/subscribe": ("resources",),
    "prompts/get": ("prompts",),
    "completion/complete": ("prompts", "resources"),
}
"""The sections by which a method is judged; one that only reads like it says nothing plainly, so they refuse it."""


def decide_request(policy: Policy, method: str, params: Mapping[str, Json]) -> Decision:
    """What the policy says of a request that is no tool call. Never raises."""
    if method in HOUSEKEEPING:
        return Decision("allow", "(default allow)" if policy.default_allows else "(housekeeping)", "allowed", "")
    return meet([(layer.layer, _decide(layer, method, params)) for layer in policy.layers])


def permits(policy: Policy, section: SectionName, value: Json) -> bool:
    """Whether a resource (by its address or template), a prompt or a method (by its name) is within reach."""
    return all(_judge(layer, section, value).effect != "deny" for layer in policy.layers)


def _decide(policy: Policy, method: str, params: Mapping[str, Json]) -> Decision:
    decisions = [_judge(policy, section, value) for section, value in _targets(method, params)]
    for effect in ("deny", "observe"):
        for decision in decisions:
            if decision.effect == effect:
                return decision
    return decisions[0]


def _targets(method: str, params: Mapping[str, Json]) -> Iterator[tuple[SectionName, Json]]:
    """What a request reaches for: at least one thing."""
    match method:
        case "resources/read" | "resources/subscribe":
            yield "resources", _member(params, "uri")
        case "prompts/get":
            yield "prompts", _member(params, "name")
        case "completion/complete":
            yield from _completed(params)
        case _:
            yield "methods", method
            yield from ((section, None) for section in _RULED.get(_reading(method), ()))


def _reading(method: str) -> str:
    """What a careless upstream might take a method for: by case, by form, by white space, by what is unseen."""
    return "".join(char for char in fold(method) if char.isprintable() and not char.isspace())


def _completed(params: Mapping[str, Json]) -> Iterator[tuple[SectionName, Json]]:
    """A reference may say what it is in two ways; all that a server might believe has to be permitted.

    Where a key only reads like one of those that say it, nobody can tell what it refers to.
    """
    ref = params.get("ref")
    plain = ref if isinstance(ref, dict) else {}
    if _seems(params, "ref") or any(_seems(plain, key) for key in ("type", "name", "uri")):
        yield "prompts", None
        yield "resources", None
    is_prompt, is_resource = plain.get("type") == "ref/prompt", plain.get("type") == "ref/resource"
    if is_prompt or "name" in plain:
        yield "prompts", plain.get("name")
    if is_resource or "uri" in plain:
        yield "resources", plain.get("uri")
    if not is_prompt and not is_resource:
        yield "methods", "completion/complete"


def _member(params: Mapping[str, Json], key: str) -> Json:
    """The value of a key; none where another key reads like it, so that nobody can tell which one is meant (B6)."""
    return None if _seems(params, key) else params.get(key)


def _seems(params: Mapping[str, Json], key: str) -> bool:
    """Whether another key reads like this one."""
    return any(other != key and fold(other) == key for other in params)


def _judge(policy: Policy, section: SectionName, value: Json) -> Decision:
    found: Section | None = getattr(policy, section)
    permitted, rule, why = _ruling(policy, found, value)
    if permitted:
        return Decision("allow", rule, "allowed", "")
    return _refusal(section, value, rule, why, observed=policy.observed)


def _ruling(policy: Policy, section: Section | None, value: Json) -> tuple[bool, str, str]:
    """Whether it is permitted, by which rule, and a cause that would not be guessed."""
    if section is None:
        return policy.default_allows, "(default allow)" if policy.default_allows else "(default deny)", "no section"
    if not isinstance(value, str):
        return False, f"/{section.name}", "the request does not say plainly which one it means"
    plain = uris.normal(value) if section.name == "resources" else value
    if isinstance(plain, Fault):
        return False, f"/{section.name}", plain.message
    return *section.ruling(plain), ""


def _refusal(section: SectionName, value: Json, rule: str, why: str, *, observed: bool) -> Decision:
    name = value if isinstance(value, str) else ""
    if section == "methods":
        refusal = refuse_method(name, rule)
    else:
        refusal = (refuse_resource if section == "resources" else refuse_prompt)(name, rule, why)
    return Decision("observe", refusal.rule, refusal.reason, refusal.message) if observed else refusal
