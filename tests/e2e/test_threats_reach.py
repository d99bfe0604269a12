"""Bypass classes B13 to B18: no other name, method, moment, revision, header or transport reaches a refused tool."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.standin import Standin
from tests.e2e.arena import ERAS, GOOD, HANDSHAKE, META, STATELESS, Arena, open_arena
from tests.e2e.process import Gateway, Home, called_tools, decision
from tests.e2e.scripted import Scripted, result

OPEN = {
    "version": "1",
    "default": "allow",
    "hide": ["delete_file", "standin_extra"],
    "tools": {"send_email": {"action": "deny"}},
}
CLOSED = {
    "version": "1",
    "default": "deny",
    "hide": ["delete_file"],
    "tools": {GOOD: {}, "delete_file": {}, "standin_write_2": {}, "standin_extra": {}, "get_metrics": {}},
}
DENIED, NO_METHOD, NO_PARAMS = -33403, -32601, -32602


@pytest.fixture(scope="module", params=ERAS)
def allowing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with open_arena(tmp_path_factory.mktemp("home"), OPEN, request.param) as opened:
        yield opened


@pytest.fixture(scope="module", params=ERAS)
def denying(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with open_arena(tmp_path_factory.mktemp("home"), CLOSED, request.param) as opened:
        yield opened


VARIANTS = [
    "Delete_File",
    "DELETE_FILE",
    " delete_file",
    "delete_file ",
    "delete_file\n",
    "delete_file\u0000",
    "delete_file\u200b",
    "delete\u00ad_file",
    "\ufeffdelete_file",
    "delete_file\u202e",
    "delete_file\U000e0020",
    "d\u0435lete_file",
    "\uff44elete_file",
    "delete\uff3ffile",
    "delete_\ufb01le",
    "delete_f\u0456le",
    "de\u0301lete_file",
    "delete-file",
    "delete.file",
    "delete_file()",
    "delete%5Ffile",
    "delete\\u005ffile",
    "keyid/delete_file",
    "keyid.delete_file",
    "mcp__keyid__delete_file",
    "tools/delete_file",
    "./delete_file",
    "get_identity/../delete_file",
    "delete_file?x",
    "delete_file#",
    "delete_file,get_identity",
    '["delete_file"]',
    '"delete_file"',
    "*",
    "delete_*",
    "",
    "=?base64?ZGVsZXRlX2ZpbGU=?=",
    "a" * 100_000,
]


@pytest.mark.parametrize("name", VARIANTS)
def test_b13_a_name_that_is_not_byte_for_byte_a_mirrored_one_is_refused(allowing: Arena, name: str) -> None:
    before = allowing.mark()
    denial = allowing.call(name, {"key": "k"})
    assert decision(denial)["rule"] == "(unknown tool)"
    good = allowing.good_call()
    assert [json.loads(body) for body in allowing.arrivals(before)] == [good]
    assert allowing.newest(3)[0].rule == "(unknown tool)"


@pytest.mark.parametrize("spelled", ["delete_file", "\\u0064elete_file", "delete\\u005ffile"])
def test_b13_a_hidden_name_is_refused_however_it_is_escaped(allowing: Arena, spelled: str) -> None:
    params = f'{{"name":"{spelled}","arguments":{{"key":"k"}},@META}}'
    answer = allowing.refuses(f'{{"jsonrpc":"2.0","id":"b13","method":"tools/call","params":{params}}}', "b13")
    assert decision(answer["result"])["rule"] == "(hidden)"


def test_b14_a_hidden_tool_is_neither_listed_nor_callable(denying: Arena) -> None:
    listed = [tool["name"] for tool in denying.request("tools/list")["result"]["tools"]]
    assert "delete_file" not in listed
    assert "send_email" in listed
    assert denying.denies("delete_file", '{"key":"k"}')["_meta"]["keyid-gateway/decision"]["rule"] == "(hidden)"
    assert denying.denies("send_email")["_meta"]["keyid-gateway/decision"]["rule"] == "(default deny)"


def test_b14_a_tool_is_callable_while_it_is_announced_and_not_before_nor_after(denying: Arena) -> None:
    for present in (True, False):
        assert "structuredContent" in denying.call("standin_write_2", {"present": present})
        listed = [tool["name"] for tool in denying.request("tools/list")["result"]["tools"]]
        assert ("standin_extra" in listed) is present
        if present:
            assert "structuredContent" in denying.call("standin_extra")
        else:
            assert denying.denies("standin_extra")["_meta"]["keyid-gateway/decision"]["rule"] == "(unknown tool)"


def test_b14_a_tool_that_appears_after_the_list_is_refused_at_call_time(allowing: Arena) -> None:
    assert "structuredContent" in allowing.call("standin_write_2", {"present": True})
    rule = allowing.denies("standin_extra")["_meta"]["keyid-gateway/decision"]["rule"]
    assert "structuredContent" in allowing.call("standin_write_2", {"present": False})
    assert rule in ("(hidden)", "(unknown tool)"), "known as soon as the list was fetched again"


JUDGED: Mapping[str, Mapping[str, Any]] = {
    "resources/read": {"uri": "keyid://identity"},
    "resources/subscribe": {"uri": "keyid://inbox/unread"},
    "prompts/get": {"name": "sign_up", "arguments": {"service": "x"}},
    "completion/complete": {"ref": {"type": "ref/prompt", "name": "sign_up"}, "argument": {"name": "a", "value": ""}},
}
UNKNOWN = ["tools/execute", "tools/call/", "tools", "call", "rpc.call", "sampling/createMessage", "elicitation/create"]
UNKNOWN += ["roots/list", "x/y", "", " ", "resources", "prompts/GET", "initialize ", "Ping", "tools/list/", "TASKS/get"]


@pytest.mark.parametrize(("method", "params"), JUDGED.items(), ids=JUDGED)
def test_b15_other_methods_are_refused_under_default_deny(
    denying: Arena, method: str, params: Mapping[str, Any]
) -> None:
    before = denying.mark()
    error = denying.request(method, params)["error"]
    assert error["code"] == DENIED
    assert error["data"]["keyid-gateway/decision"]["effect"] == "deny"
    good = denying.good_call()
    assert [json.loads(body) for body in denying.arrivals(before)] == [good]
    assert (method, "refused") in [(record.method, record.kind) for record in denying.newest(3)]


@pytest.mark.parametrize("method", UNKNOWN)
def test_b15_unknown_methods_are_refused_under_default_deny(denying: Arena, method: str) -> None:
    params = '{"name":"delete_file","arguments":{"key":"k"},@META}'
    line = f'{{"jsonrpc":"2.0","id":"b15","method":"{method}","params":{params}}}'
    code = DENIED if method.startswith("prompts/") else NO_METHOD
    assert denying.refuses(line, "b15")["error"]["code"] == code


@pytest.mark.parametrize(
    "method", ["tasks/get", "tasks/result", "tasks/cancel", "tasks/update", "tasks/call", "tasks/x"]
)
@pytest.mark.parametrize("task", ['"t"', "null", "[]", "{}", "5", '""'])
def test_b15_tasks_that_no_judged_call_made_are_out_of_reach(allowing: Arena, method: str, task: str) -> None:
    params = f'{{"taskId":{task},"name":"delete_file",@META}}'
    line = f'{{"jsonrpc":"2.0","id":"b15","method":"{method}","params":{params}}}'
    assert allowing.refuses(line, "b15")["error"]["code"] == NO_PARAMS


def test_b15_tasks_that_no_judged_call_made_cannot_be_listened_to(home: Home) -> None:
    """What is heard of a task is all of it: the tasks extension, `notifications/tasks`."""
    with Scripted() as upstream, Gateway(home, upstream.url, policy=OPEN) as gateway:
        upstream.script("one", result({"resultType": "task", "taskId": "mine", "status": "working"}))
        gateway.call("one", {}, _meta=META[STATELESS])
        wanted = {"toolsListChanged": True, "taskIds": ["mine", "other"]}
        gateway.request("subscriptions/listen", {"notifications": wanted, "_meta": META[STATELESS]})
        sent = upstream.wait_for("subscriptions/listen").message["params"]["notifications"]
        assert sent == {"toolsListChanged": True, "taskIds": ["mine"]}


LOOKALIKES = ["Tools/Call", "TOOLS/CALL", " tools/call", "tools/call\\n", "tools/call\\u200b", "tool\\u017f/call"]
LOOKALIKES += ["\\uff54ools/call", "tools\\uff0fcall", "tools/ca\\u00adll", "\\ufefftools/call", "tools/call\\t "]
LOOKALIKES += ["tools/call\\u0000", "tools\\u2060/call", "\\u202etools/call"]


@pytest.mark.parametrize("method", LOOKALIKES)
def test_b15_a_method_that_only_reads_like_a_call_is_refused_under_default_allow(allowing: Arena, method: str) -> None:
    params = '{"name":"delete_file","arguments":{"key":"k"},@META}'
    line = f'{{"jsonrpc":"2.0","id":"b15","method":"{method}","params":{params}}}'
    assert allowing.refuses(line, "b15")["error"]["code"] == NO_METHOD


@pytest.mark.parametrize("method", ["resources/read", "prompts/get", "completion/complete"])
def test_b15_other_methods_arrive_unchanged_under_default_allow(allowing: Arena, method: str) -> None:
    before = allowing.mark()
    message = allowing.message(method, {**JUDGED[method], "x": {"unknown": [1, None]}})
    allowing.gateway.send(message)
    assert "result" in allowing.gateway.answer(message["id"])
    assert [json.loads(body) for body in allowing.arrivals(before)] == [message]


@pytest.mark.parametrize("listed", ["resources", "prompts", "resources/templates"])
def test_b15_what_may_not_be_read_is_not_listed(denying: Arena, listed: str) -> None:
    field = {"resources/templates": "resourceTemplates"}.get(listed, listed)
    assert denying.request(f"{listed}/list")["result"][field] == []


REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2099-01-01", "", "x"]


def test_b16_every_revision_is_judged_alike_before_and_after_each_handshake(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=CLOSED) as gateway:
        assert "code" in gateway.call("delete_file", {"key": "k"})  # of no revision: nothing is listed for it
        for revision in REVISIONS:
            gateway.initialize(version=revision)
            assert decision(gateway.call("delete_file", {"key": "k"}))["rule"] == "(hidden)"
            assert gateway.call(GOOD, {"at": revision})["structuredContent"] == {"echo": {"at": revision}}
            assert decision(gateway.call("delete_file", {"key": "k"}, _meta=META[STATELESS]))["rule"] == "(hidden)"
            assert gateway.call(GOOD, {"at": 1}, _meta=META[STATELESS])["resultType"] == "complete"
        assert gateway.request("server/discover", {"_meta": META[STATELESS]})["result"]
        assert decision(gateway.call("delete_file", {"key": "k"}))["rule"] == "(hidden)"
    assert set(called_tools(standin.journal)) == {GOOD}


@pytest.mark.parametrize(
    "version",
    ['"2024-11-05"', '"2025-06-18"', '"2099-01-01"', '""', '"x\\r\\nX-Evil: 1"', "5", "null", "[]", "{}", "true"],
)
def test_b16_no_version_that_a_call_claims_passes_it_unjudged(denying: Arena, version: str) -> None:
    meta = f'"_meta":{{"io.modelcontextprotocol/protocolVersion":{version}}}'
    params = f'{{"name":"delete_file","arguments":{{"key":"k"}},{meta}}}'
    line = f'{{"jsonrpc":"2.0","id":"b16","method":"tools/call","params":{params}}}'
    assert decision(denying.refuses(line, "b16")["result"])["effect"] == "deny"


def test_b17_headers_say_what_the_body_says(allowing: Arena) -> None:
    before = allowing.mark()
    result = allowing.request("resources/read", {"uri": "keyid://messages/\u00e9\r\nX-Evil: 1", "name": "other"})
    assert "error" in result
    allowing.good_call()
    posts = [entry for entry in allowing.standin.journal[before:] if entry.get("http") == "POST"]
    for headers, body in ((entry["headers"], json.loads(str(entry["body"]))) for entry in posts):
        assert isinstance(headers, dict)
        assert "x-evil" not in headers
        names = [headers.get(name) for name in ("mcp-method", "mcp-protocol-version")]
        assert names == ([None, "2025-06-18"] if allowing.era == HANDSHAKE else [body["method"], "2026-07-28"])
    if allowing.era == STATELESS:
        named = [entry["headers"]["mcp-name"] for entry in posts]  # type: ignore[index]  # headers are a mapping
        assert named[0].startswith("=?base64?")
        assert named[-1] == GOOD


def test_b18_a_gateway_listens_nowhere(home: Home, standin: Standin, tmp_path: Path) -> None:
    """Every `bind` of the process is an audit event of the interpreter (PEP 578); here it ends the process."""
    hook = "import os, sys\nsys.addaudithook(lambda event, _: os._exit(77) if event == 'socket.bind' else None)\n"
    (tmp_path / "sitecustomize.py").write_text(hook, encoding="utf-8")
    home.environment["PYTHONPATH"] = str(tmp_path)
    with Gateway(home, standin.url, policy=CLOSED) as gateway:
        gateway.initialize()
        assert gateway.call(GOOD, {})["structuredContent"] == {"echo": {}}
        assert gateway.close() == 0
