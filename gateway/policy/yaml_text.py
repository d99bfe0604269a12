"""YAML as a way to write the same JSON value: what a person gains is comments and less punctuation, never another type.

The document is read from the parser's events, so that every rule stands here and no constructor guesses:

- A plain scalar is null, a boolean or a number exactly where YAML 1.2's core schema says so (section 10.3.2), and a
  number must moreover be written as JSON writes it: `0o17`, `.5`, `+1` and `.inf` are refused, not guessed at. What
  YAML 1.1 took for booleans, dates and base sixty (`yes`, `2026-01-05`, `12:30`) is text.
- Keys are text; `<<` merges nothing and is refused.
- What YAML 1.1 took for the end of a line and YAML 1.2 does not is refused where it stands unescaped.
- One document; no tags, no directives but `%YAML 1.2`; every key once.
- An alias stands for a copy of what its anchor marked. All copies together are bounded, and none can hold itself.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from gateway.jsonrpc import MAX_DEPTH, Json, loads
from gateway.policy.positions import Places, Spot, escape
from gateway.policy.problem import Problem, quoted
from gateway.policy.yaml_events import STAR, Event, Mistake, events

MAX_CHARACTERS: Final = 1024 * 1024
MAX_COPIED: Final = 10_000
"""Values that all aliases together may add."""

_CONSTANTS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_JSON_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_CORE_NUMBER: Final = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_OLD_BREAK: Final = re.compile("[\u0085\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says, where everything stands, and what is wrong with it though it can be read."""

    value: Json
    spots: tuple[Spot, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Anchored:
    """Internal: what an anchor marked: the value, how many values it holds (itself too), how deep it nests."""

    value: Json
    size: int
    height: int


@dataclass(slots=True)
class _Open:
    """Internal: a container that is being read."""

    value: list[Json] | dict[str, Json]
    pointer: str
    anchor: str | None
    before: int
    height: int = 1
    key: tuple[str, int, bool] | None = None


@dataclass(slots=True)
class _Builder:
    """Internal: takes events, and makes of them a value and its spots."""

    text: str
    value: Json = None
    spots: list[Spot] = field(default_factory=list)
    faults: list[tuple[str, int, str, str]] = field(default_factory=list)
    anchors: dict[str, _Anchored | None] = field(default_factory=dict)
    open: list[_Open] = field(default_factory=list)
    documents: int = 0
    values: int = 0
    copied: int = 0

    def take(self, event: Event) -> None:
        match event.kind:
            case "document":
                self._begin(event.at)
            case "mapping":
                self._open(event, {})
            case "sequence":
                self._open(event, [])
            case "end":
                self._close()
            case "alias":
                self._alias(event.text, event.at)
            case "scalar":
                self._scalar(event)

    def _begin(self, at: int) -> None:
        self.documents += 1
        if self.documents > 1:
            raise Mistake(at, "a second document begins here", "a policy is one document: take out what follows `---`")

    # --- containers -------------------------------------------------------------------------------------------------

    def _open(self, event: Event, value: "list[Json] | dict[str, Json]") -> None:
        at = event.at
        if len(self.open) >= MAX_DEPTH:
            raise Mistake(at, f"nested deeper than {MAX_DEPTH} levels", "no policy needs that")
        before = self.values
        pointer = self._put(value, at)
        self._look_at(event, pointer)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.open.append(_Open(value, pointer, event.anchor, before))

    def _close(self) -> None:
        closed = self.open.pop()
        if closed.anchor is not None:
            self.anchors[closed.anchor] = _Anchored(closed.value, self.values - closed.before, closed.height)
        if self.open:
            self.open[-1].height = max(self.open[-1].height, closed.height + 1)

    def _alias(self, name: str, at: int) -> None:
        self._no_key_here(at)
        if name not in self.anchors:
            raise Mistake(at, f"nothing is marked {quoted('&' + name)} before {quoted('*' + name)}", STAR)
        found = self.anchors[name]
        if found is None:
            raise Mistake(at, f"{quoted('*' + name)} stands inside what it stands for", "write out what is meant")
        self.copied += found.size
        if self.copied > MAX_COPIED:
            hint = "write out what is meant, or use fewer aliases"
            raise Mistake(at, f"aliases stand for more than {MAX_COPIED} values", hint)
        if len(self.open) + found.height > MAX_DEPTH:
            raise Mistake(at, f"nested deeper than {MAX_DEPTH} levels", "no policy needs that")
        if self.open:
            self.open[-1].height = max(self.open[-1].height, found.height + 1)
        self._put(found.value, at)
        self.values += found.size - 1

    # --- scalars ----------------------------------------------------------------------------------------------------

    def _scalar(self, event: Event) -> None:
        inner = self.open[-1] if self.open else None
        if inner is not None and isinstance(inner.value, dict) and inner.key is None:
            self._key(event, inner)
            return
        value, fault = _word(event.text, plain=event.plain)
        pointer = self._put(value, event.at)
        if fault is not None:
            self.faults.append((pointer, event.at, *fault))
        self._look_at(event, pointer)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchored(value, 1, 0)

    def _key(self, event: Event, inner: _Open) -> None:
        at = event.at
        name, half = _whole(event.text)
        pointer = f"{inner.pointer}/{escape(name)}"
        self._look_at(event, pointer)
        if event.anchor is not None:
            self.faults.append((pointer, at, "a key cannot be marked with an anchor", "mark its value"))
        if event.plain and (name in _CONSTANTS or _CORE_NUMBER.fullmatch(name)):
            self.faults.append((pointer, at, f"the key {quoted(name)} is not a text", "put it in quotes"))
        elif event.plain and name == "<<":
            self.faults.append((pointer, at, "`<<` merges nothing here", "write out what is meant"))
        doubled = name in inner.value
        if doubled:
            hint = "write it once: which of the two is meant, nobody can tell"
            self.faults.append((pointer, at, f"the key {quoted(name)} stands twice", hint))
        if half is not None:
            self.faults.append((pointer, at, *half))
        inner.key = (name, at, doubled)

    def _no_key_here(self, at: int) -> None:
        inner = self.open[-1] if self.open else None
        if inner is not None and isinstance(inner.value, dict) and inner.key is None:
            raise Mistake(at, "an alias cannot be a key", f"write the name out; {STAR}")

    # --- both -------------------------------------------------------------------------------------------------------

    def _put(self, value: Json, at: int) -> str:
        """Put a value where the next one belongs; its pointer."""
        self.values += 1
        if not self.open:
            self.value = value
            self.spots.append(Spot("", None, at, ""))
            return ""
        inner = self.open[-1]
        if isinstance(inner.value, list):
            pointer = f"{inner.pointer}/{len(inner.value)}"
            inner.value.append(value)
            self.spots.append(Spot(pointer, None, at, ""))
            return pointer
        if inner.key is None:
            raise Mistake(at, "a list or an object cannot be a key", "keys are words; put `{`, `[` and `?` in quotes")
        name, key, doubled = inner.key
        pointer = f"{inner.pointer}/{escape(name)}"
        inner.value.pop(name, None)
        inner.value[name] = value
        inner.key = None
        self.spots.append(Spot(pointer, key, at, "", doubled))
        return pointer

    def _look_at(self, event: Event, pointer: str) -> None:
        if event.tag is not None:
            hint = "take it out: a value is what it looks like; a text stands in quotes"
            self.faults.append((pointer, event.at, f"the tag {quoted(event.tag)} is not known here", hint))
        if event.anchor is not None and event.anchor in self.anchors:
            name = quoted(f"&{event.anchor}")
            raise Mistake(event.at, f"the anchor {name} stands twice", "give every anchor its own name")


def parse(text: str) -> Reading | Problem:
    """The value of a YAML text, or the one problem because of which there is none."""
    if len(text) > MAX_CHARACTERS:
        return Problem("", 1, 1, "the YAML document is larger than 1 MiB", "write a large policy as JSON")
    if (found := _OLD_BREAK.search(text)) is not None:
        name = f"U+{ord(found.group()):04X}"
        hint = f"write it in double quotes as `\\u{name[2:]}`"
        return Problem("", *Places(text, ()).at(found.start()), f"{name} may or may not begin a new line", hint)
    builder = _Builder(text)
    try:
        for event in events(text):
            builder.take(event)
    except Mistake as mistake:
        return Problem("", *Places(text, ()).at(mistake.offset), mistake.message, mistake.hint)
    places = Places(text, builder.spots)
    problems = tuple(
        Problem(pointer, *places.at(offset), message, hint) for pointer, offset, message, hint in builder.faults
    )
    return Reading(builder.value, tuple(builder.spots), problems)


def _word(text: str, *, plain: bool) -> "tuple[Json, tuple[str, str] | None]":
    """The value of a scalar, and what is wrong with it: a message and a hint. A number that is wrong is 1."""
    if not plain:
        return _whole(text)
    if text in _CONSTANTS:
        return _CONSTANTS[text], None
    if _JSON_NUMBER.fullmatch(text):
        try:
            return loads(text), None
        except (ValueError, ArithmeticError):
            return 1, ("the number is beyond the range of a double", "an upstream could not read it")
    if _CORE_NUMBER.fullmatch(text):
        message = f"{quoted(text)} is not written as JSON writes a number"
        return 1, (message, "write plain digits, or put quotes round it if it is a text")
    return text, None


def _whole(text: str) -> tuple[str, tuple[str, str] | None]:
    """The text with each pair of escaped surrogates as the character it stands for, as JSON has it."""
    if text.isascii() or not _SURROGATE.search(text):
        return text, None
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le"), None
    except UnicodeDecodeError:
        return text, ("half a surrogate pair: the text is not valid Unicode", "write the character itself")
