"""What a tool of the stand-in is handed, and what it hands back."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mcp_types import InputRequest, LoggingLevel

from gateway.standin.identity import Identity

Structured = dict[str, object]
"""What becomes `structuredContent`: always a JSON object."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one call, which fit the tool's input schema already: reading one only narrows its type."""

    raw: Mapping[str, object]

    def text(self, name: str) -> str:
        """A required text."""
        return str(self.raw[name])

    def maybe(self, name: str) -> str | None:
        """A text that may be absent."""
        return None if self.raw.get(name) is None else str(self.raw[name])

    def integer(self, name: str, default: int) -> int:
        """A whole number."""
        value = self.raw.get(name)
        return int(value) if isinstance(value, int | float) else default

    def number(self, name: str, default: float) -> float:
        """A number."""
        value = self.raw.get(name)
        return float(value) if isinstance(value, int | float) else default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A truth value."""
        value = self.raw.get(name)
        return value if isinstance(value, bool) else default

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.raw.get(name)
        return tuple(map(str, value)) if isinstance(value, list) else ()

    def mapping(self, name: str) -> Mapping[str, object]:
        """An object; empty if absent."""
        value = self.raw.get(name)
        return value if isinstance(value, Mapping) else {}


class Live(Protocol):
    """What a tool can do beside the identity while its call is running: everything that involves the client."""

    async def progress(self, done: float, total: float | None, message: str) -> None:
        """Report progress, if the client asked for it."""
        ...

    async def log(self, level: LoggingLevel, data: object) -> None:
        """Send a log message, if the client wants that level."""
        ...

    async def ask(self, request: InputRequest) -> Structured:
        """The client's answer to sampling, elicitation or roots. Raises `ToolFailure` if it cannot or will not."""
        ...

    async def arrival(self, seconds: float) -> None:
        """Wait until the inbox changes, at most `seconds`."""
        ...

    async def show_extra(self, *, present: bool) -> None:
        """Announce `standin_extra`, or take it back."""
        ...

    async def pull_rug(self) -> None:
        """Change what `get_metrics` says of itself."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool."""

    identity: Identity
    given: Arguments
    live: Live


Tool = Callable[[Call], Structured | Awaitable[Structured]]


def paged(call: Call, key: str, items: Iterable[Structured]) -> Structured:
    """The page of `items` that the arguments `page` (from 1) and `limit` (20) name, and how many there are in all."""
    everything = list(items)
    page, limit = call.given.integer("page", 1), call.given.integer("limit", 20)
    first = (page - 1) * limit
    return {key: everything[first : first + limit], "page": page, "total": len(everything)}
