"""The canonical layout of a policy: the keys in the order of the language, two spaces, short things on one line.

What is laid out again says what it said before, which `laid_out` makes sure of, and a text that is laid out already
stays as it is. A YAML document keeps its comments, its quotes and what was written on one line; an object with comments
in it keeps its order as well, because nobody can tell which key a comment is about. JSON has nothing of the kind to
keep. Names of tools, conditions and rules stay in their order, which is the author's.
"""

import io
import re
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Final, cast, get_args

from gateway.errors import GatewayError
from gateway.jsonrpc import Json, loads, serialise
from gateway.policy import load
from gateway.policy.document import Document, Strict, keys
from gateway.policy.source import is_yaml

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap

WIDTH: Final = 120
_INDENT: Final = "  "


def laid_out(data: bytes, *, name: str) -> str:
    """The text of a policy, laid out. Raises `PolicyError` for what is none."""
    policy = load(data, name=name)
    text = yaml_layout(policy.text) if is_yaml(name) else json_layout(loads(policy.text))
    if load(text.encode(), name=name).revision != policy.revision:
        raise GatewayError(
            f"laying out `{name}` would change what it says", "this is a fault of ours: leave it as it is"
        )
    return text


def json_layout(value: Json) -> str:
    """The text of a JSON document that is a policy."""
    return f"{_json(value, Document, '', 0)}\n"


def _json(value: Json, shape: object, indent: str, before: int) -> str:
    """`before` is what stands on the line already."""
    line = _one_line(value, shape)
    if not isinstance(value, dict | list) or not value or (indent and len(indent) + before + len(line) < WIDTH):
        return line
    inner = indent + _INDENT
    if isinstance(value, list):
        items = [f"{inner}{_json(item, _element(shape), inner, 0)}" for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    members = []
    for key in ordered(value, shape):
        name = f"{encode_basestring(key)}: "
        members.append(f"{inner}{name}{_json(value[key], member(shape, key), inner, len(name))}")
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"


def _one_line(value: Json, shape: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_one_line(item, _element(shape)) for item in value)}]"
    if isinstance(value, dict):
        inner = ", ".join(
            f"{encode_basestring(key)}: {_one_line(value[key], member(shape, key))}" for key in ordered(value, shape)
        )
        return f"{{ {inner} }}" if inner else "{}"
    return encode_basestring(value) if isinstance(value, str) else serialise(value).decode()


# --- the order of the language ----------------------------------------------------------------------------------------


def ordered(value: Mapping[str, object], shape: object) -> list[str]:
    """The keys of an object in the order of its model; those of a table as they are."""
    model = _model(shape)
    if model is None:
        return list(value)
    known = list(keys(model))
    return sorted(value, key=lambda key: known.index(key) if key in known else len(known))


def member(shape: object, key: str) -> object:
    """What stands under a key."""
    model = _model(shape)
    if model is None:
        arguments = get_args(shape)
        return arguments[-1] if getattr(shape, "__origin__", None) is Mapping else None
    fields = ((info.alias or name, info.annotation) for name, info in model.model_fields.items())
    return next((annotation for name, annotation in fields if name == key), None)


def _element(shape: object) -> object:
    arguments = get_args(shape)
    return arguments[0] if arguments and getattr(shape, "__origin__", None) is tuple else None


def _model(shape: object) -> type[Strict] | None:
    if isinstance(shape, type) and issubclass(shape, Strict):
        return shape
    if getattr(shape, "__origin__", None) in (tuple, Mapping):
        return None
    return next((found for inner in get_args(shape) if (found := _model(inner)) is not None), None)


# --- YAML -------------------------------------------------------------------------------------------------------------


def yaml_layout(text: str) -> str:
    """The text of a YAML document that is a policy; it could be read before."""
    from ruamel.yaml import YAML  # here, because only policies written in YAML need it

    yaml = YAML(typ="rt", pure=True)
    yaml.version = None
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.explicit_start = text.lstrip().startswith("---")
    loaded = yaml.load(text)
    _arrange(loaded, Document)
    out = io.StringIO()
    yaml.dump(loaded, out)
    return re.sub(r"[ \t]+$", "", out.getvalue(), flags=re.MULTILINE)


def _arrange(value: object, shape: object) -> None:
    """Bring the keys into the order of the language, each with the comments that belong to it."""
    if isinstance(value, list):
        for item in cast(list[object], value):
            _arrange(item, _element(shape))
    elif isinstance(value, dict):
        found = cast("CommentedMap", value)
        order = ordered(found, shape)
        if order != list(found) and not _has_comments(found):
            for key in order:
                found.move_to_end(key)
        for key, item in found.items():
            _arrange(item, member(shape, key))


def _has_comments(value: object) -> bool:
    if not isinstance(value, dict | list):
        return False
    kept = cast("CommentedMap", value).ca
    inner = value.values() if isinstance(value, dict) else value
    return bool(kept.comment or kept.items or kept.end) or any(map(_has_comments, inner))
