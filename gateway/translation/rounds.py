"""`input_required` for a client of a handshake revision: it is asked in its own way, and the call is made again.

Each question of a round becomes a request of the gateway's to the client, all of them at once; its answers go back
under the keys of the questions, with the `requestState` as it came, in a request under a new id. That request takes the
way of every request: it is judged again, by the policy in force then, and charged once (`gateway.exchanges`).

The stateless revision has no word for a client that answers with an error, so such an answer ends the call, in the
client's words. A question that the client did not declare, or that is switched off, ends it too. Without a question the
call is made again after a moment. Bounded: `MAX_ROUNDS`, `_MAX_QUESTIONS`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from gateway import replies
from gateway.asking import Asking
from gateway.errors import GatewayError
from gateway.exchanges import MAX_ROUNDS, is_input_required
from gateway.jsonrpc import Json, Message, parse_upstream, serialise
from gateway.translation import words

_MAX_QUESTIONS: Final = 32
_WAIT_SECONDS: Final = (0.05, 2.0)

Serve = Callable[[Message], Awaitable[bytes]]
"""The way of every request of the stateless revision: judged, relayed; the line that answers it."""


class Rounds:
    """The questions that wait for the client, and how a request comes to its end."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]], serve: Serve) -> None:
        self._serve = serve
        self._asking = Asking(send, why="the request it belongs to is over")

    def takes(self, response: Message) -> bool:
        """Whether a response of the client answers one of the questions."""
        return self._asking.takes(response)

    def abandon(self) -> None:
        """The session is over: nobody answers what was asked in it."""
        self._asking.abandon()

    async def finish(self, request: Message, opening: words.Opening) -> Message:
        """The last answer to a request of the stateless revision, once the client has answered what it was asked."""
        current = request
        for number in range(MAX_ROUNDS):
            answer = parsed(await self._serve(current))
            result = answer.body.get("result")
            if not isinstance(result, dict) or result.get("resultType", "complete") == "complete":
                return answer
            if not is_input_required(result):
                text = f"the server answered with a result that this client cannot read: `{result['resultType']}`"
                return parsed(replies.unable(request, text[:300]))
            responses = await self._ask_all(request, result, opening)
            if isinstance(responses, Message):
                return responses
            if not responses:
                await asyncio.sleep(min(_WAIT_SECONDS[0] * 2.0**number, _WAIT_SECONDS[1]))
            current = words.request(request, _answered(request, result, responses), self._asking.identifier())
        return parsed(replies.unable(request, f"the server asked for more input {MAX_ROUNDS} times: given up"))

    async def _ask_all(
        self, request: Message, result: Mapping[str, Json], opening: words.Opening
    ) -> dict[str, Json] | Message:
        """The client's answers by the keys of the questions, or what `request` is answered with instead."""
        wanted = result.get("inputRequests") or {}
        if not isinstance(wanted, dict) or len(wanted) > _MAX_QUESTIONS:
            return parsed(replies.unable(request, "the server asked for input in a way that cannot be passed on"))
        questions: dict[str, Message] = {}
        for key, value in wanted.items():
            asked = self._question(value)
            if asked is None or not opening.can_be_asked(asked):
                method = value.get("method") if isinstance(value, dict) else None
                text = f"the server asked for `{str(method)[:100]}`, which this client did not offer"
                return parsed(replies.unable(request, text))
            questions[key] = asked
        answers = await asyncio.gather(*(self._asking.ask(asked) for asked in questions.values()))
        for asked, answer in zip(questions.values(), answers, strict=True):
            error = answer.body.get("error")
            if "result" not in answer.body:
                said = error.get("message") if isinstance(error, dict) else None
                return parsed(replies.unable(request, f"the client refused `{asked.method}`: {said}"))
        return {key: answer.body["result"] for key, answer in zip(questions, answers, strict=True)}

    def _question(self, value: Json) -> Message | None:
        """A question as a request of the gateway's, or None where it is none."""
        method = value.get("method") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(method, str):
            return None
        identifier = self._asking.identifier()
        body: dict[str, Json] = {"jsonrpc": "2.0", "id": identifier, "method": method}
        params = value.get("params")
        if isinstance(params, dict):
            if method == "elicitation/create" and params.get("mode") == "url":  # 2025-11-25 wants an id for it
                params = {"elicitationId": identifier, **params}
            body["params"] = params
        return Message("request", identifier, method, body, serialise(body))


def _answered(request: Message, result: Mapping[str, Json], responses: Mapping[str, Json]) -> dict[str, Json]:
    """The params of the next round: those of the first, the answers, and the state as it came."""
    own = {"inputResponses", "requestState"}
    params = {name: value for name, value in request.params.items() if name not in own}
    if responses:
        params["inputResponses"] = dict(responses)
    if result.get("requestState") is not None:
        params["requestState"] = result["requestState"]
    return params


def parsed(line: bytes) -> Message:
    """A line of the gateway's own making, read."""
    message = parse_upstream(line)
    if not isinstance(message, Message):
        raise GatewayError(f"an answer could not be read: {message.message}")
    return message
