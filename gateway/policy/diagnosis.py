"""From pydantic's errors to problems a person can act on: the place in the text, our words, a hint.

Which keys are known where is read off the models, so a new field needs no line here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.errors import meant
from gateway.jsonrpc import Json
from gateway.policy.document import Document, Strict, keys
from gateway.policy.fields import FAULT, one_of
from gateway.policy.positions import Places, pointer
from gateway.policy.problem import Fault, Problem, quoted
from gateway.policy.values import NOUNS, kind

_KEY = "[key]"
_BRANCHES = frozenset({"(object)", "(text)", "(list)", "(other)"})
_WANTED: Mapping[str, tuple[str, str]] = {
    "model_type": ("an object", "write `{ … }`"),
    "mapping_type": ("an object", "write `{ … }`"),
    "dict_type": ("an object", "write `{ … }`"),
    "tuple_type": ("a list", "write `[ … ]`"),
    "string_type": ("a string", "write it in double quotes"),
    "bool_type": ("a boolean", "write `true` or `false`"),
}


@dataclass(frozen=True, slots=True)
class _Place:
    """Internal: where an error is. `value` is what stands there; `at_key`: the key is meant, not the value."""

    steps: tuple[str | int, ...]
    value: Json
    at_key: bool = False


def diagnose(error: ValidationError, value: Json, places: Places, shape: type[Strict] = Document) -> Iterator[Problem]:
    """The problems of a document that is not of the right shape."""
    for details in error.errors(include_url=False):
        place = _place(details, value)
        fault = _fault(details, place, shape)
        where = pointer(*place.steps)
        yield Problem(where, *(places.key(where) if place.at_key else places.value(where)), fault.message, fault.hint)


def _place(details: ErrorDetails, value: Json) -> _Place:
    """The steps that lead through the document: without pydantic's names for branches, keys and missing members."""
    location = details["loc"]
    at_key = details["type"] == "extra_forbidden"
    if details["type"] == FAULT and location[-1:] == (_KEY,):
        location, at_key = location[:-1], True
    steps: list[str | int] = []
    current = value
    for step in location:
        if isinstance(current, list) and isinstance(step, int) and step < len(current):
            current = current[step]
        elif isinstance(current, dict) and step in current:
            current = current[str(step)]
        elif step in _BRANCHES or details["type"] == "missing":
            continue
        steps.append(step)
    return _Place(tuple(steps), current, at_key)


def _fault(details: ErrorDetails, place: _Place, shape: type[Strict]) -> Fault:
    error, context = details["type"], details.get("ctx", {})
    if error == FAULT:
        return Fault(str(context["message"]), str(context["hint"]))
    if error == "missing":
        return _missing(str(details["loc"][-1]), place, shape)
    if error == "extra_forbidden":
        return _unknown(str(place.steps[-1]), _model(place.steps[:-1], shape))
    if error == "literal_error":
        return _not_one_of(place, shape)
    wanted, hint = _WANTED.get(error, ("of another form", "see the reference of the policy language"))
    if place.steps and place.steps[-1] == "rate_limit":
        hint = 'write `"30/hour"` or `{ "max": 30, "window": 3600 }`'
    return Fault(f"must be {wanted}, not {NOUNS[kind(place.value)]}", hint)


def _missing(name: str, place: _Place, shape: type[Strict]) -> Fault:
    required = [key for key, needed in keys(_model(place.steps, shape)).items() if needed]
    return Fault(f"{quoted(name)} is missing", "required here: " + ", ".join(f"`{key}`" for key in required))


def _unknown(name: str, model: type[Strict]) -> Fault:
    known = tuple(keys(model))
    close = meant(name.lower(), known)
    hint = f"did you mean `{close}`?" if close else "known here: " + ", ".join(f"`{key}`" for key in keys(model))
    return Fault(f"unknown key {quoted(name)}", hint)


def _not_one_of(place: _Place, shape: type[Strict]) -> Fault:
    field = str(place.steps[-1])
    # a number in back-ticks alone would be read as one
    choices = tuple(
        f'"{choice}"' if choice.isdecimal() else choice for choice in get_args(_annotation(place.steps, shape))
    )
    if not isinstance(place.value, str):
        return Fault(f"must be a string, not {NOUNS[kind(place.value)]}", one_of(choices))
    article = "an" if field[0] in "aeiou" else "a"
    return Fault(f"{quoted(place.value)} is not {article} {field}", one_of(choices))


# --- walking the models -----------------------------------------------------------------------------------------------


def _model(steps: tuple[str | int, ...], shape: type[Strict]) -> type[Strict]:
    """The model that describes the object at these steps."""
    return next(_models(_annotation(steps, shape)), shape)


def _annotation(steps: tuple[str | int, ...], shape: type[Strict]) -> object:
    """The annotation of what stands at these steps."""
    current: object = shape
    for step in steps:
        model = next(_models(current), None) if not _is_container(current) else None
        current = _member(model, step) if model is not None else get_args(current)[-1 if isinstance(step, str) else 0]
    return current


def _is_container(annotation: object) -> bool:
    return getattr(annotation, "__origin__", None) in (tuple, Mapping)


def _member(model: type[Strict], step: str | int) -> object:
    for name, info in model.model_fields.items():
        if step == (info.alias or name):
            return info.annotation
    return None


def _models(annotation: object) -> Iterator[type[Strict]]:
    """The models inside an annotation: itself, or the branches of a union."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
