"""What a path finds when it names a fact: something known of the moment, the session, the grant, the client, the tool.

A fact that was not handed in is unjudgeable, never absent: a condition about it refuses, whichever way it is turned.
"""

from datetime import datetime, tzinfo

from gateway.policy.decision import Circumstances, Facts, ToolCall
from gateway.policy.paths import HINTS, Path
from gateway.policy.values import ABSENT, UNJUDGEABLE, Found


def known(path: Path, call: ToolCall, facts: Facts, zone: tzinfo | None) -> Found:
    """What a path that is no path of the arguments finds."""
    name = str(path.steps[0]) if path.steps else ""
    if path.root == "tool.name":
        return call.tool
    if path.root == "tool.annotations":
        return _hint(facts, name)
    circumstances = facts.circumstances
    return UNJUDGEABLE if circumstances is None else _circumstance(path.root, name, circumstances, zone)


def _hint(facts: Facts, name: str) -> Found:
    """A hint as announced; an absent one, or null, means what the protocol says it does."""
    if facts.annotations is None:
        return UNJUDGEABLE
    claimed = facts.annotations.get(name)
    return HINTS[name] if claimed is None else claimed


def _circumstance(root: str, name: str, circumstances: Circumstances, zone: tzinfo | None) -> Found:
    match root:
        case "session.calls":
            return circumstances.session_calls.get(name, 0)
        case "session.denials":
            return circumstances.session_denials
        case "grant.seconds_since":
            return circumstances.seconds_since.get(name, ABSENT)
        case "grant":
            return circumstances.grant
        case "client.name":
            return circumstances.client or ABSENT
        case "time.hour" | "time.weekday":
            return _time(root, circumstances.now, zone)
        case _:
            return UNJUDGEABLE


def _time(root: str, now: float, zone: tzinfo | None) -> Found:
    try:
        local = datetime.fromtimestamp(now, zone)
    except (ValueError, OverflowError, OSError):
        return UNJUDGEABLE
    return local.hour if root == "time.hour" else local.isoweekday()
