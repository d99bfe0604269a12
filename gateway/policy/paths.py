"""Paths: `args.a.b`, `args.list[0]`, `args.list[*].x`, `args["odd.name"]` (policy language, "Conditions").

A path selects what it finds: a value, `ABSENT` (a missing member or index, or anything below one), or `UNJUDGEABLE` (a
step into the wrong container: a caller who sends `["prod"]` where an object is expected must not become absent). Null
counts as absent, so a step into null is absent. `[*]` selects every element of a list, and nothing where there is none.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias

from gateway.jsonrpc import Json
from gateway.policy.problem import Fault, quoted
from gateway.policy.values import ABSENT, UNJUDGEABLE, Found, Missing


class Each(Enum):
    """The step `[*]`."""

    EACH = "[*]"


EACH: Final[Literal[Each.EACH]] = Each.EACH

Step: TypeAlias = str | int | Each

FORMS = 'paths look like `args.to`, `args.list[0]`, `args.list[*].x` or `args["odd.name"]`'
LATER_ROOTS = frozenset({"session", "grant", "time", "client", "tool"})

_AFTER_ROOT = re.compile(r"[.\[\]\s\"]")
_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]\s"*]+)
      | \[(?P<index>0|[1-9][0-9]{0,8})\]
      | \[(?P<each>\*)\]
      | \[(?P<quoted>"(?:[^"\\]|\\.)*")\]""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"[^.\[\]\s\"*]+")


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path: its text as written, the steps below `args`, and whether it selects `many`."""

    text: str
    steps: tuple[Step, ...]
    many: bool


def parse(text: str) -> Path | Fault:
    """The path a text says, or what is wrong with it."""
    root = _AFTER_ROOT.split(text, maxsplit=1)[0]
    if root != "args":
        return _wrong_root(text, root)
    steps: list[Step] = []
    position = len(root)
    while position < len(text):
        match = _STEP.match(text, position)
        step = _step(match) if match else None
        if match is None or step is None:
            return Fault(f"{quoted(text)} is not a path: it breaks at character {position + 1}", FORMS)
        steps.append(step)
        position = match.end()
    if not steps or not isinstance(steps[0], str):
        return Fault(f"{quoted(text)} names no argument", FORMS)
    return Path(text, tuple(steps), EACH in steps)


def _step(match: re.Match[str]) -> Step | None:
    if match["name"] is not None:
        return match["name"]
    if match["index"] is not None:
        return int(match["index"])
    if match["each"] is not None:
        return EACH
    try:
        name = json.loads(match["quoted"])
    except ValueError:
        return None
    return name if isinstance(name, str) else None


def _wrong_root(text: str, root: str) -> Fault:
    if root in LATER_ROOTS:
        return Fault(f"paths under `{root}` are not supported by this version", FORMS)
    example = f"args.{text}"
    if isinstance(parse(example), Path):
        return Fault(f"{quoted(root)} is not the root of a path", f"did you mean {quoted(example)}?")
    return Fault(f"{quoted(text)} is not a path", FORMS)


def argument(name: str) -> str:
    """The path of an argument of this name."""
    return f"args.{name}" if _PLAIN.fullmatch(name) else f"args[{json.dumps(name, ensure_ascii=False)}]"


def select(path: Path, arguments: Mapping[str, Json]) -> list[Found]:
    """Everything the path finds: exactly one item, unless it selects many."""
    name, *rest = path.steps
    first: Found = arguments.get(name, ABSENT) if isinstance(name, str) else UNJUDGEABLE
    if not path.many:
        for step in rest:
            first = _enter(first, step)
        return [first]
    found = [first]
    for step in rest:
        found = [inner for outer in found for inner in _spread(outer, step)]
    return found


def _enter(outer: Found, step: Step) -> Found:
    if isinstance(outer, Missing):
        return outer
    if outer is None:
        return ABSENT
    if isinstance(step, str):
        return outer.get(step, ABSENT) if isinstance(outer, dict) else UNJUDGEABLE
    if isinstance(step, int):
        if not isinstance(outer, list):
            return UNJUDGEABLE
        return outer[step] if step < len(outer) else ABSENT
    return UNJUDGEABLE


def _spread(outer: Found, step: Step) -> Iterator[Found]:
    if step is not EACH:
        yield _enter(outer, step)
    elif isinstance(outer, list):
        yield from outer
    elif outer is not None and outer is not ABSENT:
        yield UNJUDGEABLE
