"""`load`: the bytes of a document become a `Policy`, or everything that is wrong with them, at once.

The stages see as much as they can: what is wrong with the text (doubled keys), with the shape (`document.py`), and
between its parts (a counter named twice). Only when none of them has anything to say is the policy compiled.
"""

from collections.abc import Iterator
from typing import cast

from pydantic import ValidationError

from gateway.jsonrpc import Json
from gateway.policy.compiled import Policy
from gateway.policy.compiler import compile_document
from gateway.policy.diagnosis import diagnose
from gateway.policy.document import Document
from gateway.policy.positions import pointer
from gateway.policy.problem import Fault, PolicyError, Problem, quoted
from gateway.policy.source import Source, read


def load(data: bytes, *, name: str) -> Policy:
    """The policy that a document says. Raises `PolicyError` with everything that is wrong with it."""
    source = read(data, name)
    if isinstance(source, Problem):
        raise PolicyError(name, (source,))
    document = _validate(source, name)
    return compile_document(document, source, name=name, warnings=tuple(_warnings(document, source)))


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
    for where, key, limit in _raw_limits(value):
        identity = _identity(key, limit)
        if identity is None:
            continue
        if identity in first:
            message = f"the counter {quoted(identity[1])} is the same as that of {quoted(first[identity])}"
            faults.append((where, Fault(message, "give every limit a counter, a window or a scope of its own")))
        else:
            first[identity] = where
    return faults


def _identity(key: str, limit: Json) -> tuple[str, ...] | None:
    if not isinstance(limit, dict):
        return None
    parts = (limit.get("counter"), limit.get("window"), limit.get("scope"))
    return (key, *cast("tuple[str, ...]", parts)) if all(isinstance(part, str) for part in parts) else None


def _raw_limits(value: Json) -> Iterator[tuple[str, str, Json]]:
    document = value if isinstance(value, dict) else {}
    tools = document.get("tools")
    entries = [(("tools", key), entry) for key, entry in tools.items()] if isinstance(tools, dict) else []
    for steps, entry in (*entries, (("all_tools",), document.get("all_tools"))):
        limits = entry.get("limits") if isinstance(entry, dict) else None
        for index, limit in enumerate(limits if isinstance(limits, list) else ()):
            yield pointer(*steps, "limits", index), steps[-1], limit


def _warnings(document: Document, source: Source) -> Iterator[Problem]:
    if document.default == "deny" and document.hide and not document.tools:
        message = "nothing is permitted: `default` is `deny` and `tools` names nothing"
        hint = "name the tools that may be called under `tools`, or set `default` to `allow`"
        yield Problem("/default", *source.places().value("/default"), message, hint)
