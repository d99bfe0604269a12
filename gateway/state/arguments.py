"""What the audit log keeps of the arguments of a call: as little as the owner asked for.

    none    how many there were
    keys    their names
    digest  their names, and a digest keyed with a secret of this state file: the owner can tell whether two calls, or a
            call and a guess, were the same (the default)
    values  all of that, and the values: JSON, without what is confidential by its name or its looks (`keyid`), without
            what the owner named, and short

What is left out is an object that says so (`{"$redacted": why}`), which no rule about texts or numbers can take for a
value. Nothing of an answer is ever kept.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from gateway.jsonrpc import Json, serialise
from gateway.keyid import confidential
from gateway.policy import globs, paths
from gateway.policy.problem import Fault
from gateway.state.text import bounded

How: TypeAlias = Literal["none", "keys", "digest", "values"]
HOWS: Final[tuple[How, ...]] = get_args(How)

_LONGEST_VALUES: Final = 4096
_LONGEST_TEXT: Final = 512
_LOOKED_AT: Final = 4096
"""Characters of a text that are searched for secrets: all that could be kept, and what a cut would leave of one."""
_MOST_ITEMS: Final = 64


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept of the calls of the tools that `tools` names (a name, `*` for any characters)."""

    tools: str
    how: How


@dataclass(frozen=True, slots=True)
class Redact:
    """A place in the arguments of these tools that is never kept."""

    tools: str
    path: paths.Path


class Kept(NamedTuple):
    """What a record takes over."""

    names: tuple[str, ...]
    digest: str
    values: str | None


@dataclass(frozen=True, slots=True)
class Keeping:
    """The owner's settings: the last `Keep` that names a tool holds for it, all of `Redact`."""

    keep: tuple[Keep, ...] = ()
    redact: tuple[Redact, ...] = ()

    def of(self, tool: str, arguments: Mapping[str, Json], digest: Callable[[bytes], str]) -> Kept:
        """What is kept of a call."""
        how = next((rule.how for rule in reversed(self.keep) if _names(rule.tools, tool)), "digest")
        if how == "none":
            return Kept((f"… (+{len(arguments)} names)",) if arguments else (), "", None)
        names = tuple(sorted(arguments))
        if how == "keys":
            return Kept(names, "", None)
        values = None
        if how == "values":
            steps = [rule.path.steps for rule in self.redact if _names(rule.tools, tool)]
            values = _fitting({name: _redacted(item, name, _below(steps, name)) for name, item in arguments.items()})
        return Kept(names, digest(serialise(arguments)), values)


def keep(text: str) -> Keep:
    """The setting `HOW` or `TOOL=HOW`. Raises `ValueError`."""
    tools, mark, word = text.rpartition("=")
    how = next((how for how in HOWS if how == word), None)
    if how is None or bool(mark) != bool(tools):
        raise ValueError("`none`, `keys`, `digest` or `values` is needed, or `TOOL=` and one of them")
    return Keep(tools or "*", how)


def redact(text: str) -> Redact:
    """The setting `PATH` or `TOOL=PATH`. Raises `ValueError`."""
    tools, mark, rest = text.partition("=")
    if not mark or not tools or tools.startswith("args"):
        tools, rest = "*", text
    path = paths.parse(rest)
    if isinstance(path, Fault) or path.root != "args":
        raise ValueError(f"a path like `args.body` is needed, or `TOOL=` and one: {paths.FORMS}")
    return Redact(tools, path)


def _names(pattern: str, tool: str) -> bool:
    return globs.parse(pattern).matches(tool) if globs.STAR in pattern else pattern == tool


_Steps: TypeAlias = Sequence[tuple[paths.Step, ...]]


def _below(steps: _Steps, key: str | int) -> _Steps:
    """What is left of the paths that lead through `key`; an empty one ends here."""
    return [path[1:] for path in steps if path and (path[0] == key or (path[0] is paths.EACH and isinstance(key, int)))]


def _redacted(value: Json, name: str, steps: _Steps) -> Json:
    """A value without what is not to be kept; what stands in a list bears the list's name."""
    why = "by setting" if () in steps else confidential.of_name(name)
    if why is not None and value is not None:
        return {"$redacted": why}
    match value:
        case str():
            looks = confidential.of_text(value[:_LOOKED_AT])
            return {"$redacted": looks} if looks else bounded(value, _LONGEST_TEXT)
        case dict():
            found = {key: _redacted(item, key, _below(steps, key)) for key, item in list(value.items())[:_MOST_ITEMS]}
            return {_key(key): item for key, item in found.items()} | _more(len(value))
        case list():
            kept = [_redacted(item, name, _below(steps, place)) for place, item in enumerate(value[:_MOST_ITEMS])]
            return kept + ([more] if (more := _more(len(value))) else [])
    return value


def _key(key: str) -> str:
    """A key of an object, which the caller may choose as freely as a value."""
    return "…" if confidential.of_text(key[:_LOOKED_AT]) else bounded(key, _LONGEST_TEXT)


def _more(length: int) -> dict[str, Json]:
    return {"$redacted": f"{length - _MOST_ITEMS} more"} if length > _MOST_ITEMS else {}


def _fitting(values: dict[str, Json]) -> str:
    """The JSON text of the values in few enough bytes: the longest of them go first."""
    sizes = sorted(((len(serialise(value)), name) for name, value in values.items()), reverse=True)
    text = serialise(values, ascii_only=True)
    for _, name in sizes[:_MOST_ITEMS]:
        if len(text) <= _LONGEST_VALUES:
            return text.decode()
        values[name] = {"$redacted": "too long"}
        text = serialise(values, ascii_only=True)
    return text.decode() if len(text) <= _LONGEST_VALUES else '{"$redacted":"too long"}'
