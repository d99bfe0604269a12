"""From bytes to a JSON value, or to everything that keeps the bytes from being one.

A document is read by the same strict reader as a message (`jsonrpc.loads`); when that refuses, the text is read once
more, leniently, to say all that is wrong with it: the strict reader stops at the first mistake.

A document whose name ends in `.yaml` or `.yml` is the same value written in YAML (`yaml_text`, imported only then).
"""

import json
import re
from dataclasses import dataclass

from gateway.jsonrpc import MAX_DEPTH, Json, loads
from gateway.policy.positions import Places, Spot, spots
from gateway.policy.problem import Problem, quoted

MAX_BYTES = 8 * 1024 * 1024

_NUMBER = re.compile(r"-?[0-9]")
_WORD = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|(?P<word>NaN|-?Infinity)', re.DOTALL)
_TRAILING_COMMA = re.compile(r",\s*[\]}]")
_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the value it says (the last of doubled keys); `problems` are those of the text itself."""

    text: str
    value: Json
    problems: tuple[Problem, ...] = ()
    spots: tuple[Spot, ...] | None = None

    def places(self) -> Places:
        """Where everything stands in the text."""
        return Places(self.text, self.spots)


def is_yaml(name: str) -> bool:
    """Whether a document of this name is written in YAML."""
    return name.lower().endswith((".yaml", ".yml"))


def places(text: str, name: str) -> Places:
    """Where everything stands in the text of a document that could be read before; `name` is the document's."""
    source = read(text.encode("utf-8", "surrogatepass"), name)
    return Places(text, ()) if isinstance(source, Problem) else source.places()


def read(data: bytes, name: str) -> Source | Problem:
    """The text and its value, or the one problem because of which there is no value to look at."""
    if len(data) > MAX_BYTES:
        hint = "keep data out of the policy"
        return Problem("", 1, 1, f"the document is larger than {MAX_BYTES // 1024 // 1024} MiB", hint)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _not_utf8(data, error.start)
    if not text.strip():
        return Problem(
            "", 1, 1, "the document is empty", 'the shortest policy is `{"version": "1", "default": "deny"}`'
        )
    if is_yaml(name):
        return _yaml(text)
    try:
        return Source(text, loads(text))
    except (ValueError, ArithmeticError, RecursionError):
        return _explain(text)


def _yaml(text: str) -> Source | Problem:
    from gateway.policy import yaml_text  # here, because only policies written in YAML need it

    found = yaml_text.parse(text)
    return found if isinstance(found, Problem) else Source(text, found.value, found.problems, found.spots)


def _not_utf8(data: bytes, start: int) -> Problem:
    line = data.count(b"\n", 0, start) + 1
    column = len(data[data.rfind(b"\n", 0, start) + 1 : start].decode("utf-8", "replace")) + 1
    return Problem("", line, column, "the document is not valid UTF-8", "save it as UTF-8")


def _explain(text: str) -> Source | Problem:
    deep = _too_deep(text)
    if deep is not None:
        return _at(text, deep, f"nested deeper than {MAX_DEPTH} levels", "no policy needs that")
    constant = next((match for match in _WORD.finditer(text) if match["word"]), None)
    try:
        json.loads(text, parse_int=_zero, parse_float=_zero)
    except json.JSONDecodeError as error:
        return _syntax(text, error)
    if constant is not None:
        message = f"not valid JSON: `{constant['word']}` is not a number"
        return _at(text, constant.start(), message, "JSON numbers are finite")
    places = Places(text)
    problems = tuple(problem for spot in spots(text) for problem in _lexical(spot, places))
    return Source(text, _lenient(text), problems)


def _lenient(text: str) -> Json:
    """The value, with 1 for a number that is out of range: its own problem is enough."""

    def number(token: str) -> Json:
        return 1 if _out_of_range(token) else loads(token)

    value: Json = json.loads(text, parse_int=number, parse_float=number)
    return value


def _zero(_: str) -> int:
    return 0


def _at(text: str, offset: int, message: str, hint: str) -> Problem:
    line = text.count("\n", 0, offset) + 1
    return Problem("", line, offset - text.rfind("\n", 0, offset), message, hint)


def _syntax(text: str, error: json.JSONDecodeError) -> Problem:
    comma = _TRAILING_COMMA.search(text, max(0, text.rfind(",", 0, error.pos + 1)))
    if comma is not None and comma.start() <= error.pos <= comma.end():
        return _at(text, comma.start(), "not valid JSON: a comma before a closing bracket", "take the comma out")
    if error.msg.startswith("Invalid \\escape"):
        escape = text[error.pos : error.pos + 2]
        hint = f"in JSON a backslash is written twice: {quoted(chr(92) + escape)}"
        return _at(text, error.pos, f"not valid JSON: {quoted(escape)} is no escape", hint)
    words = error.msg.rstrip(": ").removesuffix(" at").removesuffix(" starting")
    return _at(
        text, error.pos, f"not valid JSON: {words[:1].lower()}{words[1:]}", _hint(text[error.pos : error.pos + 2])
    )


def _hint(after: str) -> str:
    if after in ("//", "/*") or after.startswith("#"):
        return "JSON has no comments; use `description`"
    if after.startswith("'"):
        return "JSON knows double quotes only"
    return "check the brackets, commas and quotes before this place"


def _too_deep(text: str) -> int | None:
    depth = 0
    for match in _BRACKET.finditer(text):
        mark = match.group()
        if mark in "{[":
            depth += 1
            if depth > MAX_DEPTH:
                return match.start()
        elif mark in "}]":
            depth -= 1
    return None


def _lexical(spot: Spot, places: Places) -> list[Problem]:
    problems = []
    name = spot.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    if spot.key is not None and spot.doubled:
        hint = "write it once: which of the two is meant, nobody can tell"
        problems.append(_spotted(spot, places.at(spot.key), f"the key {quoted(name)} stands twice", hint))
    if spot.key is not None and _half_pair(name):
        problems.append(_spotted(spot, places.at(spot.key), *_HALF))
    elif spot.first[0] == '"' and _half_pair(str(json.loads(spot.first))):
        problems.append(_spotted(spot, places.at(spot.start), *_HALF))
    elif _NUMBER.match(spot.first) and _out_of_range(spot.first):
        words = "the number is beyond the range of a double", "an upstream could not read it"
        problems.append(_spotted(spot, places.at(spot.start), *words))
    return problems


_HALF = ("half a surrogate pair: the text is not valid Unicode", "write the character itself")


def _spotted(spot: Spot, place: tuple[int, int], message: str, hint: str) -> Problem:
    return Problem(spot.pointer, *place, message, hint)


def _half_pair(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text) if not text.isascii() else False


def _out_of_range(token: str) -> bool:
    try:
        loads(token)
    except (ValueError, ArithmeticError):
        return True
    return False
