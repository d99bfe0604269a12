"""The arguments of a call, as a person writes them in a terminal."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from gateway.cli.words import shown
from gateway.disk import why
from gateway.errors import UsageError, typed
from gateway.jsonrpc import Json, loads

_LARGEST: Final = 2**26
_PAIR: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*=")
_QUOTES: Final = 'write it in single quotes, so that the shell leaves it alone: \'{"to": "ada@example.com"}\''


def json_object(text: str | None) -> dict[str, Json]:
    """The object that a text is; none where there is no text."""
    if text is None:
        return {}
    try:
        value = loads(text)
    except (ValueError, ArithmeticError, RecursionError):
        raise UsageError(f"`{shown(text, 60)}` is not valid JSON", _QUOTES) from None
    if not isinstance(value, dict):
        raise UsageError(f"`{shown(text, 60)}` is not a JSON object", _QUOTES)
    return value


def given(text: str | None, pairs: Sequence[str], schema: Mapping[str, Json] | None) -> dict[str, Json]:
    """The arguments of one call: an object (`@FILE`: what stands there, `-`: standard input), and `key=value` pairs.

    What `schema` says is a text stays one; any other value is JSON where it is some, else a text.
    """
    if text is not None and _PAIR.match(text):
        raise UsageError(f"`{shown(text, 60)}` is not JSON", f"single arguments: `{typed('--arg', shown(text, 60))}`")
    found = json_object(_text(text) if text is not None else None)
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageError(
                f"`--arg`: `{shown(pair, 60)}` is no `key=value`", "for example `--arg to=ada@example.com`"
            )
        if key in found:
            raise UsageError(f"`{shown(key, 60)}` is given twice", "leave one of them out")
        found[key] = value if _is_text(schema, key) else _value(value)
    return found


def _text(text: str) -> str:
    if text == "-":
        data = sys.stdin.buffer.read(_LARGEST)
    elif text.startswith("@"):
        try:
            with Path(text[1:]).expanduser().open("rb") as stream:
                data = stream.read(_LARGEST)
        except (OSError, RuntimeError) as error:
            raise UsageError(
                f"`{shown(text[1:])}` cannot be read: {why(error)}", "`@FILE` reads the arguments"
            ) from None
    else:
        return text
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UsageError(f"`{shown(text)}` is not UTF-8", "write the arguments as JSON") from None


def _is_text(schema: Mapping[str, Json] | None, key: str) -> bool:
    properties = (schema or {}).get("properties")
    described = properties.get(key) if isinstance(properties, dict) else None
    return isinstance(described, dict) and described.get("type") == "string"


def _value(text: str) -> Json:
    try:
        return loads(text)
    except (ValueError, ArithmeticError, RecursionError):
        return text
