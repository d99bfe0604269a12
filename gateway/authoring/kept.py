"""Arguments as the audit log kept them: values, and places of which only that something stood there is known.

What the log leaves out says so (`state.arguments`): an object `{"$redacted": why}` in the place of a value, a mark at
the end of a text or list that was cut. None of them is ever taken for the value: it is `Unknown`, and certainly there
where only what was there is left out. Everything beside it is as it was sent.

A caller may send such an object too. It is then taken for unknown as well, which is never wrong, only less.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from gateway.jsonrpc import Json
from gateway.policy.paths import EACH, Path, Step
from gateway.policy.paths import select as select_whole
from gateway.policy.values import ABSENT, UNJUDGEABLE, Found, Missing

NOT_KEPT: Final = "not kept"
_MARK: Final = "$redacted"
_CUT: Final = re.compile(r"\A…\Z|… \(\+[0-9]+ bytes\)\Z|\\ud[89a-f][0-9a-f]{2}")
"""What a text or key ends in that was cut, and what half a surrogate pair is written as."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """What was not kept, and why. `present`: it was a value, and not null."""

    why: str
    present: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A list or object of which something is unknown; `more`: it had more than `members` besides."""

    members: "Mapping[str, Known] | tuple[Known, ...]"
    more: bool

    @property
    def shape(self) -> Json:
        """Something of the same type."""
        return {} if isinstance(self.members, Mapping) else []


Known: TypeAlias = "Json | Unknown | Part"
Selected: TypeAlias = "Found | Unknown | Part"


@dataclass(frozen=True, slots=True)
class Sketch:
    """A call of which not all is known: the names of its arguments (None: not all of them), and values of some."""

    tool: str
    names: frozenset[str] | None
    values: Mapping[str, Known]

    def argument(self, name: str) -> Selected:
        """What is known of an argument."""
        if name in self.values:
            return self.values[name]
        return Unknown(NOT_KEPT) if self.names is None or name in self.names else ABSENT

    def select(self, path: Path) -> list[Selected]:
        """Everything that a path finds, as far as it is known."""
        name, *rest = path.steps
        found = [self.argument(cast(str, name))]
        for step in rest:
            found = [inner for outer in found for inner in _enter(outer, step)]
        return found

    @property
    def plain(self) -> Mapping[str, Json]:
        """The values that are wholly known."""
        return {name: item for name, item in self.values.items() if not isinstance(item, Unknown | Part)}


def read(values: Mapping[str, Json]) -> Mapping[str, Known] | None:
    """What the kept values say; None where nothing in them is left out."""
    if list(values) == [_MARK]:
        return {}
    found = {name: _read(item) for name, item in values.items()}
    return found if any(isinstance(item, Unknown | Part) for item in found.values()) else None


def _read(value: Json) -> Known:
    if isinstance(value, str):
        return Unknown("cut", present=True) if _CUT.search(value) else value
    if isinstance(value, dict):
        why = value.get(_MARK)
        if len(value) == 1 and isinstance(why, str):
            return Unknown(f"redacted: {why}", present=why != "too long")
        members = {key: _read(item) for key, item in value.items() if key != _MARK and not _CUT.search(key)}
        return _whole(value, Part(members, len(members) < len(value)))
    if isinstance(value, list):
        more = bool(value) and _is_rest(value[-1])
        return _whole(value, Part(tuple(_read(item) for item in (value[:-1] if more else value)), more))
    return value


def _is_rest(item: Json) -> bool:
    """Whether the last item of a list says how many more there were."""
    why = item.get(_MARK) if isinstance(item, dict) and len(item) == 1 else None
    return isinstance(why, str) and why.endswith(" more")


def _whole(value: Json, part: Part) -> Known:
    members = part.members.values() if isinstance(part.members, Mapping) else part.members
    return part if part.more or any(isinstance(item, Unknown | Part) for item in members) else value


def _enter(outer: Selected, step: Step) -> Iterator[Selected]:
    """What a step finds in what is known; nothing but unknown things below an unknown one."""
    if isinstance(outer, Unknown):
        yield Unknown(outer.why)
    elif not isinstance(outer, Part):
        yield from select_whole(Path("", ("_", step), many=True), {"_": cast(Json, outer)})
    elif isinstance(outer.members, Mapping):
        absent: Selected = Unknown(NOT_KEPT) if outer.more else ABSENT
        yield outer.members.get(step, absent) if isinstance(step, str) else UNJUDGEABLE
    elif step is EACH:
        yield from (*outer.members, Unknown(NOT_KEPT)) if outer.more else outer.members
    elif isinstance(step, int):
        yield outer.members[step] if step < len(outer.members) else Unknown(NOT_KEPT) if outer.more else ABSENT
    else:
        yield UNJUDGEABLE


def is_told(found: Selected) -> bool:
    """Whether a value, or that there is none, is wholly known."""
    return isinstance(found, Missing) or not isinstance(found, Unknown | Part)
