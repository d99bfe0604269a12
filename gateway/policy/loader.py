"""`load`: the bytes of a document become a `Policy`, or everything that is wrong with them, at once.

The stages see as much as they can: what is wrong with the text (doubled keys), with the shape (`document.py`), and
between its parts (a counter named twice). Only when none of them has anything to say is the policy compiled.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import cast

from pydantic import ValidationError

from gateway.jsonrpc import Json
from gateway.policy.compiled import Policy
from gateway.policy.compiler import compile_document, strategy, window_words
from gateway.policy.decision import Layer, Strategy
from gateway.policy.diagnosis import diagnose
from gateway.policy.document import Document
from gateway.policy.fields import LONGEST_WINDOW
from gateway.policy.positions import pointer
from gateway.policy.problem import Fault, PolicyError, Problem, quoted
from gateway.policy.source import Source, read


def load(data: bytes, *, name: str, layer: Layer = "user") -> Policy:
    """The policy that a document says. Raises `PolicyError` with everything that is wrong with it."""
    source = read(data, name)
    if isinstance(source, Problem):
        raise PolicyError(name, (source,))
    document = _validate(source, name)
    warnings = tuple(_warnings(document, source))
    return compile_document(document, source, name=name, layer=layer, warnings=warnings)


def _validate(source: Source, name: str) -> Document:
    problems = list(source.problems)
    document: Document | None = None
    try:
        document = Document.model_validate(source.value)
    except ValidationError as error:
        problems += diagnose(error, source.value, source.places())
    problems += _placed(source, _doubled_counters(source.value))
    if document is None or problems:
        raise PolicyError(name, tuple(sorted(set(problems), key=_place)))
    return document


def _place(problem: Problem) -> tuple[int, int, str, str]:
    return problem.line, problem.column, problem.pointer, problem.message


def _placed(source: Source, faults: list[tuple[str, Fault]]) -> Iterator[Problem]:
    if not faults:
        return
    places = source.places()
    for where, fault in faults:
        yield Problem(where, *places.value(where), fault.message, fault.hint)


def _doubled_counters(value: Json) -> list[tuple[str, Fault]]:
    """Limits with the same counter identity; looked for in the raw value, so that other mistakes do not hide them."""
    first: dict[tuple[str, ...], str] = {}
    faults = []
    for where, identity in _identities(value):
        if identity in first:
            message = f"the counter {quoted(identity[1])} is the same as that of {quoted(first[identity])}"
            faults.append((where, Fault(message, "give every limit a counter, a window or a scope of its own")))
        else:
            first[identity] = where
    return faults


def _identities(value: Json) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Where each limit stands, and what names its counter."""
    for steps, entry in _raw_entries(value):
        for index, limit in enumerate(_list(entry.get("limits"))):
            identity = _identity(steps[-1], limit)
            if identity is not None:
                yield pointer(*steps, "limits", index), identity
        if "rate_limit" in entry:
            yield from _rate_identity(steps, ("rate_limit",), entry["rate_limit"])
        for index, rule in enumerate(_list(entry.get("rules"))):
            if isinstance(rule, dict) and "rate_limit" in rule:
                yield from _rate_identity(steps, ("rules", index, "rate_limit"), rule["rate_limit"])


def _identity(key: str, limit: Json) -> tuple[str, ...] | None:
    """(key, counter, window, scope, strategy, whether it counts values apart); None for what is no limit."""
    if not isinstance(limit, dict):
        return None
    counter, window, scope, given = (limit.get(name) for name in ("counter", "window", "scope", "strategy"))
    if not isinstance(counter, str) or not isinstance(scope, str) or isinstance(window, bool):
        return None
    if isinstance(window, Decimal):
        window = int(window) if window.is_finite() and abs(window) <= LONGEST_WINDOW else None
    if not isinstance(window, str | int):
        return None
    kind = strategy(window, cast(Strategy, given) if isinstance(given, str) else None)
    return key, counter, window_words(window), scope, kind, str("per" in limit)


def _rate_identity(
    steps: tuple[str, ...], inner: tuple[str | int, ...], value: Json
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The limit that a rate stands for is named after its place."""
    counter, window = "/".join(map(str, inner)), value.get("window") if isinstance(value, dict) else None
    if isinstance(value, str):
        window = value.partition("/")[2]
    limit: Json = {"counter": counter, "window": window, "scope": "session", "strategy": "sliding"}
    identity = _identity(steps[-1], limit)
    if identity is not None:
        yield pointer(*steps, *inner), identity


def _raw_entries(value: Json) -> Iterator[tuple[tuple[str, ...], Mapping[str, Json]]]:
    document = value if isinstance(value, dict) else {}
    tools = document.get("tools")
    entries = [(("tools", key), entry) for key, entry in tools.items()] if isinstance(tools, dict) else []
    for steps, entry in (*entries, (("all_tools",), document.get("all_tools"))):
        if isinstance(entry, dict):
            yield steps, entry


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _warnings(document: Document, source: Source) -> Iterator[Problem]:
    if document.default == "deny" and document.hide and not document.tools:
        message = "nothing is permitted: `default` is `deny` and `tools` names nothing"
        hint = "name the tools that may be called under `tools`, or set `default` to `allow`"
        yield Problem("/default", *source.places().value("/default"), message, hint)
