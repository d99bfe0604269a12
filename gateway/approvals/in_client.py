"""Asking in the client: the question is shown by the program that the agent runs in.

Only where the client says that it can ask (`elicitation`, form mode) **and** the owner has named it in the settings
(`approve_in_client`). A client that is not known to show every question to a person might answer itself, and then the
model approves itself. What the upstream may ask (`--switch-off`) has nothing to do with it.

| the client speaks | how it is asked |
|---|---|
| a handshake revision | the gateway's own request `elicitation/create`, while the call is held |
| 2026-07-28 | the call ends with `input_required`; it comes back with the answer and a sealed state (`sealing`) |

Both have the same form: one field, `decision`, with nothing chosen beforehand. What comes back counts only if it is
exactly one of its two words; to `decline` is to deny, to `cancel` is no answer, and neither is anything else.

Before a server that knows no handshake a client's call is translated; the client is asked in its own way all the same.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final

from gateway import replies
from gateway.approvals import Question, Resumed, Verdict, wording
from gateway.approvals.sealing import MARK, About, Kept, Seal
from gateway.approvals.typed import program
from gateway.asking import Asking
from gateway.errors import GatewayError
from gateway.jsonrpc import Id, Json, Message, serialise
from gateway.questions import CAPABILITIES
from gateway.upstream.headers import is_modern

_LOG = logging.getLogger(__name__)
_CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"
_KEY: Final = "keyid-gateway/approval"
_FIELD: Final = "decision"
_CARRIED: Final = ("requestState", "inputResponses")
_FORM: Final[Mapping[str, Json]] = {
    "type": "object",
    "properties": {
        _FIELD: {
            "type": "string",
            "title": "May this call be made?",
            "description": "approve: it is made, once; deny: it is not",
            "enum": ["deny", "approve"],
        }
    },
    "required": [_FIELD],
}


class InClient:
    """Asks one client. `names` are the clients that may be asked; `digest` gives that of the state file, once open."""

    name = "client"

    def __init__(
        self,
        asking: Asking,
        names: Collection[str],
        *,
        grant: str,
        server: str,
        digest: Callable[[], Callable[[bytes], str] | None],
        now: Callable[[], float],
        answers: Callable[[], bool] = lambda: True,
    ) -> None:
        self._answers = answers
        self._asking = asking
        self._names = frozenset(names)
        self._grant = grant
        self._server = server
        self._digest = digest
        self._now = now
        self._session = False
        self._stateless: dict[Id, bool] = {}
        self._put_off: dict[Id, str] = {}

    # --- what the client says of itself -------------------------------------------------------------------------------

    def heard(self, request: Message) -> None:
        """A request as the client wrote it: whether it can be asked is said there."""
        if not self._names:
            return
        if request.method == "initialize":
            self._asking.abandon()
            self._session = self._may(request.params.get("clientInfo"), request.params.get("capabilities"))
        elif request.method == "tools/call" and request.id is not None and is_modern(request):
            meta = request.meta
            self._stateless[request.id] = self._may(meta.get(_CLIENT_INFO), meta.get(CAPABILITIES))

    def over(self, identifier: Id) -> None:
        """A request has ended."""
        self._stateless.pop(identifier, None)
        self._put_off.pop(identifier, None)

    def takes(self, response: Message) -> bool:
        """Whether a response of the client answers a question of ours."""
        return self._asking.takes(response)

    def _may(self, info: Json, capabilities: Json) -> bool:
        name = info.get("name") if isinstance(info, dict) else None
        declared = capabilities.get("elicitation") if isinstance(capabilities, dict) else None
        has_forms = isinstance(declared, dict) and ("form" in declared or "url" not in declared)
        return isinstance(name, str) and name in self._names and has_forms

    # --- the channel --------------------------------------------------------------------------------------------------

    def can_ask(self, request: Message) -> bool:
        """Whether the client may be asked. A request that is not known as a stateless one is of the session."""
        if request.id is None or not self._answers():
            return False
        return self._stateless.get(request.id, self._session)

    async def ask(self, question: Question, request: Message) -> Verdict | None:
        """Ask in the session; a stateless client is not asked while it waits (`suspend`)."""
        if request.id in self._stateless or not self.can_ask(request):
            return None
        body: dict[str, Json] = {"jsonrpc": "2.0", "id": self._asking.identifier(), **_asked(question)}
        asked = Message("request", str(body["id"]), "elicitation/create", body, serialise(body))
        try:
            answer = await self._asking.ask(asked)
        except GatewayError as error:
            _LOG.info("question %s was not answered in the client: %s", question.id, error)
            return None
        return _verdict(answer.body.get("result"))

    def suspend(self, question: Question, request: Message) -> bytes | None:
        """End a stateless call with the question; it goes on when it comes back with the answer.

        A call that has come back without one waits for an answer from elsewhere: nobody is asked again and again.
        """
        seal = Seal.of(self._digest())
        if seal is None or request.id not in self._stateless or not self.can_ask(request):
            return None
        if self._put_off.get(request.id) == question.id:
            return None
        carried = {name: request.params[name] for name in _CARRIED if name in request.params}
        state = seal.close(Kept(question.id, question.expires_at, carried), self._about(request))
        if state is None:
            return None
        asked: dict[str, Json] = {_KEY: _asked(question)}
        result: dict[str, Json] = {
            "resultType": "input_required",
            "inputRequests": asked,
            "requestState": state,
        }
        return replies.result(request.id, result)

    def resumed(self, request: Message) -> Resumed | None:
        """What a request brings that has a state of ours. None of that goes upstream, whatever it is worth.

        Only a call can have been given one; what else has it loses it, so that no server ever holds a state of ours.
        """
        state = request.params.get("requestState")
        if not isinstance(state, str) or not state.startswith(MARK):
            return None
        kept = self._opened(state, request)
        if kept is None:
            _LOG.warning(
                "`%s` came with an approval state that is not its own, or too old: it is a new one", request.method
            )
            return Resumed(_with(request, {}), "", None)
        responses = request.params.get("inputResponses")
        verdict = _verdict(responses.get(_KEY) if isinstance(responses, dict) else None)
        if verdict is None and request.id is not None:
            self._put_off[request.id] = kept.question
        return Resumed(_with(request, kept.carried), kept.question, verdict)

    def _opened(self, state: str, request: Message) -> Kept | None:
        """What a state keeps, if it counts: only where the client may be asked, and in its revision."""
        seal = Seal.of(self._digest())
        if seal is None or request.id is None or not self._stateless.get(request.id, False):
            return None
        return seal.open(state, self._about(request), self._now())

    def _about(self, request: Message) -> About:
        tool, arguments = request.params.get("name"), request.params.get("arguments")
        return About(
            self._grant,
            self._server,
            tool if isinstance(tool, str) else "",
            arguments if isinstance(arguments, dict) else {},
        )


def _asked(question: Question) -> dict[str, Json]:
    """The question as `elicitation/create`, in the form mode, which needs no name."""
    params: dict[str, Json] = {"message": wording.message(question, program()), "requestedSchema": dict(_FORM)}
    return {"method": "elicitation/create", "params": params}


def _verdict(answer: Json) -> Verdict | None:
    """What a person has answered, if that is what it says."""
    match answer:
        case {"action": "decline"} | {"action": "accept", "content": {"decision": "deny"}}:
            return "deny"
        case {"action": "accept", "content": {"decision": "approve"}}:
            return "approve"
    return None


def _with(request: Message, carried: Mapping[str, Json]) -> Message:
    """The call without what was ours, and with what it carried when it was ended."""
    kept = {name: value for name, value in request.params.items() if name not in _CARRIED}
    body: dict[str, Json] = {**request.body, "params": {**kept, **carried}}
    return Message(request.kind, request.id, request.method, body, serialise(body))
