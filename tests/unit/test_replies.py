"""What the agent receives: denials it can read, failures with their status, and nobody else in the gateway's name."""

import json

import pytest

from gateway import replies
from gateway.jsonrpc import Json, Message, parse, parse_upstream
from gateway.policy.decision import Decision
from gateway.upstream import Answer

DENIED = Decision("deny", "/tools/a/require/0", "require", "Only colleagues.", retry_after_seconds=None)
OURS = {
    "effect": "deny",
    "rule": "/tools/a/require/0",
    "reason": "require",
    "retry_after_seconds": None,
    "decision_id": "d1",
}
MODERN: Json = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}


def asked(method: str, identifier: Json = 7, **params: Json) -> Message:
    message = parse(json.dumps({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}).encode())
    assert isinstance(message, Message)
    return message


def answered(text: str) -> Message:
    message = parse_upstream(text.encode())
    assert isinstance(message, Message)
    return message


def test_a_denied_call_is_a_tool_result_that_says_why() -> None:
    assert json.loads(replies.denial(asked("tools/call", name="a"), DENIED, "d1")) == {
        "jsonrpc": "2.0",
        "id": 7,
        "result": {
            "content": [{"type": "text", "text": "[POLICY DENIED] Only colleagues."}],
            "isError": True,
            "_meta": {"keyid-gateway/decision": OURS},
        },
    }


def test_a_limit_with_words_of_its_own_says_when_to_try_again() -> None:
    decision = Decision("deny", "/tools/a/limits/0", "limit", "Enough.", retry_after_seconds=7)
    result = json.loads(replies.denial(asked("tools/call", name="a"), decision, "d1"))["result"]
    assert result["content"][0]["text"] == "[POLICY DENIED] Enough. Try again in 7 seconds."
    error = json.loads(replies.denial(asked("prompts/get", name="a"), decision, "d1"))["error"]
    assert error["message"] == "Denied by policy: Enough. Try again in 7 seconds."


def test_a_denied_modern_call_is_a_complete_result() -> None:
    result = json.loads(replies.denial(asked("tools/call", "x", name="a", _meta=MODERN), DENIED, "d1"))["result"]
    assert (result["resultType"], result["isError"]) == ("complete", True)
    assert "structuredContent" not in result


def test_a_call_that_needs_approval_says_so() -> None:
    decision = Decision("approve", "/tools/a/action", "approval", "Ask somebody.")
    result = json.loads(replies.denial(asked("tools/call", name="a"), decision, "d1"))["result"]
    assert result["content"][0]["text"] == "[APPROVAL REQUIRED] Ask somebody."
    assert result["_meta"]["keyid-gateway/decision"]["effect"] == "deny"


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("resources/read", -33403),
        ("resources/subscribe", -33403),
        ("prompts/get", -33403),
        ("completion/complete", -33403),
        ("something/else", -32601),
        ("tools/other", -32601),
    ],
)
def test_another_denied_method_is_an_error_outside_the_reserved_codes(method: str, code: int) -> None:
    error = json.loads(replies.denial(asked(method), DENIED, "d1"))["error"]
    assert error == {
        "code": code,
        "message": "Denied by policy: Only colleagues.",
        "data": {"keyid-gateway/decision": OURS},
    }


@pytest.mark.parametrize(
    ("answer", "data"),
    [
        (Answer("unknown", failure="f"), None),
        (Answer("unknown", status=500, failure="f"), {"status": 500}),
        (Answer("refused", status=429, failure="f", retry_after_seconds=3), {"status": 429, "retry_after_seconds": 3}),
    ],
)
def test_a_failure_is_an_internal_error_with_the_status(answer: Answer, data: Json) -> None:
    error = {"code": -32603, "message": "it failed", **({} if data is None else {"data": data})}
    line = replies.failure(asked("tools/call", "id é", name="a"), "it failed", answer)
    assert json.loads(line) == {"jsonrpc": "2.0", "id": "id é", "error": error}


@pytest.mark.parametrize(
    "text",
    [
        '{ "jsonrpc":"2.0", "id":1, "result":{"n":1.0,"_meta":{"other/key":1}} }',
        '{"jsonrpc":"2.0","id":1,"result":[]}',
        '{"jsonrpc":"2.0","id":1,"result":{"_meta":7}}',
        '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":"keyid-gateway/"}}',
        '{"jsonrpc":"2.0","method":"notifications/x","params":{"keyid-gateway/x":1}}',
    ],
)
def test_what_does_not_speak_for_the_gateway_stays_byte_for_byte(text: str) -> None:
    assert replies.relayed(answered(text)) == text.encode()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            '{"jsonrpc":"2.0","id":1,"result":{"a":1.50,"_meta":{"keyid-gateway/decision":{},"b":2}}}',
            b'{"jsonrpc":"2.0","id":1,"result":{"a":1.50,"_meta":{"b":2}}}',
        ),
        (
            '{"jsonrpc":"2.0","method":"n","params":{"_meta":{"keyid-gateway/":1}}}',
            b'{"jsonrpc":"2.0","method":"n","params":{"_meta":{}}}',
        ),
        (
            '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":{"keyid-gateway/decision":1,"s":2}}}',
            b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":{"s":2}}}',
        ),
    ],
)
def test_the_gateways_keys_of_somebody_else_are_taken_out(text: str, left: bytes) -> None:
    assert replies.relayed(answered(text)) == left


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer("unknown", failure="cancelled"), "cancelled"),
        (Answer("unknown", failure="f"), "no answer: unknown"),
        (Answer("not sent", failure="f"), "no answer: not sent"),
        (Answer("refused", failure="f"), "no answer: refused"),
        (Answer("answered", answered('{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}')), "error"),
        (Answer("answered", answered('{"jsonrpc":"2.0","id":1,"result":{}}')), "ok"),
        (Answer("answered", answered('{"jsonrpc":"2.0","id":1,"result":{"isError":true}}')), "tool error"),
        (Answer("answered", answered('{"jsonrpc":"2.0","id":1,"result":{"isError":"true"}}')), "ok"),
        (
            Answer("answered", answered('{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required"}}')),
            "input required",
        ),
    ],
)
def test_the_log_says_in_a_word_what_the_upstream_did(answer: Answer, words: str) -> None:
    assert replies.outcome(answer) == words


def test_an_error_that_the_gateway_was_told_passes_with_its_code_and_data() -> None:
    told = parse_upstream(b'{"jsonrpc":"2.0","id":"gw-1","error":{"code":-32602,"message":"no","data":{"n":1.0}}}')
    assert isinstance(told, Message)
    line = replies.failure(asked("tools/call", 7, name="a"), "it refused: no", Answer("answered", told, 400))
    assert line == b'{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"it refused: no","data":{"n":1.0}}}'
