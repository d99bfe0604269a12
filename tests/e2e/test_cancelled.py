"""A call that its client takes back: nothing more of it is sent, nothing is answered, and the record says so."""

import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest

from gateway.state import Record
from tests.e2e.arena import ERAS, HANDSHAKE, META
from tests.e2e.process import ALLOW_ALL, Gateway, Home
from tests.e2e.scripted import Scripted, after, result, silence

Json = Any
TOOLS = {"tools": [{"name": "one", "inputSchema": {"type": "object"}}]}
LIMITED = {
    "version": "1",
    "default": "deny",
    "tools": {"one": {"limits": [{"counter": "c", "window": "day", "max": 1, "scope": "grant"}]}},
}


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(gateway: Gateway, era: str) -> None:
    if era == HANDSHAKE:
        gateway.initialize()


def begun(gateway: Gateway, era: str) -> int:
    return gateway.begin("tools/call", {"name": "one", "arguments": {"n": 1}, "_meta": META[era]})


def cancel(gateway: Gateway, identifier: int) -> None:
    gateway.notify("notifications/cancelled", {"requestId": identifier})
    gateway.request("server/discover", {"_meta": META["stateless"]})  # whatever came before it has been taken


def only(home: Home) -> Record:
    (record,) = home.records()
    return record


def check(record: Record) -> None:
    assert (record.kind, record.tool, record.effect, record.rule, record.reason, record.outcome) == (
        "refused",
        "one",
        "deny",
        "(cancelled)",
        "cancelled",
        "cancelled",
    )
    assert record.message == "cancelled by the client before it was judged"
    assert record.argument_names == ("n",)


def test_a_call_that_waits_for_the_list_is_not_sent(home: Home, era: str) -> None:
    listed = threading.Event()
    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        opened(gateway, era)
        upstream.script("tools/list", after(listed, result(TOOLS)))
        identifier = begun(gateway, era)
        upstream.wait_for("tools/list")
        cancel(gateway, identifier)
        listed.set()
        assert gateway.close() == 0
        assert upstream.calls("one") == []
        assert [message for message in gateway.rest() if message.get("id") == identifier] == []
    check(only(home))


def test_a_call_that_waits_for_the_state_is_not_sent_and_costs_nothing(home: Home, era: str) -> None:
    with Scripted() as upstream, Gateway(home, upstream.url, policy=LIMITED) as gateway:
        opened(gateway, era)
        gateway.wait_for_error("policy in force: ")
        gateway.call("two", {}, _meta=META[era])  # the list and the state are there now
        with closing(sqlite3.connect(home.state, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            identifier = begun(gateway, era)
            cancel(gateway, identifier)
            assert upstream.calls("one") == []
            other.execute("COMMIT")
        assert "isError" not in gateway.call("one", {}, _meta=META[era])  # the only one that the limit lets through
        assert len(upstream.calls("one")) == 1
        assert [message for message in gateway.others if message.get("id") == identifier] == []
    check(next(record for record in home.records() if record.rule == "(cancelled)"))
    assert [record.kind for record in home.records()].count("decided") == 1


def test_a_call_that_is_in_flight_is_settled_as_cancelled(home: Home, era: str) -> None:
    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        opened(gateway, era)
        upstream.script("one", silence)
        identifier = begun(gateway, era)
        upstream.wait_for("tools/call")
        cancel(gateway, identifier)
        assert gateway.close() == 0
        assert [message for message in gateway.rest() if message.get("id") == identifier] == []
        told = [asked.message["params"]["requestId"] for asked in upstream.asked("notifications/cancelled")]
        assert told == ([identifier] if era == HANDSHAKE else [])
    assert [(record.kind, record.outcome) for record in home.records()] == [("decided", None), ("settled", "cancelled")]
