"""A policy from the tools a server announces: every one listed under its risk, with the recommended limits.

| risk | what is written |
|---|---|
| Read | `{}` |
| Read, sensitive | 5 a minute, 30 a day: what opens doors is handed out a few at a time |
| Write | 30 a minute |
| Execute | 10 a minute |
| Destructive | hidden |

A tool that KeyID publishes gets what the recommended pack says of it; where its own announcement makes it graver than
the pack knows, what its risk asks for comes on top. The document denies by default, so that a tool which the server
adds later is refused until somebody has looked at it. The same tools give the same text, whatever their order.

A name with `*` in it cannot be written: there it would be a pattern, and open others. Nor can one that is longer than
YAML's keys may be, or no valid text. They stay out, which refuses them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from gateway.authoring.risk import CATEGORIES, Risk, assess
from gateway.jsonrpc import Json
from gateway.keyid import Category, pack, recommended
from gateway.keyid.pack import Limit, Loop, Restrictions, Tool

_SENSITIVE: Final[Restrictions] = (
    Limit(5, "minute", "what opens doors is handed out a few at a time"),
    Limit(30, "day", "a day of work uses the same few again and again"),
)
_LONGEST_NAME: Final = 512
_BY_CATEGORY: Final[Mapping[Category, Restrictions]] = {
    "Read": (),
    "Write": (Limit(30, "minute", "several times what a busy person changes; far below what a runaway loop does"),),
    "Execute": (Limit(10, "minute", "what starts something is worth a moment between two of them"),),
    "Destructive": (),
}
_HEADINGS: Final[Mapping[Category, str]] = {
    "Read": "Read: what shows, and changes nothing",
    "Write": "Write: what changes or sends something",
    "Execute": "Execute: what starts, runs, pays or opens an address; and names that say nothing",
    "Destructive": "Destructive: what takes away. Hidden; to open one, take it out of here and list it under `tools`",
}


@dataclass(frozen=True, slots=True)
class Scanned:
    """One announced tool. `listed` says whether the policy names it (a destructive one under `hide`)."""

    name: str
    risk: Risk
    restrictions: Restrictions
    listed: bool = True

    @property
    def says(self) -> str:
        """What the policy does with it, in a few words."""
        if not self.listed:
            return "left out: refused"
        if self.risk.category == "Destructive":
            return "hidden"
        limits = ", ".join(part.says for part in self.restrictions if isinstance(part, Limit))
        rules = sum(not isinstance(part, Limit | Loop) for part in self.restrictions)
        also = f"{rules} rule{'s' * (rules != 1)} on arguments" if rules else ""
        return "; ".join(part for part in (limits, also) if part) or "open"


def scan(definitions: Sequence[Mapping[str, Json]]) -> tuple[Scanned, ...]:
    """Every tool with its risk and its restrictions, by risk and name."""
    rows = {row.name: row for row in recommended.TOOLS}
    found = {str(definition.get("name", "")): _scanned(definition, rows) for definition in definitions}
    return tuple(sorted(found.values(), key=lambda tool: (CATEGORIES.index(tool.risk.category), tool.name)))


def _scanned(definition: Mapping[str, Json], rows: Mapping[str, Tool]) -> Scanned:
    risk = assess(definition)
    name = str(definition.get("name", ""))
    row = rows.get(name) if risk.known else None
    restrictions = row.restrictions if row is not None else _SENSITIVE if risk.sensitive else ()
    if row is None or CATEGORIES.index(risk.category) > CATEGORIES.index(row.category):
        taken = {part.window for part in restrictions if isinstance(part, Limit)}
        more = (part for part in _BY_CATEGORY[risk.category] if isinstance(part, Limit) and part.window not in taken)
        restrictions = (*more, *restrictions)
    return Scanned(name, risk, restrictions, listed=_can_be_written(name))


def _can_be_written(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_NAME and "*" not in name and not any("\ud800" <= char <= "\udfff" for char in name)


def document(tools: Sequence[Scanned], *, server: str) -> dict[str, Json]:
    """The policy document of scanned tools."""
    listed = [tool for tool in tools if tool.listed]
    rows = [
        Tool(tool.name, tool.risk.category, tool.restrictions) for tool in listed if tool.risk.category != "Destructive"
    ]
    return pack.document(
        rows,
        description=f"Written from the tools that {server} announced. What is not named here is refused.",
        hide=[tool.name for tool in listed if tool.risk.category == "Destructive"],
        brakes=recommended.BRAKES,
        loop=recommended.LOOP,
    )


def as_json(tools: Sequence[Scanned], *, server: str) -> str:
    """The document as JSON; the reasons of its limits stand beside them as `reason`."""
    return json.dumps(document(tools, server=server), indent=2, ensure_ascii=False) + "\n"


def as_yaml(tools: Sequence[Scanned], *, server: str) -> str:
    """The same document as YAML, with a heading for each risk and a comment on every tool that says why it is there."""
    whole = document(tools, server=server)
    entries = cast("dict[str, dict[str, Json]]", whole["tools"])
    hidden = [tool for tool in tools if tool.listed and tool.risk.category == "Destructive"]
    lines = [f"{key}: {_flow(whole[key])}" for key in ("version", "description", "default")]
    lines += ["", f"# {_HEADINGS['Destructive']}", "hide:" if hidden else "hide: []"]
    for tool in hidden:
        lines += [f"  # {_comment(tool)}", f"  - {_flow(tool.name)}"]
    lines += [
        "",
        "# All calls together: a brake for a loop.",
        "all_tools:",
        *_entry(cast("dict[str, Json]", whole["all_tools"]), 2),
    ]
    lines += ["", "tools:" if entries else "tools: {}"]
    for category in CATEGORIES[:-1]:
        group = [tool for tool in tools if tool.listed and tool.risk.category == category]
        if group:
            lines += ["", f"  # --- {_HEADINGS[category]}", ""]
        for tool in group:
            lines += _tool(tool, entries[tool.name])
    left_out = [tool for tool in tools if not tool.listed]
    lines += ["", "# Left out, and so refused: these names cannot be written as they are."] if left_out else []
    lines += [f"#   {_flow(tool.name[:_LONGEST_NAME])}" for tool in left_out]
    return "\n".join(lines) + "\n"


def _tool(tool: Scanned, entry: dict[str, Json]) -> Iterator[str]:
    yield f"  # {_comment(tool)}"
    shown = {key: value for key, value in entry.items() if key not in ("action", "reason")}  # comments say it here
    for part in tool.restrictions:
        if isinstance(part, Limit | Loop):
            yield f"  # {part.says}: {part.why}"
    if not shown:
        yield f"  {_flow(tool.name)}: {{}}"
        return
    yield f"  {_flow(tool.name)}:"
    yield from _entry(shown, 4)


def _entry(entry: dict[str, Json], indent: int) -> Iterator[str]:
    margin = " " * indent
    for key, value in entry.items():
        if isinstance(value, list):
            yield f"{margin}{key}:"
            yield from (f"{margin}  - {_flow(item)}" for item in value)
        else:
            yield f"{margin}{key}: {_flow(value)}"


def _comment(tool: Scanned) -> str:
    return " ".join(_printable(tool.risk.why).split())


def _flow(value: Json) -> str:
    """A value as JSON on one line, which YAML reads as the same value. Whatever is not printable is escaped."""
    return _printable(json.dumps(value, ensure_ascii=False))


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else _escape(ord(char)) for char in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
