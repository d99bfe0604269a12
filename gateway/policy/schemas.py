"""A tool's input schema, made into a judge of arguments (`validate.schema`).

The schema is the upstream's, and nobody vouches for it, so it may cost no more than its size: it is bounded in length,
in depth and in what its references unfold to; patterns are linear; nothing is fetched, whatever it refers to. One that
cannot be used makes its tool unjudgeable, and an unjudgeable call is denied: `cause` says why.

The dialect is the one that `$schema` names, JSON Schema 2020-12 where it names none (MCP 2025-11-25, Tools). Formats
are annotations there, so they are not checked. Numbers are compared exactly, in whatever text they were written.

The library is imported, and the schema compiled, when the first call is judged by it, or when nothing else can say
whether it can be used (`plain_schemas`).
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias, cast
from urllib.parse import unquote, urldefrag, urljoin

from gateway.jsonrpc import Json, serialise
from gateway.policy.plain_schemas import is_plain

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 64
MAX_UNFOLDED: Final = 100_000
"""Subschemas that may be looked at, with every reference followed, for one value of the arguments."""
_REFERENCES: Final = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_NAMING: Final = ("$id",)
_NAMING_ONCE: Final = ("$id", "id")
"""What gives a schema an address of its own; the second of them in draft 4 only."""
_FOURTH: Final = "draft-04"
_LONGEST_WORDS: Final = 120

_Node: TypeAlias = "Json | Mapping[str, Json]"


class InputSchema:
    """One announced schema. It never changes; what is made of it is kept."""

    def __init__(self, schema: Json) -> None:
        self._schema = schema
        self._judge: Validator | None = None
        self._cause: str | None = None
        self._growth = 0

    @property
    def is_plain(self) -> bool:
        """Whether it can certainly be used, as far as that is seen without the library; otherwise ask for `cause`."""
        return self._bounded() is None and is_plain(self._schema)

    @property
    def is_compiled(self) -> bool:
        """Whether `cause` takes no time any more."""
        return self._judge is not None or self._cause is not None

    @property
    def cause(self) -> str | None:
        """Why the schema cannot be used; None where it can."""
        if not self.is_compiled:
            self._cause = self._prepare()
        return self._cause

    def fault(self, arguments: Mapping[str, Json]) -> str | None:
        """What is wrong with arguments: the first path and what was expected there, never a value. None: nothing."""
        if self.cause is not None or self._judge is None:
            return f"the tool's input schema cannot be used: {self._cause}"
        if self._growth > 1 and self._growth ** _depth(arguments) > MAX_UNFOLDED:
            return "the arguments nest too deep to be judged by the tool's input schema"
        try:
            error = next(iter(self._judge.iter_errors(_plain(dict(arguments)))), None)
        except (ValueError, RecursionError, OverflowError):
            return "the arguments cannot be judged by the tool's input schema"
        return None if error is None else _words(error)

    def _bounded(self) -> str | None:
        """Why it is not looked at any further."""
        if not isinstance(self._schema, dict):
            return "it is not an object"
        if _depth(self._schema) > MAX_DEPTH:
            return f"it nests deeper than {MAX_DEPTH} levels"
        if len(serialise(self._schema)) > MAX_BYTES:
            return f"it is larger than {MAX_BYTES // 1024} KiB"
        return None

    def _prepare(self) -> str | None:
        schema, unbounded = self._schema, self._bounded()
        if unbounded is not None or not isinstance(schema, dict):
            return unbounded
        try:
            unfolded = _Unfolded(schema)
        except RecursionError:
            return "its references lead on without end"
        if unfolded.fault is not None:
            return unfolded.fault
        if unfolded.size > MAX_UNFOLDED:
            return "its references unfold to more than can be looked at"
        self._growth = unfolded.growth
        from jsonschema_rs import RegexOptions, ValidationError, validator_for

        try:
            self._judge = validator_for(
                cast("dict[str, Json]", _plain(schema)),
                retriever=_refuse,
                pattern_options=RegexOptions(),
                validate_formats=False,
            )
        except (ValidationError, ValueError, RecursionError, OverflowError) as error:
            return _first_line(error)
        return None


def _refuse(uri: str) -> Json:
    raise ValueError(f"nothing is fetched ({uri[:80]})")


def _first_line(error: Exception) -> str:
    said = next(iter(str(error).splitlines()), "") or "it is not a schema"
    return "".join(char if char.isprintable() else "?" for char in said[:_LONGEST_WORDS])


def _plain(value: Json) -> Json:
    """The value with every number as the library takes it: exact."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return Decimal(value) if isinstance(value, Decimal) else value


def _depth(value: object) -> int:
    """How deep containers nest; level by level, so that nothing can exhaust the stack."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, Mapping | list)]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, Mapping) else item)]
    return depth


class _Unfolded:
    """What a schema comes to with its references followed: `size` subschemas, `growth` of them leading back up.

    A reference that leads back to where it came from is followed once for each level of the arguments, so that with
    more than one of them the work grows as a power of that depth.

    It is measured here and followed by the library, so both must mean the same: a reference that may lead elsewhere
    than into this one document is a `fault`, and so is a name within it that could stand for two things.
    """

    def __init__(self, schema: Mapping[str, Json]) -> None:
        self._root = schema
        self._naming = _NAMING_ONCE if _FOURTH in str(schema.get("$schema")) else _NAMING
        named = next((schema[key] for key in self._naming if isinstance(schema.get(key), str)), "")
        self._id = urldefrag(str(named)).url
        self.fault: str | None = None
        self._anchors: dict[str, Mapping[str, Json]] = {}
        refers = any(isinstance(item.get(key), str) for item in _objects(schema) for key in _REFERENCES)
        for item in _objects(schema) if refers else ():
            self._name(item)
        self._sizes: dict[int, tuple[int, int]] = {}
        self._open: set[int] = set()
        self.size, self.growth = self._measure(schema)

    def _name(self, item: Mapping[str, Json]) -> None:
        if item is not self._root and any(isinstance(item.get(key), str) for key in self._naming):
            self.fault = self.fault or "its references cannot be followed: a part of it has an `$id` of its own"
        for name in {item.get(key) for key in ("$anchor", "$dynamicAnchor") if isinstance(item.get(key), str)}:
            if name in self._anchors:
                self.fault = self.fault or "its references cannot be followed: an anchor stands twice"
            self._anchors[str(name)] = item

    def _measure(self, value: _Node) -> tuple[int, int]:
        if not isinstance(value, Mapping | list):
            return 0, 0
        known = self._sizes.get(id(value))
        if known is not None:
            return known
        if id(value) in self._open:
            return 1, 1
        self._open.add(id(value))
        size, growth = 1, 0
        for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            inner = self._target(item) if key in _REFERENCES and isinstance(item, str) else item
            more, back = self._measure(inner)
            size, growth = min(size + more, MAX_UNFOLDED + 1), min(growth + back, MAX_UNFOLDED + 1)
        self._open.discard(id(value))
        if not growth:
            self._sizes[id(value)] = size, growth
        return size, growth

    def _target(self, reference: str) -> _Node:
        where, _, encoded = reference.partition("#")
        fragment = unquote(encoded)
        if fragment in self._anchors and self._is_here(where):
            return self._anchors[fragment]
        found: _Node = self._root if self._is_here(where) and (not fragment or fragment.startswith("/")) else None
        for step in fragment.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping):
                found = found.get(name)
            elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                found = None
        if found is None:
            self.fault = self.fault or f"it refers to what is not in it: {_cut(reference)}"
        return found

    def _is_here(self, where: str) -> bool:
        """Whether an address, as it is written in a reference, is that of this document."""
        return not where or (bool(self._id) and urldefrag(urljoin(self._id, where)).url == self._id)


def _objects(schema: _Node) -> Iterator[Mapping[str, Json]]:
    waiting: list[_Node] = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


# --- what is wrong, in words ------------------------------------------------------------------------------------------


def _words(error: "ValidationError") -> str:
    """The path, and the rule of the schema that does not hold there: `args.a[0]: expected type "string"`."""
    path = _path(list(error.instance_path))
    name = error.kind.name
    if name == "required":
        return f"{path}: `{_cut(str(error.kind.value))}` is missing"
    if name in ("additionalProperties", "unevaluatedProperties", "propertyNames", "false_schema", "falseSchema"):
        return f"{path}: nothing else is expected (`{name}`)"
    expected = "" if name in _COMPOUND else f" {_cut(serialise(_jsonable(error.kind.value)).decode())}"
    return f"{path}: expected `{name}`{expected}"


_COMPOUND: Final = frozenset({"anyOf", "oneOf", "allOf", "not", "contains", "if", "unevaluatedItems"})


def _jsonable(value: object) -> Json:
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    return value if isinstance(value, bool | int | Decimal | str | None) else str(value)


def _cut(text: str) -> str:
    shown = "".join(char if char.isprintable() else "?" for char in text[: _LONGEST_WORDS + 1])
    return shown if len(shown) <= _LONGEST_WORDS else f"{shown[:_LONGEST_WORDS]}…"


def _path(steps: list[str | int]) -> str:
    text = "args"
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            plain = step.isascii() and step.replace("_", "a").replace("-", "a").isalnum()
            text += f".{step}" if plain else f"[{serialise(step).decode()}]"
    return text if len(text) <= 4 * _LONGEST_WORDS else f"{text[: 4 * _LONGEST_WORDS]}…"
