"""The tests of a policy, `tests.json`: sequences of requests, and what is to become of each.

The models here are the format's definition; sample_policies/README.md describes it for people. It is read as strictly
as a policy, and a mistake in it is reported like one: all of them at once, with pointer, line, column and a hint.

A suite is about a server, which the gateway has to know: `server` takes the tools of KeyID as this program knows them;
`catalogue` adds single tools, or changes or removes them. Where neither says anything of a tool, it exists, and its
schema requires nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final, Literal, TypeAlias, cast

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationError

from gateway.catalogue import Definition
from gateway.jsonrpc import Json
from gateway.keyid import known_tools
from gateway.policy.diagnosis import diagnose
from gateway.policy.document import Strict
from gateway.policy.fields import refuse
from gateway.policy.positions import Places, pointer
from gateway.policy.problem import Fault, PolicyError, Problem, quoted
from gateway.policy.source import read
from gateway.policy.values import NOUNS, kind

START: Final = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""A Monday: the start of a minute, an hour and an office day."""
MOST_TIMES: Final = 100_000
_LONGEST_SECONDS: Final = 10 * 366 * 86_400


# --- words with rules of their own ------------------------------------------------------------------------------------


def _number(value: object) -> Decimal:
    if kind(value) != "number":
        raise refuse(Fault(f"must be a number, not {NOUNS[kind(value)]}", "write digits without quotes"))
    return Decimal(cast("int | Decimal", value))


def _times(value: object) -> int:
    number = _number(value)
    if number != number.to_integral_value() or not 1 <= number <= MOST_TIMES:
        raise refuse(Fault("must be a whole number", f"1 to {MOST_TIMES}"))
    return int(number)


def _advance(value: object) -> float:
    number = _number(value)
    if not 0 <= number <= _LONGEST_SECONDS:
        raise refuse(Fault("must be seconds from now on", "0 to ten years; time does not go back here"))
    return float(number)


def _moment(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 2000 <= found.year <= 2100:
        raise refuse(Fault("must be a moment with its offset", "write it like `2026-01-05T09:00:00Z`"))
    return found


def _named(name: str) -> str:
    if not name:
        raise refuse(Fault("must not be empty", "say what is to be shown"))
    return name


def _kind_of_tool(value: object) -> str:
    if isinstance(value, dict):
        return "(object)"
    return "(list)" if isinstance(value, list) else "(none)" if value is None else "(other)"


def _no_tool(value: object) -> None:
    raise refuse(
        Fault(
            f"must be a list, an object or null, not {NOUNS[kind(value)]}",
            'a list of required arguments, `{"inputSchema": …, "annotations": …}`, or null: there is no such tool',
        )
    )


# --- the shapes -------------------------------------------------------------------------------------------------------


class Call(Strict):
    """A call of a tool."""

    tool: str
    arguments: Mapping[str, object] = {}


class Request(Strict):
    """Any other request, such as `resources/read`."""

    method: Annotated[str, AfterValidator(_named)]
    params: Mapping[str, object] = {}


class Expectation(Strict):
    """What is to become of a request. What is left out is not looked at."""

    effect: Literal["allow", "deny", "approve", "observe"]
    rule: str = ""
    reason: str = ""
    message: str = ""
    retry_after_seconds: Annotated[int, BeforeValidator(_times)] = 0


class Step(Strict):
    """One request, or the same one several times, and what is to become of each of them.

    `vary` names an argument that is another one each time: its text is followed by the number of the request.
    """

    call: Call = Field(default=None)  # type: ignore[assignment] # given or not, never null
    request: Request = Field(default=None)  # type: ignore[assignment] # as above
    expect: Expectation
    times: Annotated[int, BeforeValidator(_times)] = 1
    vary: Annotated[str, AfterValidator(_named)] = ""
    advance: Annotated[float, BeforeValidator(_advance)] = 0.0
    session: str = "session"
    grant: str = "grant"
    client: str = "client"
    outcome: Literal["ok", "not sent"] = "ok"


class Case(Strict):
    """One test: steps, one after the other, from empty counters and a clock that only they move."""

    name: Annotated[str, AfterValidator(_named)]
    start: Annotated[datetime, BeforeValidator(_moment)] = START
    steps: tuple[Step, ...] = Field(strict=False)


class Tool(Strict):
    """What the server announces of a tool."""

    input_schema: Mapping[str, object] = Field(default={"type": "object"}, alias="inputSchema")
    annotations: Mapping[str, object] = {}


Announced: TypeAlias = Annotated[
    Annotated[Tool, Tag("(object)")]
    | Annotated[Annotated[tuple[str, ...], Field(strict=False)], Tag("(list)")]
    | Annotated[None, Tag("(none)")]
    | Annotated[None, BeforeValidator(_no_tool), Tag("(other)")],
    Discriminator(_kind_of_tool),
]


class Suite(Strict):
    """The whole file."""

    schema_reference: str = Field(default="", alias="$schema")
    version: Literal["1"]
    description: str = ""
    server: Literal["any", "keyid"] = "any"
    catalogue: Mapping[str, Announced] = {}
    tests: tuple[Case, ...] = Field(strict=False)


@dataclass(frozen=True, slots=True)
class Tests:
    """A suite that was read, and where everything of it stands."""

    name: str
    suite: Suite
    places: Places


def read_tests(data: bytes, *, name: str) -> Tests:
    """The tests that a file says. Raises `PolicyError` with everything that is wrong with it."""
    source = read(data, name)
    if isinstance(source, Problem):
        raise PolicyError(name, (source,), what="file of tests")
    places = source.places()
    problems = list(source.problems)
    suite: Suite | None = None
    try:
        suite = Suite.model_validate(source.value)
    except ValidationError as error:
        problems += diagnose(error, source.value, places, Suite)
    if suite is not None:
        problems += [Problem(where, *places.value(where), message, hint) for where, message, hint in _faults(suite)]
    if suite is None or problems:
        ordered = sorted(set(problems), key=lambda found: (found.line, found.column, found.message))
        raise PolicyError(name, tuple(ordered), what="file of tests")
    return Tests(name, suite, places)


def _faults(suite: Suite) -> list[tuple[str, str, str]]:
    """What is wrong between the parts of a suite."""
    found = []
    names: dict[str, str] = {}
    for index, case in enumerate(suite.tests):
        where = pointer("tests", index)
        if case.name in names:
            message = f"the test {quoted(case.name)} is named like that of {quoted(names[case.name])}"
            found.append((f"{where}/name", message, "give every test a name of its own"))
        names.setdefault(case.name, where)
        if not case.steps:
            found.append((f"{where}/steps", "the test has no steps", "a step is a `call` and what to `expect` of it"))
        for number, step in enumerate(case.steps):
            given = {"call", "request"} & step.model_fields_set
            if len(given) != 1:
                words = "both `call` and `request`" if given else "neither `call` nor `request`"
                hint = "write one of them: `call` for a tool, `request` for any other method"
                found.append((f"{where}/steps/{number}", f"the step has {words}", hint))
            elif "request" in given and step.vary:
                found.append((f"{where}/steps/{number}/vary", "only a `call` has arguments to vary", "take it out"))
            elif "request" in given and step.request.method == "tools/call":
                hint = 'write `"call": {"tool": …, "arguments": …}`'
                found.append((f"{where}/steps/{number}/request/method", "a tool is called with `call`", hint))
    return found


def announced(suite: Suite) -> dict[str, Definition]:
    """The tools that exist in these tests, as a server would announce them."""
    tools: dict[str, Definition] = {}
    if suite.server == "keyid":
        for name, known in known_tools().items():
            tools[name] = _definition(name, known.input_schema, known.annotations)
    else:
        for step in (step for case in suite.tests for step in case.steps if "call" in step.model_fields_set):
            tools[step.call.tool] = _definition(step.call.tool, {"type": "object"}, {})
    for name, said in suite.catalogue.items():
        if said is None:
            tools.pop(name, None)
        elif isinstance(said, Tool):
            tools[name] = _definition(name, said.input_schema, said.annotations)
        else:
            tools[name] = _definition(name, {"type": "object", "required": list(said)}, {})
    return tools


def _definition(name: str, schema: Mapping[str, object], annotations: Mapping[str, object]) -> Definition:
    given: dict[str, object] = {"name": name, "inputSchema": dict(schema)}
    return cast("dict[str, Json]", given | ({"annotations": dict(annotations)} if annotations else {}))
