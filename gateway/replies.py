"""What the agent receives: denials, failures, relayed answers, as one line each.

A denied tool call is a normal tool result with `isError`, so that the model reads why and what to do; never
`structuredContent`, because clients validate that against the tool's output schema and throw. Other methods are refused
with a JSON-RPC error outside the reserved range. (`policy-language`, "What the agent receives".)
"""

from collections.abc import Mapping
from typing import Final

from gateway.jsonrpc import INTERNAL_ERROR, METHOD_NOT_FOUND, Id, Json, Message, serialise
from gateway.policy.decision import Decision
from gateway.policy.refusals import told
from gateway.upstream import Answer
from gateway.upstream.headers import is_modern

DENIED: Final = -33403
_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
OWN_META: Final = "keyid-gateway/"
_OWN: Final = OWN_META.rstrip("/").encode()
_SPOKEN_IN = (("result", "_meta"), ("params", "_meta"), ("error", "data"))
"""Where a message can carry a key of the gateway's: a refusal that is an error carries its decision in `data`."""
_JUDGED_BY_SECTION = ("resources/", "prompts/", "completion/", "tasks/")


def result(identifier: Id | None, value: Mapping[str, Json]) -> bytes:
    """A response with a result."""
    return serialise({"jsonrpc": "2.0", "id": identifier, "result": value})


def error(identifier: Id | None, code: int, message: str, data: Json = None) -> bytes:
    """A response with an error; `data` is left out where there is none."""
    fault: dict[str, Json] = {"code": code, "message": message}
    if data is not None:
        fault["data"] = data
    return serialise({"jsonrpc": "2.0", "id": identifier, "error": fault})


def denial(request: Message, decision: Decision, decision_id: str) -> bytes:
    """The refusal of a judged request."""
    said: dict[str, Json] = {
        "effect": "deny",
        "rule": decision.rule,
        "reason": decision.reason,
        "retry_after_seconds": decision.retry_after_seconds,
        "decision_id": decision_id,
    }
    if decision.question:
        said["question"] = decision.question
    meta: dict[str, Json] = {f"{OWN_META}decision": said}
    if request.method != "tools/call":
        known = request.method.startswith(_JUDGED_BY_SECTION)
        return error(request.id, DENIED if known else METHOD_NOT_FOUND, f"Denied by policy: {told(decision)}", meta)
    mark = "APPROVAL REQUIRED" if decision.effect == "approve" else "POLICY DENIED"
    value: dict[str, Json] = {
        "content": [{"type": "text", "text": f"[{mark}] {told(decision)}"}],
        "isError": True,
        "_meta": meta,
    }
    if is_modern(request):
        value = {"resultType": "complete", **value}
    return result(request.id, value)


def unable(request: Message, text: str, code: int = INTERNAL_ERROR) -> bytes:
    """A request that cannot come to its end: for a call a result that the model reads, else an error."""
    if request.method != "tools/call":
        return error(request.id, code, text)
    value: dict[str, Json] = {"content": [{"type": "text", "text": text}], "isError": True}
    return result(request.id, {"resultType": "complete", **value} if is_modern(request) else value)


def failure(request: Message, text: str, answer: Answer) -> bytes:
    """An error because the upstream gave no usable answer; the HTTP status, if any, is in `data`.

    Where it answered a question of the gateway's with an error, that error is the cause, and its code and data pass.
    """
    cause = answer.response.body.get("error") if answer.response is not None else None
    if isinstance(cause, dict) and isinstance(cause.get("code"), int):
        return serialise({"jsonrpc": "2.0", "id": request.id, "error": {**cause, "message": text}})
    data: dict[str, Json] = {}
    if answer.status is not None:
        data["status"] = answer.status
    if answer.retry_after_seconds is not None:
        data["retry_after_seconds"] = answer.retry_after_seconds
    return error(request.id, INTERNAL_ERROR, text, data or None)


def torn_down(request: Message, answer: Answer) -> bytes:
    """A stream that listens broke: the error, and the notice by which a server on stdio ends such a stream.

    (2026-07-28, Cancellation.) A client that only knows one of the two learns it all the same, and listens again.
    """
    text = answer.failure or "no answer"
    notice: dict[str, Json] = {
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": request.id, "reason": text, "_meta": {_SUBSCRIPTION: request.id}},
    }
    return failure(request, text, answer) + b"\n" + serialise(notice)


def relayed(message: Message) -> bytes:
    """A message of the upstream as it came, except that nobody else speaks in the gateway's name.

    The gateway speaks in `_SPOKEN_IN` and nowhere else, so only there can somebody be mistaken for it. A key of that
    name deeper down (in the `_meta` of one content item, of one tool) is data of the upstream's like any other.
    """
    if _OWN not in message.raw and b"\\u" not in message.raw:  # nor can it be written in another way
        return message.raw
    body = message.body
    for field, inner in _SPOKEN_IN:
        value = body.get(field)
        said = value.get(inner) if isinstance(value, dict) else None
        if isinstance(value, dict) and isinstance(said, dict) and any(map(_is_ours, said)):
            kept = {key: item for key, item in said.items() if not _is_ours(key)}
            body = {**body, field: {**value, inner: kept}}
    return message.raw if body is message.body else serialise(body)


def _is_ours(key: str) -> bool:
    return key.startswith(OWN_META)


def outcome(answer: Answer) -> str:
    """What the upstream did, in one word or two, for the audit log."""
    if answer.response is None:
        return "cancelled" if answer.failure == "cancelled" else f"no answer: {answer.fate}"
    found = answer.result
    if found is None:
        return "error"
    if found.get("resultType") == "input_required":
        return "input required"
    return "tool error" if found.get("isError") is True else "ok"
