"""The JSON Schema (draft 2020-12) of a policy document, for editors and other people's checks.

It is made from the models of `policy.document`, so it cannot say anything else than they do; what a validator of theirs
says in code (what may stand in `value`, which path is one) is added here as far as JSON Schema can say it. What it
cannot say (a pattern that does not compile, a counter named twice) `policy check` says.

With a list of tools the schema is narrowed: names of tools are those, and below each the paths are those of its own
arguments, so that an editor completes them and marks what is misspelt.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Final, cast

from pydantic.json_schema import GenerateJsonSchema

from gateway.authoring.reference import KEYS, MODELS
from gateway.jsonrpc import Json
from gateway.policy.document import Document
from gateway.policy.paths import FACTS, HINTS, argument

TITLE: Final = "A policy of keyid-gateway"
_ARGUMENT: Final = r'(\.[^.\[\]\s"*]+|\["([^"\\]|\\.)*"\])'
_STEP: Final = rf"({_ARGUMENT}|\[(0|[1-9][0-9]{{0,8}}|\*)\])"
_ONE_STEP: Final = rf"({_ARGUMENT}|\[(0|[1-9][0-9]{{0,8}})\])"
_NAMED_BY_TOOL: Final = ("Predicate", "ApproveIf", "Condition", "Limit", "Remember", "Rule", "ToolEntry")
_DEEPEST: Final = 4
_MOST_PATHS: Final = 500

Schema = dict[str, Json]
NONE: Final[Mapping[str, Json]] = {"not": {}}


def schema(tools: Mapping[str, Mapping[str, Json]] | None = None) -> Schema:
    """The schema; `tools` are the input schemas of the tools there are, by name."""
    made = cast(Schema, Document.model_json_schema(by_alias=True))
    definitions = cast("dict[str, Schema]", made.pop("$defs"))
    definitions["Document"] = made
    for name, model in definitions.items():
        _describe(name, model)
    _say_more(definitions)
    if tools is not None:
        _narrow(definitions, tools)
    document = definitions.pop("Document")
    head: Schema = {"$schema": GenerateJsonSchema.schema_dialect, "title": TITLE}
    return head | document | {"$defs": cast(Schema, definitions)}


def _describe(name: str, model: Schema) -> None:
    """Our sentences in place of pydantic's titles, and no defaults: an editor would write them out."""
    model.pop("title", None)
    model["description"] = MODELS[name]
    for key, field in _properties(model).items():
        for word in ("title", "default"):
            field.pop(word, None)
        field["description"] = KEYS[name][key]


def _properties(model: Schema) -> dict[str, Schema]:
    return cast("dict[str, Schema]", model["properties"])


def _say_more(definitions: dict[str, Schema]) -> None:
    path = _path_pattern(_STEP, facts=True)
    _properties(definitions["Condition"])["path"]["pattern"] = path
    limit = _properties(definitions["Limit"])
    limit["increment_from"]["pattern"] = _path_pattern(_ONE_STEP, facts=False)
    limit["per"]["pattern"] = _path_pattern(_STEP, facts=False)
    covered = _properties(definitions["Remember"])["paths"]
    covered["minItems"] = 1
    cast(Schema, covered["items"])["pattern"] = limit["per"]["pattern"]
    definitions["Condition"]["allOf"] = [
        _if("op", ["lt", "lte", "gt", "gte"], {"type": "number"}),
        _if("op", ["in", "not_in"], {"type": "array"}),
        _if("op", ["regex"], {"type": "string"}),
        _if("op", ["exists"], {"type": "boolean"}),
    ]
    session: Schema = {"properties": {"window": {"const": "session"}}, "required": ["window"]}
    definitions["Limit"]["if"] = session
    definitions["Limit"]["then"] = {"properties": {"scope": {"const": "session"}, "strategy": False}}
    _properties(definitions["Document"])["tools"]["propertyNames"] = {"pattern": "^$|[^*]"}
    for section in ("allow", "deny"):
        cast(Schema, _properties(definitions["Section"])[section]["items"]).update(minLength=1, pattern="^[^%]*$")


def _if(key: str, values: list[Json], then: Schema) -> Schema:
    return {
        "if": {"properties": {key: {"enum": values}}, "required": [key]},
        "then": {"properties": {"value": then}},
    }


def _path_pattern(step: str, *, facts: bool) -> str:
    path = rf"^args{_ARGUMENT}{step}*$"
    return f"{path}|{'|'.join(_facts())}" if facts else path


def _facts() -> Iterator[str]:
    for fact, named in FACTS.items():
        word = re.escape(fact).replace("\\_", "_")
        if named == "hint":
            yield f"^{word}\\.({'|'.join(HINTS)})$"
        else:
            yield f"^{word}{_ARGUMENT}$" if named else f"^{word}$"


# --- narrowed to the tools that there are -----------------------------------------------------------------------------


def _narrow(definitions: dict[str, Schema], tools: Mapping[str, Mapping[str, Json]]) -> None:
    document = _properties(definitions["Document"])
    entries: Schema = {}
    for index, (name, given) in enumerate(tools.items()):
        paths = list(_paths(given))[:_MOST_PATHS]
        for model in _NAMED_BY_TOOL:
            definitions[f"{model}.{index}"] = _of_tool(definitions[model], index)
        _properties(definitions[f"Condition.{index}"])["path"].update(_narrowed(paths, facts=True))
        limit = _properties(definitions[f"Limit.{index}"])
        for key in ("increment_from", "per"):
            limit[key].update(_narrowed(paths, facts=False))
        covered = _properties(definitions[f"Remember.{index}"])["paths"]
        cast(Schema, covered["items"]).update(_narrowed(paths, facts=False))
        entries[name] = {"$ref": f"#/$defs/ToolEntry.{index}"}
    document["tools"] |= {
        "properties": entries,
        "patternProperties": {r"\*": {"$ref": "#/$defs/ToolEntry"}},
        "additionalProperties": False,
    }
    document["hide"]["items"] = {"anyOf": [{"enum": list(tools)}, {"type": "string", "pattern": r"\*"}]}


def _of_tool(model: Schema, index: int) -> Schema:
    """A copy of a model whose parts are those of one tool."""
    copied = deepcopy(model)
    stack: list[Json] = [copied]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            named = str(value.get("$ref", "")).removeprefix("#/$defs/")
            if named in _NAMED_BY_TOOL:
                value["$ref"] = f"#/$defs/{named}.{index}"
            stack += value.values()
        elif isinstance(value, list):
            stack += value
    return copied


def _narrowed(paths: list[tuple[str, str]], *, facts: bool) -> Mapping[str, Json]:
    """Exactly these paths, any index of a list, whatever is open below one; and the facts."""
    exact: list[Json] = [text for text, open_below in paths if "[*]" not in text and not open_below]
    indexed = [_pattern(text, open_below) for text, open_below in paths if "[*]" in text or open_below]
    patterns = [*indexed, *(_facts() if facts else ())]
    alternatives: list[Json] = [{"enum": exact}] if exact else []
    return {"anyOf": [*alternatives, *({"pattern": pattern} for pattern in patterns)]} if exact or patterns else NONE


def _pattern(text: str, open_below: str) -> str:
    body = re.escape(text).replace(r"\[\*\]", r"\[(\*|0|[1-9][0-9]{0,8})\]").replace("\\_", "_").replace("\\-", "-")
    return f"^{body}{open_below}$"


def _paths(given: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """The paths of a tool's arguments, and what may follow each where its schema leaves that open."""
    for name, inner in _members(given):
        yield from _below(argument(name), inner, 1)


def _below(text: str, given: Mapping[str, Json], depth: int) -> Iterator[tuple[str, str]]:
    members = list(_members(given))
    items = given.get("items")
    if members and depth < _DEEPEST:
        yield text, ""
        for name, inner in members:
            yield from _below(f"{text}{argument(name).removeprefix('args')}", inner, depth + 1)
    elif isinstance(items, dict) and depth < _DEEPEST:
        yield text, ""
        yield from _below(f"{text}[*]", items, depth + 1)
    elif _is_scalar(given):
        yield text, ""
    else:
        yield text, f"{_STEP}*"


def _members(given: Mapping[str, Json]) -> Iterable[tuple[str, Mapping[str, Json]]]:
    properties = given.get("properties")
    found = properties.items() if isinstance(properties, dict) else ()
    return [(name, inner if isinstance(inner, dict) else {}) for name, inner in found]


def _is_scalar(given: Mapping[str, Json]) -> bool:
    return given.get("type") in ("string", "number", "integer", "boolean", "null")
