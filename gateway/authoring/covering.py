"""Whether a rule of one policy refuses whatever a rule of another does: the proofs of `comparison`, for all calls.

Each is of a few lines and stands on how conditions come out (policy language, "Conditions"): Kleene's AND is monotone,
and "cannot tell" refuses as well.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import cast

from gateway.authoring.implied import asks_as_often, bounds, condition_key
from gateway.authoring.replay import facts_of
from gateway.authoring.samples import described
from gateway.catalogue import Catalogue
from gateway.jsonrpc import Json, serialise
from gateway.policy import Limit
from gateway.policy.checks import Check, Condition
from gateway.policy.compiled import Entry
from gateway.policy.globs import STAR
from gateway.policy.paths import EACH, Path


def refuses(checks: Sequence[Check], check: Check) -> bool:
    """Whether some of the checks fire whenever this one does: a `require` is as many as it has conditions."""
    if check.kind == "require" and check.conditions:
        parts = [replace(check, conditions=(condition,)) for condition in check.conditions]
        return all(any(_covers(found, part) for found in checks) for part in parts)
    return any(_covers(found, check) for found in checks)


def misses_nothing(check: Check, entry: Entry, checks: Sequence[Check], catalogue: Catalogue) -> bool:
    """Whether no argument that a tool requires can be missing: it is known to require none, or the schema sees to it.

    The schema refuses what is absent, and null where the argument plainly has another type.
    """
    definition = catalogue.definition(entry.key) if check.kind == "validate" and STAR not in entry.key else None
    if definition is None or entry.rule == "/all_tools":
        return False
    required, schema = facts_of(definition).required_arguments, definition.get("inputSchema")
    judged = any(found.kind == "schema" for found in checks) and isinstance(schema, dict) and "$ref" not in schema
    return not required or (judged and not any(_takes_null(schema, name) for name in required))


def _takes_null(schema: Json, name: str) -> bool:
    """Whether null may be an argument's value by a schema; where that is not plain, it may."""
    found = described(schema, Path(name, (name,)))
    if not isinstance(found, dict) or "$ref" in found:
        return True
    kinds = found.get("type")
    plain = isinstance(kinds, str) or (isinstance(kinds, list) and bool(kinds))
    return not plain or "null" in (kinds if isinstance(kinds, list) else [kinds])


def _covers(found: Check, check: Check) -> bool:
    """Whether one check fires whenever another does."""
    if found.kind == "action":
        return True
    if check.kind == "require":
        return found.kind == "require" and all(
            any(_stronger(ours, theirs) for ours in found.conditions) for theirs in check.conditions
        )
    if check.kind in ("deny_if", "approval"):
        kinds = ("deny_if",) if check.kind == "deny_if" or not asks_as_often(found, check) else ("deny_if", "approval")
        return found.kind in kinds and all(
            any(_stronger(theirs, ours) or _among(theirs, ours) for theirs in check.conditions)
            for ours in found.conditions
        )
    return found.kind == check.kind


def _stronger(one: Condition, other: Condition) -> bool:
    """Whether one condition holds only where the other does, and is false wherever the other is.

    Besides the same condition twice: bounds that differ even as doubles, lists of texts that contain each other, and
    that there is a value, which almost all others need.
    """
    if condition_key(one) == condition_key(other) or _needs(one, other):
        return True
    if (one.path, one.op, one.zone) != (other.path, other.op, other.zone):
        return False
    ours, theirs = one.operand, other.operand
    if one.op in ("lt", "lte", "gt", "gte"):
        low, high = (ours, theirs) if one.op in ("lt", "lte") else (theirs, ours)
        return float(cast("int | Decimal", low)) < float(cast("int | Decimal", high))
    if one.op in ("in", "not_in") and isinstance(ours, list) and isinstance(theirs, list):
        texts = bool(ours) and bool(theirs) and all(isinstance(item, str) for item in (*ours, *theirs))
        inner, outer = (ours, theirs) if one.op == "in" else (theirs, ours)
        return texts and all(item in outer for item in inner)
    return False


def _needs(one: Condition, other: Condition) -> bool:
    """Whether a condition is false without a value, and the other only says that there is one."""
    exists = other.op == "exists" and other.operand is True
    return exists and one.path.text == other.path.text and one.path.root == "args" and _is_of_values(one)


def _is_of_values(condition: Condition) -> bool:
    """Whether a condition is false where there is no value, or null."""
    operand = condition.operand
    if condition.op == "exists":
        return operand is True
    return operand is not None and not (isinstance(operand, list) and None in operand)


def _among(one: Condition, many: Condition) -> bool:
    """Whether one condition is about an item of a list, and the other says the same of any, or that there is any.

    Where the one is not false, there is such an item or no list, so that neither is the other.
    """
    if one.path.root != "args" or not many.path.many or one.path.many or not _is_of_values(one):
        return False
    said = one.op == many.op and serialise(one.operand) == serialise(many.operand)
    exists = many.op == "exists" and many.operand is True
    return (
        (said or exists)
        and len(one.path.steps) == len(many.path.steps)
        and all(
            ours == theirs or (theirs is EACH and isinstance(ours, int))
            for ours, theirs in zip(one.path.steps, many.path.steps, strict=True)
        )
    )


def stops(found: Limit, limit: Limit) -> bool:
    """Whether one limit stops no later than another."""
    if found.observed:
        return False
    alike = (found.window, found.seconds, found.scope, found.strategy) == (
        limit.window,
        limit.seconds,
        limit.scope,
        limit.strategy,
    )
    same = alike and (found.cost, found.per) == (limit.cost, limit.per)
    return (same and found.maximum <= limit.maximum) or bounds(found, limit)
