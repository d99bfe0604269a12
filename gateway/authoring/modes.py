"""The same policy in its other modes: tried out, or enforced. What one of them said of a call tells of the others.

Which policy judged a call is known by its revision alone, a digest of what the document says. So the policy that was
tried out need not be at hand to be recognised: the one that enforces the same rules says what it was.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from gateway.jsonrpc import Json, serialise
from gateway.policy import Policy, PolicyError, load
from gateway.policy.compiler import revision
from gateway.policy.problem import Problem
from gateway.policy.source import read

_MOST: Final = 256


class Modes:
    """The document of a policy with any `mode` at its top, or those of its entries gone, or one of them observed."""

    def __init__(self, policy: Policy) -> None:
        source = read(policy.text.encode("utf-8", "surrogatepass"), policy.name)
        value = {} if isinstance(source, Problem) or not isinstance(source.value, dict) else source.value
        self._documents = {revision(found): found for found in islice(_documents(value), _MOST)}
        self._loaded: dict[str, Policy | None] = {policy.revision: policy}

    def of(self, wanted: str) -> Policy | None:
        """The one of this revision, if it is one of them and a policy."""
        if wanted not in self._loaded and wanted in self._documents:
            self._loaded[wanted] = _policy(self._documents[wanted])
        return self._loaded.get(wanted)


def _policy(document: Json) -> Policy | None:
    try:
        return load(serialise(document), name="the same in another mode")
    except PolicyError:
        return None


def _documents(document: Mapping[str, Json]) -> Iterator[Json]:
    for found in (document, _with(document, "")):
        bare = {key: value for key, value in found.items() if key != "mode"}
        yield from (bare, {**bare, "mode": "observe"}, {**bare, "mode": "enforce"})
    tools = document.get("tools")
    for key in ("all_tools", *(tools if isinstance(tools, dict) else ())):
        yield _with(document, key)


def _with(document: Mapping[str, Json], observed: str) -> dict[str, Json]:
    """The document in which no entry has a mode, but for the one that is observed."""
    tools = document.get("tools")
    found = dict(document)
    if isinstance(tools, dict):
        found["tools"] = {key: _entry(entry, observe=key == observed) for key, entry in tools.items()}
    if "all_tools" in document:
        found["all_tools"] = _entry(document["all_tools"], observe=observed == "all_tools")
    return found


def _entry(entry: Json, *, observe: bool) -> Json:
    if not isinstance(entry, dict):
        return entry
    bare = {key: value for key, value in entry.items() if key != "mode"}
    return {**bare, "mode": "observe"} if observe else bare
