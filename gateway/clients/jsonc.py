"""JSON as the clients write it: with places, and where a client allows it with comments and commas before a bracket.

A client's file is never written anew from values: it belongs to a person. It is read into a tree that knows where each
thing stands, so that one entry can be changed in the text and nothing else. What is not read to the last character is
not touched.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from gateway.jsonrpc import Json

Kind: TypeAlias = Literal["object", "array", "string", "number", "word"]

_TOKEN: Final = re.compile(
    r"[ \t\r\n]*(?:(?P<mark>[{}\[\],:])"
    r'|(?P<string>"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>true|false|null)"
    r"|(?P<comment>//[^\r\n]*|/\*.*?\*/)"
    r"|(?P<end>\Z))",
    re.DOTALL,
)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DEEPEST: Final = 100


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a client allows beyond JSON."""

    comments: bool = False
    trailing_commas: bool = False


class Node(NamedTuple):
    """A value and where it stands. `text` is a string as it is meant, any other scalar as it is written."""

    kind: Kind
    start: int
    end: int
    text: str = ""
    members: tuple["Member", ...] = ()
    items: tuple["Node", ...] = ()

    def named(self, name: str) -> tuple["Member", ...]:
        """The members of that name: in a file of a person's it may stand twice."""
        return tuple(member for member in self.members if member.name == name)

    @property
    def value(self) -> Json:
        """The value, as a program has it."""
        if self.kind == "object":
            return {member.name: member.value.value for member in self.members}
        if self.kind == "array":
            return [item.value for item in self.items]
        return self.text if self.kind == "string" else json.loads(self.text)


class Member(NamedTuple):
    """A name and its value; `comma` is where the comma after it stands."""

    name: str
    start: int
    value: Node
    comma: int | None


@dataclass(frozen=True, slots=True)
class Document:
    """A whole text. `root` is None where there is nothing but blanks and comments."""

    text: str
    root: Node | None
    comments: tuple[tuple[int, int], ...]


class Unreadable(ValueError):
    """A text that is not of the dialect. The message says where and why; line and column count from 1."""

    def __init__(self, text: str, at: int, why: str) -> None:
        starts = [0, *(found.end() for found in re.finditer(r"\r\n|\r|\n", text))]
        self.line = bisect_right(starts, at)
        self.column = at - starts[self.line - 1] + 1
        super().__init__(f"line {self.line}, column {self.column}: {why}")


def parse(text: str, dialect: Dialect) -> Document:
    """The tree of a text. Raises `Unreadable`."""
    reader = _Reader(text, dialect)
    root = None if reader.kind == "end" else reader.value(0)
    if reader.kind != "end":
        raise reader.unexpected("the end of the file")
    return Document(text, root, tuple(reader.comments))


class _Reader:
    """One token after the other. `kind` is `end` after the last one."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self.text = text
        self.dialect = dialect
        self.comments: list[tuple[int, int]] = []
        self.kind = self.word = ""
        self.start = self.end = 0
        self._next()

    def unexpected(self, wanted: str) -> Unreadable:
        what = "the end of the file" if self.kind == "end" else f"`{self.word[:1]}`"
        return Unreadable(self.text, self.start, f"{wanted} is expected, not {what}")

    def value(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise Unreadable(self.text, self.start, f"it is nested more than {_DEEPEST} deep")
        if self.word == "{":
            return self._object(depth)
        if self.word == "[":
            return self._array(depth)
        if self.kind == "string":
            node = Node("string", self.start, self.end, _text(self.word))
        elif self.kind == "number":
            node = Node("number", self.start, self.end, self.word)
        elif self.kind == "word":
            node = Node("word", self.start, self.end, self.word)
        else:
            raise self.unexpected("a value")
        self._next()
        return node

    def _object(self, depth: int) -> Node:
        start = self.start
        members: list[Member] = []
        self._next()
        while self.word != "}":
            if self.kind != "string":
                raise self.unexpected("a name in quotes" if members or self.kind != "mark" else "a name or `}`")
            name, at = _text(self.word), self.start
            self._next()
            if self.word != ":":
                raise self.unexpected("`:`")
            self._next()
            value = self.value(depth + 1)
            members.append(Member(name, at, value, self._comma("}")))
        return Node("object", start, self._close(), members=tuple(members))

    def _array(self, depth: int) -> Node:
        start = self.start
        items: list[Node] = []
        self._next()
        while self.word != "]":
            items.append(self.value(depth + 1))
            self._comma("]")
        return Node("array", start, self._close(), items=tuple(items))

    def _comma(self, closing: str) -> int | None:
        """Where the comma after a member stands; None where it is the last one, and has none."""
        if self.word == closing:
            return None
        if self.word != ",":
            raise self.unexpected(f"`,` or `{closing}`")
        at = self.start
        self._next()
        if self.word == closing and not self.dialect.trailing_commas:
            raise Unreadable(self.text, at, f"a comma before `{closing}` is not allowed in this file")
        return at

    def _close(self) -> int:
        end = self.end
        self._next()
        return end

    def _next(self) -> None:
        while True:
            found = _TOKEN.match(self.text, self.end)
            if found is None:
                raise self._no_token()
            self.kind = found.lastgroup or ""
            self.start, self.end = found.span(self.kind)
            self.word = self.text[self.start : self.end]
            if self.kind != "comment":
                return
            if not self.dialect.comments:
                raise Unreadable(self.text, self.start, "a comment is not allowed in this file")
            self.comments.append((self.start, self.end))

    def _no_token(self) -> Unreadable:
        blank = _SPACE.match(self.text, self.end)
        at = self.end if blank is None else blank.end()
        return Unreadable(self.text, at, _why_no_token(self.text[at]))


def _text(token: str) -> str:
    """What a string means."""
    return str(json.loads(token)) if "\\" in token else token[1:-1]


def _why_no_token(char: str) -> str:
    if char == '"':
        return "a text that does not end, or has a character or an escape that JSON does not know"
    if char == "/":
        return "a comment that does not end, or a lone `/`"
    return f"`{char}` does not belong there" if char.isprintable() else f"U+{ord(char):04X} does not belong there"


def shape(node: Node | None) -> Json:
    """What a tree says, apart from blanks and comments: order, doubled names and the spelling of numbers included."""
    if node is None:
        return None
    if node.kind == "object":
        members: Sequence[Json] = [[member.name, shape(member.value)] for member in node.members]
        return ["object", list(members)]
    if node.kind == "array":
        return ["array", [shape(item) for item in node.items]]
    return [node.kind, node.text]
