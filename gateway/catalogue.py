"""What the upstream announced: the mirrored tools, as the newest `tools/list` gave them.

Pages are taken as they pass to the client, and as the gateway fetches them itself. A walk that began without a cursor
and reached its last page replaces the whole list; until then its pages only add and update, so that no tool is
forgotten because a client stopped in the middle. Nothing here is trusted: a definition says what the upstream claims.
"""

from collections.abc import Mapping, Sequence

from gateway.jsonrpc import Json

_MAX_WALKS = 16

Definition = Mapping[str, Json]


class Catalogue:
    """The mirrored tools by name. `complete` says whether a whole list was ever seen, `stale` that it has changed."""

    def __init__(self) -> None:
        self.complete = False
        self.stale = False
        self._tools: dict[str, Definition] = {}
        self._walks: dict[str, dict[str, Definition]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    def __len__(self) -> int:
        return len(self._tools)

    def names(self) -> Sequence[str]:
        """The names, in the upstream's order."""
        return tuple(self._tools)

    def definition(self, name: str) -> Definition | None:
        """What the upstream announced of one tool."""
        return self._tools.get(name)

    def input_schema(self, name: str) -> Mapping[str, Json] | None:
        """The tool's input schema, as announced."""
        schema = self._tools.get(name, {}).get("inputSchema")
        return schema if isinstance(schema, dict) else None

    def required_arguments(self, name: str) -> tuple[str, ...]:
        """The arguments that the tool's input schema requires."""
        required = (self.input_schema(name) or {}).get("required")
        return tuple(item for item in required if isinstance(item, str)) if isinstance(required, list) else ()

    def page(self, cursor: str | None, result: Mapping[str, Json]) -> None:
        """Take one page of `tools/list`: the cursor it was asked with (None: the first), and its result."""
        listed = result.get("tools")
        found: dict[str, Definition] = {
            str(tool["name"]): tool
            for tool in (listed if isinstance(listed, list) else ())
            if isinstance(tool, dict) and isinstance(tool.get("name"), str)
        }
        walk = found if cursor is None else self._continued(cursor, found)
        following = result.get("nextCursor")
        if isinstance(following, str):
            self._tools.update(found)
            if walk is not None:
                self._remember(following, walk)
        elif walk is not None:
            self._tools, self.complete, self.stale = walk, True, False
        else:
            self._tools.update(found)

    def _continued(self, cursor: str, found: dict[str, Definition]) -> dict[str, Definition] | None:
        walk = self._walks.pop(cursor, None)
        return None if walk is None else walk | found

    def _remember(self, cursor: str, walk: dict[str, Definition]) -> None:
        while len(self._walks) >= _MAX_WALKS:
            self._walks.pop(next(iter(self._walks)))
        self._walks[cursor] = walk
