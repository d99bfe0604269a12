"""What an upstream may ask of the client: sampling, elicitation, roots. Each can be switched off.

Off means that the upstream never hears that the client could: the capability is taken out of `initialize`, and out of
the `_meta` of each request of the stateless revision. An upstream that asks all the same is answered here, as a person
who says no would: an error for sampling (code -1 is the specification's own example), `decline` for elicitation, an
unknown method for roots. In the stateless revision a question is the answer `input_required` to a call, which becomes a
failed call; of a task it is part of what is known of it, which fails then, and is no news.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from gateway import replies
from gateway.jsonrpc import METHOD_NOT_FOUND, Json, Message, parse_upstream, serialise
from gateway.upstream import Answer

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {"sampling": "sampling/createMessage", "elicitation": "elicitation/create", "roots": "roots/list"}
)
"""The capability that a client declares, and the method by which it is asked."""
CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
_ROOTS_CHANGED: Final = "notifications/roots/list_changed"


@dataclass(frozen=True, slots=True)
class Questions:
    """`off` are the kinds that no upstream gets to ask."""

    off: frozenset[str] = frozenset()

    def declared(self, message: Message) -> Message:
        """A message of the client as the upstream may see it: without the capabilities that are switched off."""
        if not self.off or message.kind != "request":
            return message
        params = dict(message.params)
        if message.method == "initialize" and "capabilities" in params:
            params["capabilities"] = self._without(params["capabilities"])
        if CAPABILITIES in message.meta:  # of whatever era: the server may read it where it means nothing
            params["_meta"] = {**message.meta, CAPABILITIES: self._without(message.meta[CAPABILITIES])}
        if params == message.params:
            return message
        body: dict[str, Json] = {**message.body, "params": params}
        return replace(message, body=body, raw=serialise(body))

    def silences(self, message: Message) -> bool:
        """Whether a notification of the client speaks of what is switched off."""
        return "roots" in self.off and message.method == _ROOTS_CHANGED

    def answer(self, asked: Message) -> Message | None:
        """The answer to a request of the upstream that is switched off, or None."""
        if asked.method not in {KINDS[kind] for kind in self.off}:
            return None
        match asked.method:
            case "sampling/createMessage":
                line = replies.error(asked.id, -1, "sampling is switched off")
            case "elicitation/create":
                line = replies.result(asked.id, {"action": "decline"})
            case _:
                line = replies.error(asked.id, METHOD_NOT_FOUND, "roots are switched off")
        return _message(line)

    def checked(self, request: Message, answer: Answer) -> Answer:
        """The answer to `request`; a failure, where it is a question that is switched off."""
        result = answer.result
        of_task = request.method.startswith("tasks/")
        if result is None or not (of_task or result.get("resultType") == "input_required"):
            return answer
        unwelcome = self._unwelcome(result)
        if unwelcome is None:
            return answer
        text = f"the server asked for `{unwelcome}`, which is switched off (--switch-off)"
        return answer._replace(response=_message(replies.unable(request, text)))

    def in_news(self, message: Message) -> bool:
        """Whether what the upstream says of a task asks for what is switched off."""
        return message.method == "notifications/tasks" and self._unwelcome(message.params) is not None

    def _unwelcome(self, asking: Mapping[str, Json]) -> str | None:
        """The first of the questions in `inputRequests` that is switched off."""
        wanted = asking.get("inputRequests")
        asked = wanted.values() if isinstance(wanted, dict) else ()
        methods = [item.get("method") for item in asked if isinstance(item, dict)]
        return next((KINDS[kind] for kind in sorted(self.off) if KINDS[kind] in methods), None)

    def _without(self, capabilities: Json) -> Json:
        """Capabilities without those that are off, the tasks of 2025-11-25 that ask the same included."""
        if not isinstance(capabilities, dict):
            return capabilities
        kept = {name: value for name, value in capabilities.items() if name not in self.off}
        tasks = kept.get("tasks")
        requests = tasks.get("requests") if isinstance(tasks, dict) else None
        if isinstance(tasks, dict) and isinstance(requests, dict):
            left = {name: value for name, value in requests.items() if name not in self.off}
            kept["tasks"] = {**tasks, "requests": left}
        return kept


def _message(line: bytes) -> Message:
    message = parse_upstream(line)
    assert isinstance(message, Message)  # noqa: S101  # it was written here
    return message
