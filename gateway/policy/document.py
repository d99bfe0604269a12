"""The shape of a policy document, version "1": this and nothing else says what may be written.

Validation, the words of its mistakes, the JSON Schema and the reference derive from these models. Strict: no key that
is not here, no type that is nearly right: nothing is accepted that is not enforced (bypass class B33).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from gateway.jsonrpc import Json
from gateway.policy import fields, operators
from gateway.policy.problem import Fault, quoted

_NOT_WRITTEN: Any = None
"""The default of what is only looked at where it was written (`model_fields_set`); nothing else can be null."""


class Strict(BaseModel):
    """What all models share."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _is_text(value: object) -> str:
    return "(text)" if isinstance(value, str) else "(object)"


class Condition(Strict):
    """One condition. `op` stands before `value` here because it says what `value` may be."""

    path: fields.PathText
    op: fields.OperatorName
    value: fields.Operand

    @field_validator("op")
    @classmethod
    def _op(cls, op: str) -> str:
        if op not in operators.OPERATORS:
            meant = operators.meant(op)
            hint = fields.one_of(operators.OPERATORS)
            raise fields.refuse(
                Fault(f"{quoted(op)} is not an operator", f"did you mean `{meant}`?" if meant else hint)
            )
        return op

    @field_validator("value")
    @classmethod
    def _value(cls, value: object, info: ValidationInfo) -> object:
        op = info.data.get("op")
        fault = operators.fault(op, cast(Json, value)) if isinstance(op, str) else None
        if fault is not None:
            raise fields.refuse(fault)
        return value


class Predicate(Strict):
    """Conditions, ANDed; an empty list always holds."""

    conditions: tuple[Condition, ...] = Field(strict=False)
    on_deny: str = ""


class Limit(Strict):
    """A counter and its bound in a window. `window` stands before `scope` and `strategy`: it says what they may be."""

    counter: str
    window: fields.Window
    max: fields.Maximum
    scope: Literal["grant", "session", "server"]
    strategy: Literal["fixed", "sliding"] = "fixed"
    increment_from: fields.OneArgumentPath = Field(default=_NOT_WRITTEN)
    per: fields.ArgumentPath = Field(default=_NOT_WRITTEN)
    on_deny: str = ""

    @field_validator("scope")
    @classmethod
    def _scope(cls, scope: str, info: ValidationInfo) -> str:
        if info.data.get("window") == "session" and scope != "session":
            hint = "write `scope`: `session`; what outlives a session needs a window that ends"
            raise fields.refuse(Fault("the window `session` counts for one session only", hint))
        return scope

    @field_validator("strategy")
    @classmethod
    def _strategy(cls, strategy: str, info: ValidationInfo) -> str:
        if info.data.get("window") == "session":
            raise fields.refuse(Fault("the window `session` never resets, so it has no strategy", "take it out"))
        return strategy


class RateLimit(Strict):
    """At most `max` calls in any span of `window` seconds, in this session."""

    max: fields.Maximum
    window: fields.Seconds


class Repeat(Strict):
    """The same tool with the same arguments at most `max` times in any span of `window` seconds, in this session."""

    max: fields.Times
    window: fields.Seconds


class Remember(Strict):
    """Later calls with the same values at `paths` are covered by an approval for so many seconds."""

    paths: tuple[fields.ArgumentPath, ...] = Field(strict=False)
    seconds: fields.Seconds

    @field_validator("paths")
    @classmethod
    def _paths(cls, paths: tuple[object, ...]) -> tuple[object, ...]:
        if not paths:
            hint = "name the arguments whose values must be the same, like `args.to`"
            raise fields.refuse(Fault("an approval of one call would cover every call", hint))
        return paths


class ApproveIf(Strict):
    """Conditions, ANDed, under which a person must approve; an empty list always holds."""

    conditions: tuple[Condition, ...] = Field(strict=False)
    reason: str = ""
    timeout: fields.Seconds = Decimal(fields.TIMEOUT)
    remember: Remember = Field(default=_NOT_WRITTEN)


class Validation(Strict):
    """What the arguments must be by the tool's own schema."""

    required_args: bool = False
    against_schema: bool = Field(default=False, alias="schema")


Rate: TypeAlias = Annotated[
    Annotated[RateLimit, Tag("(object)")]
    | Annotated[fields.RateText, Tag("(text)")]
    | Annotated[SkipJsonSchema[None], Tag("(none)")],
    Discriminator(_is_text),
]


class Rule(Strict):
    """A restriction, written as an element of `rules`. What its `conditions` are depends on its `action`."""

    name: str = ""
    action: fields.Action = "allow"
    reason: str = ""
    rate_limit: Rate = None
    validation: Validation = Field(default=Validation(), alias="validate")
    conditions: tuple[Condition, ...] = Field(default=(), strict=False)
    on_deny: str = ""


class ToolEntry(Strict):
    """What restricts one tool. Empty: nothing does."""

    require: tuple[Predicate, ...] = Field(default=(), strict=False)
    deny_if: tuple[Predicate, ...] = Field(default=(), strict=False)
    approve_if: tuple[ApproveIf, ...] = Field(default=(), strict=False)
    limits: tuple[Limit, ...] = Field(default=(), strict=False)
    action: fields.Action = "allow"
    reason: str = ""
    rate_limit: Rate = None
    validation: Validation = Field(default=Validation(), alias="validate")
    rules: tuple[Rule, ...] = Field(default=(), strict=False)
    repeat: Repeat = Field(default=_NOT_WRITTEN)
    mode: fields.Mode = "enforce"


class Section(Strict):
    """Which of many are permitted: none that `deny` matches, all that `allow` matches, the others by `default`."""

    default: fields.Default
    allow: tuple[fields.Pattern, ...] = Field(default=(), strict=False)
    deny: tuple[fields.Pattern, ...] = Field(default=(), strict=False)


class Document(Strict):
    """A policy document."""

    schema_reference: str = Field(default="", alias="$schema")
    version: Literal["1"]
    description: str = ""
    default: fields.Default
    mode: fields.Mode = "enforce"
    hide: tuple[str, ...] = Field(default=(), strict=False)
    all_tools: ToolEntry = ToolEntry()
    tools: Mapping[fields.ToolName, ToolEntry] = Field(default_factory=dict)
    methods: Section = Field(default=_NOT_WRITTEN)
    resources: Section = Field(default=_NOT_WRITTEN)
    prompts: Section = Field(default=_NOT_WRITTEN)
    timezone: fields.ZoneName = "UTC"


# --- reading the models -----------------------------------------------------------------------------------------------


def rate(value: RateLimit | str) -> tuple[Decimal, int]:
    """Maximum and seconds of a rate, however it is written."""
    if isinstance(value, RateLimit):
        return value.max, int(value.window)
    number, _, unit = value.partition("/")
    return Decimal(number), fields.SECONDS[unit]


def keys(model: type[Strict]) -> dict[str, bool]:
    """The keys of a model as they are written, and whether they are required."""
    return {info.alias or name: info.is_required() for name, info in model.model_fields.items()}
