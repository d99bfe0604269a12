"""Words of a policy document that have rules of their own: numbers, windows, paths, names, patterns, time zones.

Each is a type for the models of `document`; what is wrong with a word is said as a `Fault`.
"""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias, cast

import re2
from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.policy import amounts, globs, operators, paths, uris
from gateway.policy.problem import Fault, quoted
from gateway.policy.values import NOUNS, kind

FAULT = "policy"
"""The type of the errors that carry a `Fault`."""

LONGEST_WINDOW = 31_622_400
"""Seconds: a leap year."""
TIMEOUT = 600
"""Seconds that an answer of a person is worth where the policy does not say."""
MOST_REPEATS = 1000
"""Calls that are alike: as many as a session remembers of one call, and far more than anybody means."""

SECONDS: Mapping[str, int] = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
WINDOWS = ("minute", "hour", "day", "session")
_RATE = r"^[1-9][0-9]{0,8}/(second|minute|hour|day)$"
_DIGITS = "write digits without quotes"


def refuse(fault: Fault) -> PydanticCustomError:
    """The error that carries a fault out of a validator."""
    return PydanticCustomError(FAULT, "{message}", {"message": fault.message, "hint": fault.hint})


def one_of(names: Mapping[str, object] | tuple[str, ...]) -> str:
    """A hint that lists what may stand here."""
    return "one of " + ", ".join(f"`{name}`" for name in names)


# --- numbers ----------------------------------------------------------------------------------------------------------


def _number(value: object) -> Decimal:
    if kind(value) != "number":
        raise refuse(Fault(f"must be a number, not {NOUNS[kind(value)]}", _DIGITS))
    return Decimal(cast("int | Decimal", value))


def _maximum(value: Decimal) -> Decimal:
    if value <= 0:
        raise refuse(Fault("must be more than 0", "to refuse every call, write `action`: `deny`"))
    if not amounts.is_countable(value):
        raise refuse(Fault("cannot be counted exactly", "write a number with fewer digits"))
    return value


def _times(value: Decimal) -> int:
    if value < 1 or value > MOST_REPEATS or value != value.to_integral_value():
        raise refuse(Fault("must be a whole number", f"1 to {MOST_REPEATS}"))
    return int(value)


def _seconds(value: Decimal) -> Decimal:
    if value > LONGEST_WINDOW or value < 1 or value != value.to_integral_value():
        raise refuse(Fault("must be whole seconds", f"1 to {LONGEST_WINDOW}"))
    return value


def _window(value: object) -> str | int:
    if kind(value) == "number":
        return int(_seconds(_number(value)))
    hint = f"{one_of(WINDOWS)}, or a number of seconds"
    if not isinstance(value, str):
        raise refuse(Fault(f"must be a string or a number, not {NOUNS[kind(value)]}", hint))
    if value not in WINDOWS:
        raise refuse(Fault(f"{quoted(value)} is not a window", hint))
    return value


def _rate_text(text: str) -> str:
    number, _, unit = text.partition("/")
    if unit not in SECONDS or not number.isdecimal() or not number.isascii() or number[0] == "0" or len(number) > 9:
        hint = "write it like `30/hour`; per `second`, `minute`, `hour` or `day`"
        raise refuse(Fault(f"{quoted(text)} is not a rate", hint))
    return text


# --- paths and names --------------------------------------------------------------------------------------------------


def _path(value: object) -> paths.Path:
    if not isinstance(value, str):
        raise refuse(Fault(f"must be a string, not {NOUNS[kind(value)]}", paths.FORMS))
    parsed = paths.parse(value)
    if isinstance(parsed, Fault):
        raise refuse(parsed)
    return parsed


def _argument(value: object) -> paths.Path:
    path = _path(value)
    if path.root != "args":
        raise refuse(Fault(f"{quoted(path.text)} is not an argument", paths.FORMS))
    return path


def _one_argument(value: object) -> paths.Path:
    path = _argument(value)
    if path.many:
        raise refuse(Fault(f"{quoted(path.text)} selects many values", "name one: `[0]` in place of `[*]`"))
    return path


def _tool_name(name: str) -> str:
    if globs.matches_all(name):
        hint = "for restrictions of every tool use `all_tools`, to open every tool `default`: `allow`"
        raise refuse(Fault(f"the key {quoted(name)} would open every tool", hint))
    return name


def _pattern(text: str) -> str:
    if not text or len(text) > uris.LONGEST_PATTERN:
        raise refuse(Fault(f"a pattern has 1 to {uris.LONGEST_PATTERN} characters", "write it like `keyid://inbox/*`"))
    if "%" in text:
        hint = "write the character itself: patterns are compared with what an address means"
        raise refuse(Fault(f"{quoted(text)} has an encoded character", hint))
    try:
        matcher(text)
    except (re2.error, UnicodeEncodeError):
        raise refuse(Fault(f"{quoted(text)} is not a pattern", "use fewer `*`")) from None
    return text


def matcher(text: str, *, any_case: bool = False) -> uris.Matches:
    """Whether a text as a whole matches a pattern. Raises `re2.error`, `UnicodeEncodeError`."""
    search = operators.compiled(uris.expression(text, any_case=any_case)).search

    def matches(found: str) -> bool:
        return search(found.encode()) is not None

    return matches


def _zone_name(name: str) -> str:
    zone(name)
    return name


def zone(name: str) -> tzinfo:
    """The time zone of a name of the IANA database."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # here, because few policies look at the time

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise refuse(Fault(f"{quoted(name)} is not a time zone", "write it like `Europe/Berlin`, or `UTC`")) from None


Maximum: TypeAlias = Annotated[
    Decimal,
    BeforeValidator(_number),
    AfterValidator(_maximum),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]
Times: TypeAlias = Annotated[
    int,
    PlainValidator(lambda value: _times(_number(value))),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MOST_REPEATS}),
]
Seconds: TypeAlias = Annotated[
    Decimal,
    BeforeValidator(_number),
    AfterValidator(_seconds),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": LONGEST_WINDOW}),
]
Window: TypeAlias = Annotated[
    str | int,
    PlainValidator(_window),
    WithJsonSchema({"anyOf": [{"enum": list(WINDOWS)}, {"type": "integer", "minimum": 1, "maximum": LONGEST_WINDOW}]}),
]
RateText: TypeAlias = Annotated[str, AfterValidator(_rate_text), Field(json_schema_extra={"pattern": _RATE})]
PathText: TypeAlias = Annotated[paths.Path, PlainValidator(_path), WithJsonSchema({"type": "string"})]
ArgumentPath: TypeAlias = Annotated[paths.Path, PlainValidator(_argument), WithJsonSchema({"type": "string"})]
OneArgumentPath: TypeAlias = Annotated[paths.Path, PlainValidator(_one_argument), WithJsonSchema({"type": "string"})]
ToolName: TypeAlias = Annotated[str, AfterValidator(_tool_name)]
Pattern: TypeAlias = Annotated[str, AfterValidator(_pattern)]
ZoneName: TypeAlias = Annotated[str, AfterValidator(_zone_name)]
Operand: TypeAlias = Annotated[object, WithJsonSchema({})]
OperatorName: TypeAlias = Annotated[str, WithJsonSchema({"type": "string", "enum": list(operators.OPERATORS)})]
Action: TypeAlias = Literal["allow", "deny", "require_approval"]
Mode: TypeAlias = Literal["enforce", "observe"]
Default: TypeAlias = Literal["allow", "deny"]
