"""Which way one request takes.

It is recognised **by its method**, never by its shape:

| from the client | what happens |
|---|---|
| `tools/call`; `resources/*`, `prompts/get`, `completion/complete`; unknown methods | judged (`Interceptor`) |
| `ping`, `server/discover`, `logging/setLevel`, `subscriptions/listen` | housekeeping: passes |
| the lists | housekeeping: pass, and are filtered on their way back |
| `tasks/*` | passes for a task that a judged call created, else as a task that does not exist; not while stopped |
"""

from collections.abc import Awaitable, Mapping
from typing import Final

from gateway import replies
from gateway.case import Client, Forward
from gateway.filters import Listing, filtered, without_denied_subscriptions
from gateway.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND, Json, Message, fold
from gateway.mirror import Mirror
from gateway.pinned import Pinned
from gateway.policies import InForce
from gateway.policy import HOUSEKEEPING, LISTS
from gateway.proving import Proving
from gateway.questions import Questions
from gateway.tasks import Tasks
from gateway.upstream import Answer, Still
from gateway.upstream.headers import is_modern
from gateway.upstream.session import Upstream

_NOTIFICATIONS: Final = frozenset(
    f"notifications/{name}" for name in ("initialized", "cancelled", "progress", "roots/list_changed")
)
"""Those that a client has (MCP, all revisions)."""
_HEADER_MISMATCH: Final = -32020
_CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"


class Dispatch:
    """Sends requests on their way."""

    def __init__(
        self,
        upstream: Upstream,
        mirror: Mirror,
        interceptor: Proving,
        policies: InForce,
        questions: Questions,
        *,
        pinned: Pinned,
        listing: Listing,
    ) -> None:
        self._listing = listing
        self._upstream = upstream
        self._mirror = mirror
        self._interceptor = interceptor
        self._policies = policies
        self._questions = questions
        self._pinned = pinned
        self._client = Client()
        self.client = Client()
        """Who spoke last."""
        self._tasks = Tasks()

    def introduce(self, initialize: Message) -> None:
        """Remember who the client of a handshake session is."""
        self.client = self._client = _client(initialize.params.get("clientInfo"))

    async def line(self, message: Message) -> bytes:
        """The line that answers a request."""
        if message.method in HOUSEKEEPING:
            return await self._pass(message)
        if message.method.startswith("tasks/"):
            return await self._task(message)
        if message.method != "tools/call" and _reads_like_a_call(message.method):
            return replies.error(message.id, METHOD_NOT_FOUND, "unknown method: it only looks like `tools/call`")
        return await self.judged(message, self._forwarder(message))

    def judged(self, message: Message, forward: Forward) -> Awaitable[bytes]:
        """The line that answers a request which is judged; `forward` is how it is done if it may be."""
        return self._interceptor.intercept(message, self._identify(message), forward)

    async def passes(self, notification: Message) -> bool:
        """Whether a notification of the client may go to the server: one of its own making may ask for anything.

        While stopped, only those of the protocol do.
        """
        return notification.method in _NOTIFICATIONS or await self._interceptor.halted() is None

    async def withdrawn(self, message: Message) -> None:
        """A request that waited for its turn was cancelled: what would have been judged leaves a record."""
        if message.method not in HOUSEKEEPING and not message.method.startswith("tasks/"):
            await self._interceptor.withdrawn(message, self._identify(message))

    async def _pass(self, message: Message) -> bytes:
        body = message.raw
        if message.method == "subscriptions/listen":
            body = without_denied_subscriptions(message, await self._policies.current(), self._tasks)
        as_of = self._mirror.catalogue.changes
        answer = await self._upstream.request(message, body=body)
        if (
            answer.response is None
            and message.method == "subscriptions/listen"
            and (answer.lost or answer.status == 200)
        ):
            return replies.torn_down(message, answer)
        if answer.response is None:
            return replies.failure(message, answer.failure or "no answer", answer)
        if message.method == "server/discover":
            self._pinned.opened(answer.result)
        if message.method in LISTS:
            return await self._list(message, answer.response, as_of)
        return replies.relayed(answer.response)

    async def _list(self, message: Message, response: Message, as_of: int) -> bytes:
        result = response.body.get("result")
        trusted = None
        if message.method == "tools/list" and isinstance(result, dict):
            cursor = message.params.get("cursor")
            self._mirror.catalogue.page(cursor if isinstance(cursor, str) else None, result, as_of=as_of)
            trusted = await self._pinned.shown(result)
        return filtered(message, response, await self._policies.current(), self._tasks, self._listing, trusted=trusted)

    async def _task(self, message: Message) -> bytes:
        if message.params.get("taskId") not in self._tasks:
            return replies.error(message.id, INVALID_PARAMS, "no such task: only tasks of judged calls are reachable")
        refusal = None if message.method == "tasks/cancel" else await self._interceptor.halted()
        if refusal is not None:  # a task goes on for the agent's sake: what it needs, or gives, is refused as a call is
            return replies.denial(message, refusal, "")
        answer = self._questions.checked(message, await self._upstream.request(message, body=message.raw))
        if answer.response is None:
            return replies.failure(message, answer.failure or "no answer", answer)
        return replies.relayed(answer.response)

    def _forwarder(self, message: Message) -> Forward:
        async def forward(body: bytes, still: Still) -> Answer:
            answer = await self._upstream.request(message, body=body, schema=self._schema(message), still=still)
            if _refused_for_headers(answer) and await self._looked_again(message) and await still():
                answer = await self._upstream.request(message, body=body, schema=self._schema(message), still=still)
            self._tasks.note(answer)
            return self._questions.checked(message, answer)

        return forward

    def _schema(self, message: Message) -> Mapping[str, Json] | None:
        """The input schema of the tool that a request names, if it does."""
        name = message.params.get("name")
        return self._mirror.catalogue.input_schema(name) if isinstance(name, str) else None

    async def _looked_again(self, message: Message) -> bool:
        """Fetch the tools anew, because a call was refused for headers made from a schema that is out of date."""
        name = message.params.get("name")
        if message.method != "tools/call" or not isinstance(name, str):
            return False
        catalogue = self._mirror.catalogue
        catalogue.changed()
        return await self._mirror.ensure(name, message) is None and name in catalogue

    def _identify(self, message: Message) -> Client:
        self.client = _client(message.meta.get(_CLIENT_INFO)) if is_modern(message) else self._client
        return self.client


def _refused_for_headers(answer: Answer) -> bool:
    """Whether the server did not run a request because its headers do not fit its body (2026-07-28)."""
    error = answer.response.body.get("error") if answer.response is not None else None
    return answer.status == 400 and isinstance(error, dict) and error.get("code") == _HEADER_MISMATCH


def _reads_like_a_call(method: str) -> bool:
    """Whether a careless upstream might take a method for `tools/call`: by case, form, white space, what is unseen."""
    return "".join(char for char in fold(method) if char.isprintable() and not char.isspace()) == "tools/call"


def _client(info: Json) -> Client:
    if not isinstance(info, dict):
        return Client()
    name, version = info.get("name"), info.get("version")
    return Client(name if isinstance(name, str) else "", version if isinstance(version, str) else "")
