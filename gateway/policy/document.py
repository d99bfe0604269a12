"""The shape of a policy document, version "1": this and nothing else says what may be written.

Validation, the words of its mistakes, the JSON Schema and the reference derive from these models. Strict: no key that
is not here, no type that is nearly right. What the language knows but this version does not enforce stands in `later`,
and is refused by name: nothing is accepted that is not enforced (bypass class B33).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, TypeAlias, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from gateway.jsonrpc import Json
from gateway.policy import operators, paths
from gateway.policy.problem import Fault, quoted
from gateway.policy.values import NOUNS, kind

REMOVE = "remove it: nothing is accepted here that is not enforced"
SPELL_OUT = "write every name in full; patterns come with a later version"
FAULT = "policy"
"""The type of the errors that carry a `Fault`."""

LONGEST_WINDOW = 31_622_400
"""Seconds: a leap year."""

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_RATE = r"^[1-9][0-9]{0,8}/(second|minute|hour|day)$"


def refuse(fault: Fault) -> PydanticCustomError:
    """The error that carries a fault out of a validator."""
    return PydanticCustomError(FAULT, "{message}", {"message": fault.message, "hint": fault.hint})


def later(words: str, hint: str = REMOVE) -> Fault:
    """What the language knows and this version does not enforce."""
    return Fault(f"{words} is not supported by this version", hint)


class Strict(BaseModel):
    """What all models share. `later` are the keys that a later version understands."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    later: ClassVar[frozenset[str]] = frozenset()


# --- words with rules of their own ------------------------------------------------------------------------------------


def _number(value: object) -> Decimal:
    if kind(value) != "number":
        raise refuse(Fault(f"must be a number, not {NOUNS[kind(value)]}", "write digits without quotes"))
    return Decimal(cast("int | Decimal", value))


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise refuse(Fault("must be more than 0", "to refuse every call, write `action`: `deny`"))
    return value


def _seconds(value: Decimal) -> Decimal:
    if value > LONGEST_WINDOW or value < 1 or value != value.to_integral_value():
        raise refuse(Fault("must be whole seconds", f"1 to {LONGEST_WINDOW}"))
    return value


def _path(value: object) -> paths.Path:
    if not isinstance(value, str):
        raise refuse(Fault(f"must be a string, not {NOUNS[kind(value)]}", paths.FORMS))
    parsed = paths.parse(value)
    if isinstance(parsed, Fault):
        raise refuse(parsed)
    return parsed


def _window(value: object) -> object:
    if value == "session" or kind(value) == "number":
        hint = "one of `minute`, `hour`, `day`; `rate_limit` takes seconds"
        raise refuse(later("a window of seconds" if value != "session" else "the window `session`", hint))
    return value


def _scope(value: object) -> object:
    if value == "server":
        raise refuse(later("the scope `server`", "one of `grant`, `session`"))
    return value


def _hidden_name(name: str) -> str:
    if "*" in name and name != "*":
        raise refuse(later(f"the pattern {quoted(name)}", SPELL_OUT))
    return name


def _tool_name(name: str) -> str:
    if name == "*":
        hint = "for restrictions of every tool use `all_tools`, to open every tool `default`: `allow`"
        raise refuse(Fault("the key `*` would open every tool", hint))
    if "*" in name:
        raise refuse(later(f"the pattern {quoted(name)}", SPELL_OUT))
    return name


def _rate_text(text: str) -> str:
    number, _, unit = text.partition("/")
    if unit not in _SECONDS or not number.isdecimal() or not number.isascii() or number[0] == "0" or len(number) > 9:
        hint = "write it like `30/hour`; per `second`, `minute`, `hour` or `day`"
        raise refuse(Fault(f"{quoted(text)} is not a rate", hint))
    return text


def _is_text(value: object) -> str:
    return "(text)" if isinstance(value, str) else "(object)"


Positive: TypeAlias = Annotated[
    Decimal,
    BeforeValidator(_number),
    AfterValidator(_positive),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]
Seconds: TypeAlias = Annotated[
    Decimal,
    BeforeValidator(_number),
    AfterValidator(_seconds),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": LONGEST_WINDOW}),
]
PathText: TypeAlias = Annotated[paths.Path, PlainValidator(_path), WithJsonSchema({"type": "string"})]
HiddenName: TypeAlias = Annotated[str, AfterValidator(_hidden_name)]
ToolName: TypeAlias = Annotated[str, AfterValidator(_tool_name)]
Operand: TypeAlias = Annotated[object, WithJsonSchema({})]
OperatorName: TypeAlias = Annotated[str, WithJsonSchema({"type": "string", "enum": list(operators.OPERATORS)})]
Action: TypeAlias = Literal["allow", "deny", "require_approval"]


# --- the shapes -------------------------------------------------------------------------------------------------------


class Condition(Strict):
    """One condition. `op` stands before `value` here because it says what `value` may be."""

    path: PathText
    op: OperatorName
    value: Operand

    @field_validator("op")
    @classmethod
    def _op(cls, op: str) -> str:
        if op not in operators.OPERATORS:
            raise refuse(Fault(f"{quoted(op)} is not an operator", one_of(operators.OPERATORS)))
        return op

    @field_validator("value")
    @classmethod
    def _value(cls, value: object, info: ValidationInfo) -> object:
        op = info.data.get("op")
        fault = operators.fault(op, cast(Json, value)) if isinstance(op, str) else None
        if fault is not None:
            raise refuse(fault)
        return value


class Predicate(Strict):
    """Conditions, ANDed; an empty list always holds."""

    conditions: tuple[Condition, ...] = Field(strict=False)
    on_deny: str = ""


class Limit(Strict):
    """A counter and its bound in a window that is aligned to UTC."""

    later = frozenset({"strategy", "increment_from", "per"})

    counter: str
    window: Annotated[Literal["minute", "hour", "day"], BeforeValidator(_window)]
    max: Positive
    scope: Annotated[Literal["grant", "session"], BeforeValidator(_scope)]
    on_deny: str = ""


class RateLimit(Strict):
    """At most `max` calls in any span of `window` seconds, in this session."""

    max: Positive
    window: Seconds


class Validation(Strict):
    """What the arguments must be by the tool's own schema."""

    later = frozenset({"schema"})

    required_args: bool = False


RateText: TypeAlias = Annotated[str, AfterValidator(_rate_text), Field(json_schema_extra={"pattern": _RATE})]
Rate: TypeAlias = Annotated[
    Annotated[RateLimit, Tag("(object)")]
    | Annotated[RateText, Tag("(text)")]
    | Annotated[SkipJsonSchema[None], Tag("(none)")],
    Discriminator(_is_text),
]


class Rule(Strict):
    """A restriction, written as an element of `rules`. What its `conditions` are depends on its `action`."""

    later = frozenset({"mode", "approve_if", "repeat"})

    name: str = ""
    action: Action = "allow"
    reason: str = ""
    rate_limit: Rate = None
    validation: Validation = Field(default=Validation(), alias="validate")
    conditions: tuple[Condition, ...] = Field(default=(), strict=False)
    on_deny: str = ""


class ToolEntry(Strict):
    """What restricts one tool. Empty: nothing does."""

    later = frozenset({"approve_if", "repeat", "mode"})

    require: tuple[Predicate, ...] = Field(default=(), strict=False)
    deny_if: tuple[Predicate, ...] = Field(default=(), strict=False)
    limits: tuple[Limit, ...] = Field(default=(), strict=False)
    action: Action = "allow"
    reason: str = ""
    rate_limit: Rate = None
    validation: Validation = Field(default=Validation(), alias="validate")
    rules: tuple[Rule, ...] = Field(default=(), strict=False)


class AllTools(Strict):
    """What restricts every call, after the tool's own entry."""

    later = frozenset(
        {"require", "deny_if", "action", "reason", "rate_limit", "validate", "rules", "approve_if", "repeat", "mode"}
    )

    limits: tuple[Limit, ...] = Field(default=(), strict=False)


class Document(Strict):
    """A policy document."""

    later = frozenset({"mode", "methods", "resources", "prompts", "timezone"})

    schema_reference: str = Field(default="", alias="$schema")
    version: Literal["1"]
    description: str = ""
    default: Literal["allow", "deny"]
    hide: tuple[HiddenName, ...] = Field(default=(), strict=False)
    all_tools: AllTools = AllTools()
    tools: Mapping[ToolName, ToolEntry] = Field(default_factory=dict)


# --- reading the models -----------------------------------------------------------------------------------------------


def rate(value: RateLimit | str) -> tuple[Decimal, int]:
    """Maximum and seconds of a rate, however it is written."""
    if isinstance(value, RateLimit):
        return value.max, int(value.window)
    number, _, unit = value.partition("/")
    return Decimal(number), _SECONDS[unit]


def one_of(names: Mapping[str, object] | tuple[str, ...]) -> str:
    """A hint that lists what may stand here."""
    return "one of " + ", ".join(f"`{name}`" for name in names)


def keys(model: type[Strict]) -> dict[str, bool]:
    """The keys of a model as they are written, and whether they are required."""
    return {info.alias or name: info.is_required() for name, info in model.model_fields.items()}
