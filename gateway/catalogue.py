"""What the upstream announced: the mirrored tools, as the newest `tools/list` gave them.

Pages are taken as they pass to the client, and as the gateway fetches them itself. A walk that began without a cursor
and reached its last page replaces the whole list; until then its pages only add and update, so that no tool is
forgotten because a client stopped in the middle. Nothing here is trusted: a definition says what the upstream claims.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType

from gateway.jsonrpc import Json, canonical, serialise
from gateway.policy import Facts, InputSchema

_MAX_WALKS = 16

Definition = Mapping[str, Json]
_UNKNOWN = Facts(mirrored=False)


@dataclass(frozen=True, slots=True)
class _Walk:
    """The pages so far, and how many changes had been announced when the first of them was asked for."""

    tools: dict[str, Definition]
    as_of: int


def digest(announced: Definition | str) -> bytes:
    """What stands for all of a definition (or for a server's instructions): BLAKE2b (RFC 7693) of its canonical text.

    Every field counts, known or not; the order of keys does not.
    """
    return blake2b(canonical(announced if isinstance(announced, str) else dict(announced)), digest_size=32).digest()


class Catalogue:
    """The mirrored tools by name. `complete` says whether a whole list was ever seen.

    `changes` counts the announcements that the list has changed. A list that was asked for before one may be older
    than it, so that only one asked for afterwards ends being `stale`. `whole` is called whenever a whole list is there.
    """

    def __init__(self, whole: Callable[[], None] = lambda: None) -> None:
        self._whole = whole
        self.complete = False
        self.instructions = ""
        """What the server tells a model to do with all of this, where whoever fetched the list knows it."""
        self.changes = 0
        self._as_of = 0
        self._tools: dict[str, Definition] = {}
        self._walks: dict[str, _Walk] = {}
        self._facts: dict[str, tuple[Definition, Facts]] = {}
        self._digests: dict[str, tuple[Definition, bytes]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    def __len__(self) -> int:
        return len(self._tools)

    @property
    def stale(self) -> bool:
        """Whether the list has changed since the newest whole one was asked for."""
        return self._as_of < self.changes

    def changed(self) -> None:
        """The upstream announced that the list has changed."""
        self.changes += 1

    def names(self) -> Sequence[str]:
        """The names, in the upstream's order."""
        return tuple(self._tools)

    def definitions(self) -> Mapping[str, Definition]:
        """What the upstream announced, by name."""
        return MappingProxyType(self._tools)

    def definition(self, name: str) -> Definition | None:
        """What the upstream announced of one tool."""
        return self._tools.get(name)

    def digest(self, name: str) -> bytes | None:
        """The digest of a tool's definition, made once for each; None where there is no such tool."""
        definition = self._tools.get(name)
        if definition is None:
            return None
        kept = self._digests.get(name)
        if kept is None or kept[0] is not definition:
            kept = self._digests[name] = definition, digest(definition)
        return kept[1]

    def input_schema(self, name: str) -> Mapping[str, Json] | None:
        """The tool's input schema, as announced."""
        schema = self._tools.get(name, {}).get("inputSchema")
        return schema if isinstance(schema, dict) else None

    def required_arguments(self, name: str) -> tuple[str, ...]:
        """The arguments that the tool's input schema requires."""
        required = (self.input_schema(name) or {}).get("required")
        return tuple(item for item in required if isinstance(item, str)) if isinstance(required, list) else ()

    def facts(self, name: str) -> Facts:
        """What a decision may know of a tool. Made once for each definition, with all that is made of its schema."""
        definition = self._tools.get(name)
        if definition is None:
            return _UNKNOWN
        kept = self._facts.get(name)
        if kept is not None and kept[0] is not definition and serialise(kept[0]) == serialise(definition):
            kept = self._facts[name] = definition, kept[1]  # in Python `True == 1`: only the text tells them apart
        if kept is not None and kept[0] is definition:
            return kept[1]
        annotations = definition.get("annotations")
        facts = Facts(
            mirrored=True,
            required_arguments=self.required_arguments(name),
            schema=InputSchema(definition.get("inputSchema")),
            annotations=annotations if isinstance(annotations, dict) else {},
        )
        self._facts[name] = definition, facts
        return facts

    def page(self, cursor: str | None, result: Mapping[str, Json], *, as_of: int | None = None) -> None:
        """Take one page of `tools/list`: the cursor it was asked with (None: the first), and its result.

        `as_of` is what `changes` was when it was asked for; without it, the page counts as of now.
        """
        listed = result.get("tools")
        found: dict[str, Definition] = {
            str(tool["name"]): tool
            for tool in (listed if isinstance(listed, list) else ())
            if isinstance(tool, dict) and isinstance(tool.get("name"), str)
        }
        asked = self.changes if as_of is None else as_of
        walk = _Walk(found, asked) if cursor is None else self._continued(cursor, found)
        following = result.get("nextCursor")
        if isinstance(following, str):
            self._tools.update(found)
            if walk is not None:
                self._remember(following, walk)
        elif walk is None or walk.as_of < self._as_of:
            self._tools.update(found)
        else:
            self._tools, self.complete, self._as_of = walk.tools, True, walk.as_of
            self._facts = {name: kept for name, kept in self._facts.items() if name in self._tools}
            self._digests = {name: kept for name, kept in self._digests.items() if name in self._tools}
            self._whole()

    def _continued(self, cursor: str, found: dict[str, Definition]) -> _Walk | None:
        walk = self._walks.pop(cursor, None)
        return None if walk is None else _Walk(walk.tools | found, walk.as_of)

    def _remember(self, cursor: str, walk: _Walk) -> None:
        while len(self._walks) >= _MAX_WALKS:
            self._walks.pop(next(iter(self._walks)))
        self._walks[cursor] = walk
