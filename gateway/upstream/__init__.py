"""The server's side: one MCP server over streamable HTTP.

    headers     what a request carries beside its body
    sse         server-sent events
    streams     the messages of a stream; one that ended before its answer
    origin      where requests go, and how far a redirect may lead
    failures    why there is no answer, in words
    connection  one HTTP/1.1 connection
    wire        the connections to one origin
    patience    how long one exchange may take
    http        one POST and its answer, one GET stream; what went wrong and whether the request may have run
    admission   the same with credentials that may have to be renewed: once more, where nobody was let in
    own_stream  what a server of a handshake era says of its own accord: the GET stream
    session     the handshake eras: session id, re-initialisation after a 404, DELETE at the end

`Answer` says what became of one request. `Fate` is what the limits ask: only `not sent` and `refused` mean that a
tool certainly did not run.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from gateway.credentials import Challenge
from gateway.jsonrpc import Json, Message

Deliver: TypeAlias = Callable[[Message], Awaitable[None]]
"""Takes a message that the upstream sent of its own accord: a notification or a request."""

Still: TypeAlias = Callable[[], Awaitable[bool]]
"""Whether a request that certainly did not run may be sent once more: time has passed since it was judged."""

Fate: TypeAlias = Literal["answered", "not sent", "refused", "unknown"]


class Answer(NamedTuple):
    """What became of one request: the response, or why there is none (`failure`, one sentence with the cure)."""

    fate: Fate
    response: Message | None = None
    status: int | None = None
    failure: str | None = None
    retry_after_seconds: int | None = None
    session_id: str | None = None
    """The `Mcp-Session-Id` that came with it: not an authentication, but never logged."""
    lost: bool = False
    """Whether the connection broke before anything was answered: what only reads may be asked again."""
    timed_out: bool = False
    """Whether it may still be worked on upstream, and nobody waits for it here any more."""
    challenge: Challenge | None = None
    """What credentials are wanted, where the request was not let in for lack of them."""

    @property
    def result(self) -> Mapping[str, Json] | None:
        """The response's result object, if there is one."""
        result = self.response.body.get("result") if self.response is not None else None
        return result if isinstance(result, dict) else None
