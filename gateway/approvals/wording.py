r"""The text in which a question is put to a person. Pure.

The person decides by what stands here, and nearly all of it comes from whoever wants the call made (a model, what that
has read, a client, a server), so each form of the text keeps these rules:

- Nothing comes out raw that would act, hide or deceive (`visible`). A backslash of the text's own is doubled, so that
  what looks like an escape is one.
- Each thing stands on a line of its own behind its label. A value of many lines, or of letters that reverse what stands
  beside them, stands below its label, each of its lines behind a bar, what is folded behind a colon. No value can end
  the line it stands on and go on as if it were one of ours.
- What is left out is counted where it is missing; of a long value the end is shown too. The whole of it is one command
  away: `keyid-gateway approvals show ID`.
- In a client the details are indented by four blanks. A client that reads Markdown shows that as it is: no links, no
  pictures that would be fetched. Where the text is plain, an address is broken (`https[:]//`), so that nothing makes a
  link of it.
- A notification, of which daemons keep a history, has the names and sizes of arguments, and none of their values.

| form | for | arguments |
|---|---|---|
| `whole` | `approvals show` | all of them, whole |
| `full` | a terminal that asks | cut where they are long |
| `message` | a client, a dialog | cut shorter |
| `notice` | a notification | names and sizes |
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final
from unicodedata import east_asian_width

from gateway.approvals import Question
from gateway.approvals.typed import NAME
from gateway.jsonrpc import Json, serialise
from gateway.policy.paths import argument
from gateway.visible import pieces, reverses, unmistakable

_LABELS: Final = ("tool", "server", "client", "grant", "reason", "rule", "covers")
_INDENT: Final = "    "
_BAR: Final = "| "
_FOLDED: Final = ": "
_LEAST_COLUMNS: Final = 20
_LONGEST_NAME: Final = 100
_MOST_NAMED: Final = 8
_MOST_COUNTED: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Measure:
    """How much of it is shown: columns, rows of one value, values. None: all."""

    width: int
    rows: int | None
    values: int | None
    breaks_addresses: bool = False


def whole(question: Question, width: int = 80) -> str:
    """Everything, on a terminal of so many columns."""
    return "\n".join(_said(question, _Measure(width, None, None)))


def full(question: Question, width: int = 80) -> str:
    """What a person needs to decide, on a terminal of so many columns."""
    return "\n".join(
        [*_said(question, _Measure(width, 12, 40)), "", f"the whole call: {NAME} approvals show {question.id}"]
    )


def message(question: Question, program: str = NAME) -> str:
    """The question for a client or a dialog: what follows the first line is indented. `program` is how to type it."""
    said = _said(question, _Measure(72, 6, 16, breaks_addresses=True))
    return "\n".join(
        [
            "keyid-gateway (on this machine, not the server) asks: may this call be made?",
            "",
            *(f"{_INDENT}{line}" if line else "" for line in said),
            "",
            f"{_INDENT}the whole call: {program} approvals show {question.id}",
        ]
    )


def notice(question: Question, program: str = NAME) -> str:
    """The question in a line, without any value of an argument, and below it the command that shows it and asks."""
    named = [f"{_name(name)} ({_size(value)})" for name, value in islice(question.arguments.items(), _MOST_NAMED)]
    left = len(question.arguments) - len(named)
    more = [f"{_counted(left, 'more argument')}"] if left else []
    listed = ", ".join([*named, *more]) or "no arguments"
    return f"{_name(question.tool)}: {listed}\n{program} approvals approve {question.id}"


# --- the lines --------------------------------------------------------------------------------------------------------


def _said(question: Question, measure: _Measure) -> list[str]:
    client = f"{question.client_name} {question.client_version}".strip()
    facts = (question.tool, question.server, client, question.grant, question.reason, question.rule)
    lines = []
    for label, text in zip(_LABELS, facts, strict=False):
        lines += _entry(f"{label:<7} ", text, measure, quoted=False)
    for covering in question.remember:
        kept = f"with the same {', '.join(covering.paths)}" if covering.paths else "whatever its arguments"
        text = f"later calls {kept} too, for {_counted(covering.seconds, 'second')}"
        lines += _entry(f"{'covers':<7} ", text, measure, quoted=False)
    arguments = dict(question.arguments)
    count = _count(arguments)
    some = "at least " if count == _MOST_COUNTED else ""
    lines += ["", f"arguments: {some}{_counted(count, 'value')}" if count else "arguments: none"]
    for label, value in islice(_leaves("", arguments), measure.values):
        lines += _leaf(f"  {_name(label, breaks_addresses=measure.breaks_addresses)}  ", value, measure)
    if measure.values is not None and count > measure.values:
        more, size = _counted(count - measure.values, "more value"), _counted(len(serialise(arguments)), "byte")
        lines.append(f"  … {some}{more} left out here, of arguments of {size} …")
    return lines


def _count(arguments: Json) -> int:
    """How many values have no parts, up to `_MOST_COUNTED`: this is done while other calls wait."""
    count, inside = 0, [arguments]
    while inside and count < _MOST_COUNTED:
        value = inside.pop()
        if isinstance(value, dict | list) and value:
            inside.extend(islice(value.values() if isinstance(value, dict) else value, _MOST_COUNTED))
        else:
            count += 1
    return count if arguments else 0


def _leaves(path: str, value: Json) -> Iterator[tuple[str, Json]]:
    """Each value that has no parts, and where it stands, as the policy writes it without `args.`."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            step = argument(name).removeprefix("args")
            yield from _leaves(f"{path}{step}" if path else step.removeprefix("."), inner)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(f"{path}[{number}]", inner)
    elif path:
        yield path, value


def _leaf(label: str, value: Json, measure: _Measure) -> list[str]:
    if isinstance(value, str):
        return _entry(label, value, measure, quoted=True)
    return _entry(label, _plain(value), measure, quoted=False)


def _entry(label: str, text: str, measure: _Measure, *, quoted: bool) -> list[str]:
    """A label and its text: beside it where that is plain and short, else below it."""
    if len(text) < measure.width and "\n" not in text and not reverses(text):
        shown = "".join(_written(text, measure, quoted=quoted))
        beside = f'{label}"{shown}"' if quoted else f"{label}{shown}".rstrip()
        if _columns(beside) <= measure.width:
            return [beside]
    count = f"{_counted(len(text), 'character')}"
    if "\n" in text:
        count = f"{count} in {_counted(text.count(chr(10)) + 1, 'line')}"
    return [f"{label}({count})", *_block(text, measure)]


def _block(text: str, measure: _Measure) -> list[str]:
    """A text in rows of its own; where there are too many, its beginning and its end."""
    width = max(_LEAST_COLUMNS, measure.width - len(_INDENT) - len(_BAR))
    most = measure.rows
    reach = len(text) if most is None else width * most
    rows = _rows(text[:reach], width, measure)
    if most is None or (len(text) <= reach and len(rows) <= most):
        return [f"{_INDENT}{row}" for row, _ in rows]
    last = most // 3
    head = rows[: most - last]
    begun = sum(size for _, size in head)
    tail = _rows(text[max(begun, len(text) - reach) :], width, measure)[-last:]
    left = len(text) - begun - sum(size for _, size in tail)
    mark = f"… {_counted(left, 'character')} left out here …"
    return [f"{_INDENT}{row}" for row in (*(row for row, _ in head), mark, *(row for row, _ in tail))]


def _rows(text: str, width: int, measure: _Measure) -> list[tuple[str, int]]:
    """Rows of at most `width` columns, and of how many characters each is made: a line break counts as one."""
    rows: list[tuple[str, int]] = []
    for line in text.split("\n"):
        row, size, columns, mark = "", 1 if rows else 0, 0, _BAR
        for piece in _written(line, measure, quoted=False):
            wide = _columns(piece)
            if columns + wide > width:
                rows.append((mark + row, size))
                row, size, columns, mark = "", 0, 0, _FOLDED
            row, size, columns = row + piece, size + 1, columns + wide
        rows.append((mark + row, size))
    return rows


def _written(text: str, measure: _Measure, *, quoted: bool) -> list[str]:
    """How each character of a line is written."""
    shown = pieces(text)
    for place, char in enumerate(text):
        if char == "\\" or (quoted and char == '"'):
            shown[place] = f"\\{char}"
        elif measure.breaks_addresses and char == ":" and text.startswith("//", place + 1):
            shown[place] = "[:]"
    if shown and shown[-1] == " ":
        shown[-1] = "\\x20"  # a blank at the end of a line is seen by nobody
    return shown


# --- words ------------------------------------------------------------------------------------------------------------


def _name(name: str, *, breaks_addresses: bool = True) -> str:
    """A name on one line, between quotes where it is not plain; cut, with its length."""
    shown = unmistakable(name)
    if len(shown) > _LONGEST_NAME:
        shown = f"{shown[:_LONGEST_NAME]}… ({_counted(len(name), 'character')})"
    quoted = shown if shown == name and name.strip() == name and name else f'"{shown}"'
    return quoted.replace("://", "[:]//") if breaks_addresses else quoted


def _plain(value: Json) -> str:
    return serialise(value).decode("ascii")


def _size(value: Json) -> str:
    if isinstance(value, str):
        return _counted(len(value), "character")
    if isinstance(value, list):
        return _counted(len(value), "item")
    if isinstance(value, dict):
        return _counted(len(value), "field")
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else "yes or no"
    return "a number"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _columns(text: str) -> int:
    """The columns that a text takes on a terminal."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
