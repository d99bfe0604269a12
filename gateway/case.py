"""One judged request on its way, on whose behalf it is judged, and what judging asks of the other rooms."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, Self, TypeAlias

from gateway.jsonrpc import Message
from gateway.policies import NoPolicy
from gateway.policy import Facts, Policy, ToolCall
from gateway.state import State
from gateway.upstream import Answer, Still

CaseKind: TypeAlias = Literal["call", "self-test"]
Forward: TypeAlias = Callable[[bytes, Still], Awaitable[Answer]]
"""Sends the judged bytes to the upstream; asks before it sends them once more."""


@dataclass(frozen=True, slots=True)
class Identity:
    """On whose behalf this process judges: the grant, this session, and the upstream's URL without its query."""

    grant: str
    session: str
    server: str


@dataclass(frozen=True, slots=True)
class Client:
    """What the client says of itself. Recorded, never trusted."""

    name: str = ""
    version: str = ""


class Surroundings(Protocol):
    """What the interceptor asks of the others. What can take time comes first; then everything is there at once."""

    async def prepare(self) -> Policy | NoPolicy:
        """See to it that a policy is in force, and give it."""
        ...

    async def look_up(self, tool: str, request: Message) -> Answer | None:
        """See to it that what is known of a tool is current. What the upstream answered instead, if it is not."""
        ...

    def ready(self, tool: str) -> State | None:
        """The state, if `prepare` and `look_up` of this tool have nothing to do or to wait for, as nearly always."""
        ...

    async def state(self) -> State: ...

    def in_force(self) -> Policy | NoPolicy: ...

    def facts(self, tool: str) -> Facts: ...

    def definition(self, tool: str) -> str:
        """What stands for a tool as it is announced now, hexadecimal."""
        ...


class Case(NamedTuple):
    """One request on its way: what is judged, the bytes that stand for it, when it came (monotonic). Made by `of`."""

    id: str
    request: Message
    body: bytes
    client: Client
    started: float
    kind: CaseKind
    """Whose it is: the client's, or that of the gateway, which tries whether it refuses what it is to (`proving`)."""

    call: ToolCall | None
    """The tool call, or None for another method."""

    @classmethod
    def of(
        cls, identifier: str, request: Message, body: bytes, client: Client, started: float, *, kind: CaseKind = "call"
    ) -> Self:
        """A request with the call that it makes, if it is one."""
        call = None
        if request.method == "tools/call":
            name, arguments = request.params.get("name"), request.params.get("arguments")
            call = ToolCall(name if isinstance(name, str) else "", arguments if isinstance(arguments, dict) else {})
        return cls(identifier, request, body, client, started, kind, call)
