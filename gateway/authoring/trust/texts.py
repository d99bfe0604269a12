"""Every text that a definition hands to a model, and where it stands.

Clients give a model the name, the title, the description and the whole input schema of a tool: names of arguments,
their descriptions, defaults, choices and examples. Other clients give it more. So every text counts, wherever it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gateway.jsonrpc import Json

Kind: TypeAlias = Literal["hidden text", "order", "another tool", "look-alike", "odd value"]
MOST_TEXTS: Final = 20_000
LONGEST: Final = 65_536
"""Characters of one text that are looked at; that there are more is a finding of its own."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and where: `place` is a path into the definition of `tool` (`inputSchema.properties.to`).

    `tool` is empty for the server's instructions. `excerpt` is the text as it stands: whoever shows it escapes it.
    """

    tool: str
    place: str
    kind: Kind
    message: str
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """One text, or (`is_key`) the name of a member."""

    place: str
    value: str
    is_key: bool = False

    @property
    def last(self) -> str:
        """The last step of the place that is a name."""
        return self.place.rpartition(".")[2].partition("[")[0]


def texts(definition: Mapping[str, Json]) -> Iterator[Text]:
    """The texts of a definition, in the order in which they stand; no more than `MOST_TEXTS`."""
    left = MOST_TEXTS
    waiting: list[tuple[str, Json]] = [("", dict(definition))]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            left -= 1
            yield Text(place, value)
        elif isinstance(value, list):
            waiting += [(f"{place}[{number}]", item) for number, item in reversed(list(enumerate(value)))]
        elif isinstance(value, dict):
            inner = [(f"{place}.{key}" if place else key, item) for key, item in value.items()]
            yield from (Text(path, key, is_key=True) for (path, _), key in zip(inner, value, strict=True))
            left -= len(inner)
            waiting += reversed(inner)
        if left < 0:
            return
