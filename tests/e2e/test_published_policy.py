"""The published policy for one tool behaves as published, through real processes."""

import time

from gateway.standin import Standin
from tests.e2e.process import Gateway, Home, called_tools, decision

TOOL = "complete_registration_session"
PUBLISHED = {
    "version": "1",
    "default": "deny",
    "tools": {
        TOOL: {
            "limits": [
                {"counter": "complete_registration_session_rate", "window": "minute", "max": 30, "scope": "grant"}
            ]
        }
    },
}


def test_the_31st_call_inside_the_minute_is_refused_and_the_next_minute_is_open_again(
    home: Home, standin: Standin
) -> None:
    home.move_clock(60 - time.time() % 60)  # a minute begins now, so that it does not end in the middle
    with Gateway(home, standin.url, policy=PUBLISHED, clocked=True) as gateway:
        gateway.initialize()
        results = [gateway.call(TOOL, {"session_id": "none"}) for _ in range(31)]
        assert not any("_meta" in result for result in results[:30])
        assert decision(results[30])["rule"] == f"/tools/{TOOL}/limits/0"
        wait = decision(results[30])["retry_after_seconds"]
        assert 1 <= wait <= 60
        text = f"[POLICY DENIED] Rate limit of 30 per minute reached. Try again in {wait} seconds."
        assert results[30]["content"][0]["text"] == text
        home.move_clock(wait)
        assert "_meta" not in gateway.call(TOOL, {"session_id": "none"})


def test_any_other_tool_is_refused_and_never_arrives(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=PUBLISHED) as gateway:
        gateway.initialize()
        denied = gateway.call("send_email", {"to": "a@b.example", "subject": "s", "body": "b"})
        assert denied["content"][0]["text"] == '[POLICY DENIED] Tool "send_email" is not permitted by policy'
        assert decision(denied)["rule"] == "(default deny)"
    assert called_tools(standin.journal) == []
