"""Bypass class B28 from the client's side: what is huge, deep or slow to read is answered, and the gateway lives."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.arena import ERAS, GOOD, Arena, exact, open_arena
from tests.e2e.process import ALLOW_ALL, Gateway, Home
from tests.e2e.scripted import Scripted, result

BACKTRACKS = ["^(a+)+$", "^(a|a)*b$", "(.*)(.*)(.*)(.*)(.*)x$", "^([a-z]+)*\\d$", "(x+x+)+y"]
POLICY = {
    "version": "1",
    "default": "deny",
    "tools": {
        GOOD: {},
        "send_email": {
            "deny_if": [{"conditions": [{"path": "args.body", "op": "regex", "value": text}]} for text in BACKTRACKS]
        },
        "put_secret": {"deny_if": [{"conditions": [{"path": "args.value[*].a[*].b[*]", "op": "eq", "value": 1}]}]},
        "get_file": {"deny_if": [{"conditions": [{"path": "args.key", "op": "in", "value": ["a", 5, [1], {"a": 1}]}]}]},
    },
}
MEGABYTE = 2**20
CALL = '{"jsonrpc":"2.0","id":"b28","method":"tools/call","params":{"name":"NAME","arguments":ARGUMENTS,@META}}'


def line(arguments: str, tool: str = GOOD) -> str:
    return CALL.replace("NAME", tool).replace("ARGUMENTS", arguments)


@pytest.fixture(scope="module", params=ERAS)
def arena(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with open_arena(tmp_path_factory.mktemp("home"), POLICY, request.param, "--max-depth", "500") as opened:
        yield opened


def test_b28_an_argument_of_ten_megabytes_arrives_whole(arena: Arena) -> None:
    result = arena.allows(GOOD, json.dumps({"a": "\u2028\U0001f511abc" * MEGABYTE}, ensure_ascii=False))
    assert "--max-message-bytes" in result["message"], "the echo holds it twice, which is above the limit"
    text = "\u2028\U0001f511abc" * (MEGABYTE // 4)
    assert arena.allows(GOOD, json.dumps({"a": text}))["structuredContent"] == {"echo": {"a": text}}


def test_b28_a_line_above_the_limit_is_refused_and_the_next_one_is_read(arena: Arena) -> None:
    answer = arena.refuses(line('{"a":"' + "a" * (17 * MEGABYTE) + '"}'))
    assert (answer["error"]["code"], "--max-message-bytes" in answer["error"]["message"]) == (-32600, True)


DEEP = {
    "arrays": "[" * 100_000,
    "closed arrays": "[" * 100_000 + "]" * 100_000,
    "objects": '{"a":' * 100_000,
    "arguments": line('{"a":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "closing": line('{"a":1' + "}" * 100_000),
    "deeper than the limit": line('{"a":' + "[" * 498 + "]" * 498 + "}"),
    "an open string": line('{"a":"' + '\\"' * 200_000 + "[" * 600),
    "open strings": '["' * 100_000,
    "backslashes": line('{"a":"' + "\\" * 400_001 + '"}') + "[" * 600,
}


@pytest.mark.parametrize("name", DEEP)
def test_b28_what_nests_too_deep_is_refused(arena: Arena, name: str) -> None:
    legible = "b28" if name == "deeper than the limit" else None
    assert arena.refuses(DEEP[name], legible)["error"]["code"] in (-32700, -32600)


@pytest.mark.parametrize("inner", ["1", "1.5", '"\\ud83d\\udd11"'])
def test_b28_what_nests_as_deep_as_allowed_is_judged_and_answered(arena: Arena, inner: str) -> None:
    before = arena.mark()
    text = line('{"a":' + '{"a":' * 240 + "[" * 240 + inner + "]" * 240 + "}" * 240 + "}")
    arena.send(text)
    answer = arena.gateway.answer("b28")
    assert ("result" in answer) != ("error" in answer)
    bodies = arena.arrivals(before)
    assert [exact(body)["params"]["arguments"] for body in bodies] == [
        exact(text.replace(",@META", ""))["params"]["arguments"]
    ]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("send_email", {"body": "a" * 200_000 + "!"}),
        ("send_email", {"body": "x" * 200_000}),
        ("send_email", {"body": ["a" * 1000]}),
        ("put_secret", {"value": [{"a": [{"b": [0] * 50}] * 50}] * 50}),
        ("put_secret", {"value": [[]] * 100_000}),
        ("get_file", {"key": "a" * MEGABYTE}),
        ("get_file", {"key": [1] * 200_000}),
        ("get_file", {f"k{number}": number for number in range(50_000)}),
        ("x" * MEGABYTE, {}),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else f"{len(json.dumps(value))} bytes",
)
def test_b28_no_pattern_path_or_list_of_a_policy_takes_for_ever(arena: Arena, tool: str, arguments: object) -> None:
    answer = arena.raw_call(tool, json.dumps(arguments))
    assert "content" in answer
    assert arena.good_call()


HOSTILE = {
    "marks": '{"jsonrpc":"2.0","id":"b28","method":"ping","' + "\u0301\u0323" * 200_000 + '":1}',
    "unseen": '{"jsonrpc":"2.0","id":"b28","method":"ping","' + "\u200b" * 500_000 + '":1}',
    "many keys": '{"jsonrpc":"2.0","id":"b28","method":"ping",'
    + ",".join(f'"\u0301\u0323{number}":1' for number in range(50_000))
    + "}",
    "method": '{"jsonrpc":"2.0","id":"b28","method":"' + "\u0301\u0323" * 200_000 + '"}',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_b28_no_key_takes_for_ever_to_compare(arena: Arena, text: str) -> None:
    arena.send(text)
    answer = arena.gateway.answer("b28")
    assert ("result" in answer) != ("error" in answer)
    assert arena.good_call()


def test_b28_a_flood_of_refusals_is_answered_one_by_one(arena: Arena) -> None:
    arena.gateway.send(b"[\n{\n5\n" * 2000 + b'{"jsonrpc":"2.0","id":"end","method":"x/y"}\n')
    codes = [arena.gateway.receive()["error"]["code"] for _ in range(6000)]
    assert set(codes) == {-32700, -32600}
    assert arena.gateway.answer("end")["error"]["code"] == -32601
    assert arena.good_call()


def test_b28_a_list_of_tools_without_end_is_given_up(home: Home) -> None:
    tools = [{"name": f"t{number}", "inputSchema": {"type": "object"}} for number in range(50)]
    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL, altered="brief") as gateway:
        gateway.initialize()
        upstream.script("tools/list", *[result({"tools": tools, "nextCursor": str(page)}) for page in range(10)])
        failed = gateway.call("t1", {})
        assert failed["message"] == "the upstream's list of tools is larger than 4096 bytes"
        assert len(upstream.asked("tools/list")) == 2
        assert upstream.calls("t1") == []
