"""What the parser says of a YAML text, event by event, and in our words where it stops."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gateway.policy.problem import quoted

STAR: Final = "a word that begins with `*` is an alias in YAML: put it in quotes"

Kind: TypeAlias = Literal["document", "mapping", "sequence", "end", "alias", "scalar"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event: where it begins, the text of a scalar (or the name of an alias), and what is written before it."""

    kind: Kind
    at: int
    text: str = ""
    plain: bool = False
    anchor: str | None = None
    tag: str | None = None


class Mistake(Exception):
    """The text cannot be read any further."""

    def __init__(self, offset: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.offset, self.message, self.hint = offset, message, hint


def events(text: str) -> Iterator[Event]:
    """The events of a text. Raises `Mistake`."""
    from ruamel.yaml import YAML  # here, because only policies written in YAML need it
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        for found in YAML(typ="safe", pure=True).parse(text):
            event = _event(found)
            if event is not None:
                yield event
    except ReaderError as error:
        name = f"U+{ord(text[error.position]):04X}" if error.position < len(text) else "a character"
        raise Mistake(error.position, f"not valid YAML: {name} cannot stand in a text", "take it out") from None
    except MarkedYAMLError as error:
        at, context = (getattr(mark, "index", None) for mark in (error.problem_mark, error.context_mark))
        raise _explained(text, error.problem or "", at, context) from None
    except YAMLError as error:
        words = str(error).partition("\n")[0]
        raise Mistake(0, f"not valid YAML: {_lower(words)}", "check the first line") from None


def _event(found: object) -> Event | None:
    from ruamel.yaml import events as of

    match found:
        case of.DocumentStartEvent():
            _check_directives(found.tags, found.version)
            return Event("document", found.start_mark.index)
        case of.MappingStartEvent() | of.SequenceStartEvent():
            kind: Kind = "mapping" if isinstance(found, of.MappingStartEvent) else "sequence"
            return Event(kind, found.start_mark.index, anchor=found.anchor, tag=_tag(found.ctag))
        case of.MappingEndEvent() | of.SequenceEndEvent():
            return Event("end", found.start_mark.index)
        case of.AliasEvent():
            return Event("alias", found.start_mark.index, found.anchor)
        case of.ScalarEvent():
            plain = found.style is None and found.implicit[0]
            return Event("scalar", found.start_mark.index, found.value, plain, found.anchor, _tag(found.ctag))
    return None


def _check_directives(tags: object, version: object) -> None:
    if tags:
        raise Mistake(0, "YAML tags are not known here", "take the `%TAG` line out")
    if version not in (None, (1, 2)):
        raise Mistake(0, "the document is not YAML 1.2", "take the `%YAML` line out")


def _tag(found: object) -> str | None:
    return None if found is None else str(found).replace("tag:yaml.org,2002:", "!!")


def _explained(text: str, problem: str, at: int | None, context: int | None) -> Mistake:
    offset = at or context or 0
    if "\\t" in problem:
        return Mistake(offset, "not valid YAML: a tab where the indentation is", "indent with spaces")
    if "alphabetic or numeric" in problem and text[max(0, offset - 1) : offset] in ("*", "&"):
        return Mistake(offset - 1, "not valid YAML: an alias or anchor without a name", STAR)
    if problem == "mapping values are not allowed here":
        hint = "check the indentation; a text with `: ` in it stands in quotes"
        return Mistake(offset, "not valid YAML: a second `:` in one line", hint)
    if "cannot start any token" in problem:
        hint = "put the text in quotes"
        return Mistake(offset, f"not valid YAML: no word begins with {quoted(text[offset])}", hint)
    if problem.startswith("expected ',' or") and text[offset : offset + 1] in ("[", "{"):
        hint = f'inside brackets a text with {quoted(text[offset])} in it stands in quotes: `"args.list[0]"`'
        return Mistake(offset, f"not valid YAML: {quoted(text[offset])} in the middle of a text", hint)
    if "end of stream" in problem and context is not None:
        return Mistake(context, "not valid YAML: what begins here has no end", "close the quotes or the bracket")
    words = problem.replace("<", "").replace(">", "").replace("'", "`").rstrip(". ")
    return Mistake(offset, f"not valid YAML: {_lower(words)}", "check the indentation, brackets and quotes before it")


def _lower(words: str) -> str:
    return f"{words[:1].lower()}{words[1:]}"
