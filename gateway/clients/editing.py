"""One entry put into, or taken out of, a client's file: every other character of the text stays where it was.

An entry stands under a path of two names: the one under which the client keeps its servers, and its own. Where it comes
in, it looks like its neighbours: their indentation, their line ends, their commas. Each edit is read again before
anybody sees it: the tree has to be the old one with that one change, and every comment has to be there still.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.clients.jsonc import Dialect, Document, Member, Node, Unreadable, parse, shape
from gateway.jsonrpc import Json

Path: TypeAlias = tuple[str, str]
_Edit: TypeAlias = tuple[int, int, str]
"""From, to, and what comes in its place."""
_UNIT: Final = "  "
_LINE_END: Final = re.compile(r"\r\n|\n|\r")


class NotEditable(ValueError):
    """A file that can be read, and yet not be edited; the message says why."""


@dataclass(frozen=True, slots=True)
class Text:
    """A value that is put in as it was written before, not as we would write it."""

    raw: str


Value: TypeAlias = "Json | Text | Mapping[str, Value]"


def found(document: Document, path: Path) -> Node | None:
    """The value at a path. Raises `NotEditable` where a name on the way stands twice, or is no object."""
    holder = container(document, path[0])
    member = None if holder is None else _only(holder, path[1])
    return None if member is None else member.value


def container(document: Document, name: str) -> Node | None:
    """The object that holds a client's servers, or None. Raises `NotEditable`."""
    if document.root is None:
        return None
    member = _only(document.root, name)
    if member is not None and member.value.kind != "object":
        raise NotEditable(f"`{name}` is not an object")
    return None if member is None else member.value


def put(document: Document, dialect: Dialect, path: Path, value: Value) -> str:
    """The text with that value at the path, instead of what is there or as the last of its neighbours."""
    outer, name = path
    style = _Style.of(document.text, document.root)
    holder = container(document, outer)
    old = None if holder is None else _only(holder, name)
    if document.root is None:
        text = document.text
        gap = "" if not text.strip() or text.endswith(("\n", "\r")) else style.newline
        kept = text if text.strip() else ""
        return _checked(
            document, dialect, path, value, f"{kept}{gap}{style.written({outer: {name: value}}, '')}{style.newline}"
        )
    if holder is None:
        edits = _inserted(document, document.root, outer, {name: value}, style)
    elif old is None:
        edits = _inserted(document, holder, name, value, style)
    else:
        edits = [(old.value.start, old.value.end, _beside(document.text, old, value, style))]
    return _checked(document, dialect, path, value, _applied(document.text, edits))


def drop(document: Document, dialect: Dialect, path: Path) -> str:
    """The text without the entry. The object it stood in stays, as `{}` where nothing else is in it."""
    holder = container(document, path[0])
    member = None if holder is None else _only(holder, path[1])
    if holder is None or member is None:
        return document.text
    return _checked(document, dialect, path, None, _applied(document.text, _removed(document, holder, member)))


@dataclass(frozen=True, slots=True)
class _Style:
    """How a text is laid out."""

    unit: str
    newline: str

    @classmethod
    def of(cls, text: str, root: Node | None) -> "_Style":
        end = _LINE_END.search(text)
        unit = _UNIT
        if root is not None and root.members:
            indent, alone = _line_start(text, root.members[0].start)
            unit = indent if alone and indent else _UNIT
        return cls(unit, end[0] if end else "\n")

    def written(self, value: Value, indent: str) -> str:
        """A value over several lines; `indent` is that of the line on which it begins."""
        if isinstance(value, Text):
            return value.raw
        if isinstance(value, Mapping) and value:
            inner = indent + self.unit
            members = f",{self.newline}".join(
                f"{inner}{_quoted(name)}: {self.written(item, inner)}" for name, item in value.items()
            )
            return f"{{{self.newline}{members}{self.newline}{indent}}}"
        return _inline(value)


def _inline(value: Value) -> str:
    if isinstance(value, Text):
        return value.raw
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(name)}: {_inline(item)}" for name, item in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _only(node: Node, name: str) -> Member | None:
    if node.kind != "object":
        raise NotEditable("it is not an object" if node.start == 0 else f"what should hold `{name}` is not an object")
    members = node.named(name)
    if len(members) > 1:
        raise NotEditable(f"`{name}` stands there {len(members)} times: which one counts, only the client knows")
    return members[0] if members else None


def _inserted(document: Document, node: Node, name: str, value: Value, style: _Style) -> list[_Edit]:
    if not node.members:
        return _into_empty(document, node, name, value, style)
    text, last = document.text, node.members[-1]
    indent, alone = _line_start(text, last.start)
    if not alone:
        at = last.value.end if last.comma is None else last.comma + 1
        written = f"{_quoted(name)}: {_inline(value)}"
        return [(at, at, f", {written}" if last.comma is None else f" {written},")]
    written = f"{style.newline}{indent}{_quoted(name)}: {style.written(value, indent)}"
    at = _after_comments(document, last.value.end if last.comma is None else last.comma + 1, node.end - 1)
    if last.comma is not None:
        return [(at, at, f"{written},")]
    return [(last.value.end, last.value.end, ","), (at, at, written)]


def _into_empty(document: Document, node: Node, name: str, value: Value, style: _Style) -> list[_Edit]:
    text = document.text
    if node is not document.root and _LINE_END.search(text.strip()) is None:
        at = node.end - 1
        return [(at, at, f"{_quoted(name)}: {_inline(value)}")]
    closing, _ = _line_start(text, node.start)
    inner = closing + style.unit
    at = _after_comments(document, node.start + 1, node.end - 1)
    written = f"{style.newline}{inner}{_quoted(name)}: {style.written(value, inner)}"
    if _LINE_END.search(text, at, node.end - 1):
        return [(at, at, written)]
    return [(at, node.end - 1, f"{written}{style.newline}{closing}")]


def _removed(document: Document, holder: Node, member: Member) -> list[_Edit]:
    text = document.text
    if len(holder.members) == 1 and not any(holder.start < at < holder.end for at, _ in document.comments):
        return [(holder.start + 1, holder.end - 1, "")]
    edits: list[_Edit] = []
    start, end = member.start, member.value.end
    before = [other for other in holder.members if other.start < member.start]
    if member.comma is not None and not text[end : member.comma].strip(" \t"):
        end = member.comma + 1
    elif member.comma is not None:
        edits.append((member.comma, member.comma + 1, ""))
    elif before and (comma := before[-1].comma) is not None:
        edits.append((comma, comma + 1, ""))
    while text[start - 1] in " \t":
        start -= 1
    rest = re.compile(r"[ \t]*").match(text, end)
    blank = end if rest is None else rest.end()
    ending = _LINE_END.match(text, blank)
    if ending is not None and text[start - 1] in "\r\n":  # it had its lines for itself: they go with it
        start -= 2 if text[start - 2 : start] == "\r\n" else 1
        end = blank
    elif text[start - 1] == "{":
        end = blank
    return [*edits, (start, end, "")]


def _beside(text: str, old: Member, value: Value, style: _Style) -> str:
    """A value in the place of another one: over several lines where that one stands on a line of its own."""
    indent, alone = _line_start(text, old.start)
    return style.written(value, indent) if alone else _inline(value)


def _line_start(text: str, at: int) -> tuple[str, bool]:
    """The blanks that the line begins with, and whether there is nothing else before `at`."""
    begin = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
    line = text[begin:at]
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    return indent, begin > 0 and indent == line


def _after_comments(document: Document, at: int, end: int) -> int:
    return max([at, *(stop for start, stop in document.comments if at <= start < end)])


def _applied(text: str, edits: Sequence[_Edit]) -> str:
    parts, at = list[str](), 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):  # of two at one place, the first stays first
        parts += (text[at:start], new)
        at = end
    return "".join((*parts, text[at:]))


def _checked(document: Document, dialect: Dialect, path: Path, value: "Value | None", text: str) -> str:
    """The new text, if it is the old one with that change and nothing else."""
    try:
        new = parse(text, dialect)
    except Unreadable as error:
        raise NotEditable(f"the edit would leave it unreadable ({error})") from None
    had = shape(document.root)
    wanted = _without(had, path) if value is None else _with(had, path, _shape_of(value, dialect))
    kept = [document.text[start:end] for start, end in document.comments]
    left = [text[start:end] for start, end in new.comments]
    inside = found(document, path)
    own = [] if inside is None else [document.text[a:b] for a, b in document.comments if inside.start <= a < inside.end]
    if shape(new.root) != wanted or not _all_there(kept, left, own):
        raise NotEditable("the edit would change more than one entry")
    return text


def _all_there(kept: Sequence[str], left: Sequence[str], own: Sequence[str]) -> bool:
    """Every comment is there still; those inside of the entry itself may be gone."""
    missing = list(own)
    rest = list(left)
    for comment in kept:
        if comment in rest:
            rest.remove(comment)
        elif comment in missing:
            missing.remove(comment)
        else:
            return False
    return True


def _shape_of(value: Value, dialect: Dialect) -> Json:
    return shape(parse(_inline(value), dialect).root)


def _with(had: Json, path: Sequence[str], value: Json) -> Json:
    if not path:
        return value
    members = [] if had is None else list(had[1])  # type: ignore[index, arg-type] # shapes are lists of two
    for index, (name, item) in enumerate(members):
        if name == path[0]:
            members[index] = [name, _with(item, path[1:], value)]
            return ["object", members]
    return ["object", [*members, [path[0], _with(None, path[1:], value)]]]


def _without(had: Json, path: Sequence[str]) -> Json:
    members = list(had[1])  # type: ignore[index, arg-type] # as above
    rest = path[1:]
    left: list[Json] = [
        [name, _without(item, rest) if name == path[0] else item] for name, item in members if rest or name != path[0]
    ]
    return ["object", left]
