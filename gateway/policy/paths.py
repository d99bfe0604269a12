"""Paths: `args.a.b`, `args.list[0]`, `args.list[*].x`, `args["odd.name"]` (policy language, "Conditions"); and facts.

A path selects what it finds: a value, `ABSENT` (a missing member or index, or anything below one), or `UNJUDGEABLE` (a
step into the wrong container: a caller who sends `["prod"]` where an object is expected must not become absent). Null
counts as absent, so a step into null is absent. `[*]` selects every element of a list, and nothing where there is none.

A path that does not begin with `args` names one of the facts of `FACTS`: what is known beside the call (`facts` finds
it). Some of them are about a tool or a hint, whose name follows: `session.calls.send_email`.
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
HINTS: Mapping[str, bool] = {
    "readOnlyHint": False,
    "destructiveHint": True,
    "idempotentHint": False,
    "openWorldHint": True,
}
"""The annotations of a tool that can be true or false, and what an absent one means (MCP, ToolAnnotations)."""
FACTS: Mapping[str, str] = {
    "session.calls": "tool",
    "session.denials": "",
    "grant.seconds_since": "tool",
    "grant": "",
    "time.hour": "",
    "time.weekday": "",
    "client.name": "",
    "tool.name": "",
    "tool.annotations": "hint",
}
"""Every fact, and what has to follow it."""
_ROOTS = frozenset(fact.partition(".")[0] for fact in FACTS)

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
    """A parsed path: its text as written, the steps below its root, and whether it selects `many`.

    The root is `args`, or a fact; then the only step, if any, is the tool or the hint.
    """

    text: str
    steps: tuple[Step, ...]
    many: bool = False
    root: str = "args"


def parse(text: str) -> Path | Fault:
    """The path a text says, or what is wrong with it."""
    root = _AFTER_ROOT.split(text, maxsplit=1)[0]
    if root in _ROOTS:
        return _fact(text)
    if root != "args":
        return _wrong_root(text, root)
    steps = _steps(text, len(root))
    if isinstance(steps, Fault):
        return steps
    if not steps or not isinstance(steps[0], str):
        return Fault(f"{quoted(text)} names no argument", FORMS)
    return Path(text, steps, EACH in steps)


def _steps(text: str, position: int) -> tuple[Step, ...] | Fault:
    steps: list[Step] = []
    while position < len(text):
        match = _STEP.match(text, position)
        step = _step(match) if match else None
        if match is None or step is None:
            return Fault(f"{quoted(text)} is not a path: it breaks at character {position + 1}", FORMS)
        steps.append(step)
        position = match.end()
    return tuple(steps)


def _fact(text: str) -> Path | Fault:
    if text in FACTS and not FACTS[text]:
        return Path(text, (), root=text)
    fact = next((fact for fact, named in FACTS.items() if named and text.startswith((f"{fact}.", f"{fact}["))), None)
    if fact is None:
        if FACTS.get(text):
            return Fault(f"{quoted(text)} names no {FACTS[text]}", _form(text))
        return Fault(f"{quoted(text)} is not a fact", "one of " + ", ".join(map(_example, FACTS)))
    steps = _steps(text, len(fact))
    if isinstance(steps, Fault):
        return steps
    if len(steps) != 1 or not isinstance(steps[0], str):
        return Fault(f"{quoted(text)} must name one {FACTS[fact]}", _form(fact))
    if FACTS[fact] == "hint" and steps[0] not in HINTS:
        return Fault(f"{quoted(steps[0])} is not a hint", "one of " + ", ".join(f"`{hint}`" for hint in HINTS))
    return Path(text, steps, root=fact)


def _form(fact: str) -> str:
    example = "readOnlyHint" if FACTS[fact] == "hint" else "send_email"
    return f"write it like `{fact}.{example}`" + ("" if FACTS[fact] == "hint" else f' or `{fact}["odd.name"]`')


def _example(fact: str) -> str:
    return f"`{fact}.<{FACTS[fact]}>`" if FACTS[fact] else f"`{fact}`"


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
