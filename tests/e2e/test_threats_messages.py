"""Bypass classes B1 to B7, B12, B29: what a line may be, and that what was judged is what arrives."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.arena import ERAS, GOOD, Arena, exact, open_arena

POLICY = {"version": "1", "default": "deny", "hide": ["delete_file"], "tools": {GOOD: {}, "get_identity": {}}}
HIDDEN = '"method":"tools/call","params":{"name":"delete_file","arguments":{"key":"k"},@META}'
FINE = f'"method":"tools/call","params":{{"name":"{GOOD}","arguments":{{"k":1}},@META}}'
PARSE, REQUEST, PARAMS = -32700, -32600, -32602


@pytest.fixture(scope="module", params=ERAS)
def arena(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with open_arena(tmp_path_factory.mktemp("home"), POLICY, request.param) as opened:
        yield opened


def refused(arena: Arena, line: str | bytes, code: int, identifier: str | int | None = None) -> None:
    answer = arena.refuses(line, identifier)
    assert (answer["jsonrpc"], answer["error"]["code"]) == ("2.0", code), answer
    assert answer["error"]["message"]


@pytest.mark.parametrize(
    "line",
    [
        f'[{{"jsonrpc":"2.0","id":1,{HIDDEN}}}]',
        f'[{{"jsonrpc":"2.0","id":1,{FINE}}},{{"jsonrpc":"2.0","id":2,{HIDDEN}}}]',
        f'[{{"jsonrpc":"2.0",{HIDDEN}}}]',
        f' \t[ {{"jsonrpc":"2.0","id":1,{FINE}}} ] ',
        f'[[{{"jsonrpc":"2.0","id":1,{HIDDEN}}}]]',
        "[]",
        "[1]",
        '["tools/call"]',
    ],
)
def test_b1_a_batch_is_refused_whole(arena: Arena, line: str) -> None:
    refused(arena, line, REQUEST)


@pytest.mark.parametrize("call", [HIDDEN, FINE])
@pytest.mark.parametrize("identifier", ["null", "1.0", "1e0", "-0", "1.5", "true", "[1]", "{}", '["a"]'])
def test_b2_a_call_whose_id_is_no_id_is_not_relayed(arena: Arena, identifier: str, call: str) -> None:
    refused(arena, f'{{"jsonrpc":"2.0","id":{identifier},{call}}}', REQUEST)
    refused(arena, f'{{"jsonrpc":"2.0",{call},"id":{identifier}}}', REQUEST)


@pytest.mark.parametrize("call", [HIDDEN, FINE])
def test_b2_a_call_without_an_id_is_not_relayed(arena: Arena, call: str) -> None:
    refused(arena, f'{{"jsonrpc":"2.0",{call}}}', REQUEST)


@pytest.mark.parametrize("method", ["resources/read", "tools/list", "prompts/get", "x/y", "tools/call/", "Tools/Call"])
def test_b2_no_request_passes_as_a_notification(arena: Arena, method: str) -> None:
    arena.refuses(f'{{"jsonrpc":"2.0","method":"{method}","params":{{"name":"delete_file",@META}}}}', answered=False)


def test_b2_an_id_in_flight_is_not_taken_twice(arena: Arena) -> None:
    before = arena.mark()
    slow = f'{{"jsonrpc":"2.0","id":"twice",{FINE}}}'.encode()
    arena.send(slow + b"\n" + slow)
    answers = [arena.gateway.answer("twice") for _ in range(2)]
    assert sorted("error" in answer for answer in answers) == [False, True]
    assert len(arena.arrivals(before)) == 1


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e999",
        "1e-99999999999999999999",
        "0e99999999999999999999",
        "01",
        "+1",
        ".5",
        "5.",
        "0x1F",
        "1_000",
        "--1",
        "1e",
        "'a'",
        "undefined",
        "True",
        "nan",
        "[1,]",
        '{"a":1,}',
        '"\\x41"',
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"a\tb"',
        '"\x00"',
        "1 //c",
        "1 2",
        "/* */1",
        "9" * 700,
        "1" + "0" * 400,
    ],
)
def test_b3_what_is_not_json_is_not_relayed(arena: Arena, value: str) -> None:
    for call in (HIDDEN.replace('"k"}', f'"k","x":{value}}}'), FINE.replace('"k":1', f'"k":{value}')):
        refused(arena, f'{{"jsonrpc":"2.0","id":"b3",{call}}}', PARSE)


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe{}",
        b'{"jsonrpc":"2.0","id":1,' + HIDDEN.replace("delete", "\udcff").encode("utf-8", "surrogateescape") + b"}",
        b'{"jsonrpc":"2.0","id":1,"method":"\xc0\xaf"}',
        b'{"jsonrpc":"2.0","id":1,"method":"\xed\xa0\x80"}',
        f'{{"jsonrpc":"2.0","id":1,{FINE}'.encode(),
        f'{{"jsonrpc":"2.0","id":1,{FINE}}}}}'.encode(),
        f'{{"jsonrpc":"2.0","id":1,{FINE}}} {{"jsonrpc":"2.0","id":2,{HIDDEN}}}'.encode(),
        f'{{"jsonrpc":"2.0","id":1,{FINE}}}'.encode("utf-16"),
        b"Content-Length: 20",
        b"\x00",
        b"{",
        b'"',
        b"\\",
    ],
)
def test_b3_bytes_that_are_no_message_are_not_relayed(arena: Arena, line: bytes) -> None:
    refused(arena, line, PARSE)


@pytest.mark.parametrize("line", ["null", "5", '"tools/call"', "true", "{}", '{"id":1}', '{"jsonrpc":"2.0"}'])
def test_b3_json_that_is_no_message_is_not_relayed(arena: Arena, line: str) -> None:
    assert arena.refuses(line, 1 if "id" in line else None)["error"]["code"] == REQUEST


@pytest.mark.parametrize(
    "version",
    [
        "",
        '"jsonrpc":"1.0",',
        '"jsonrpc":2.0,',
        '"jsonrpc":"2.0 ",',
        '"jsonrpc":null,',
        '"jsonrpc":["2.0"],',
        '"jsonrpc":"\uff12.0",',
        '"jsonrpc":2,',
        '"JSONRPC":"2.0",',
    ],
)
def test_b4_another_jsonrpc_is_not_relayed(arena: Arena, version: str) -> None:
    refused(arena, f'{{{version}"id":"b4",{HIDDEN}}}', REQUEST, "b4")
    refused(arena, f'{{{version}"id":"b4",{FINE}}}', REQUEST, "b4")


@pytest.mark.parametrize(
    "line",
    [
        f'{{"jsonrpc":"2.0","id":1,"method":"ping",{HIDDEN}}}',
        f'{{"jsonrpc":"2.0","id":1,{HIDDEN},"method":"ping"}}',
        f'{{"jsonrpc":"2.0","id":1,{FINE},"params":{{"name":"delete_file"}}}}',
        f'{{"jsonrpc":"2.0","id":1,"id":2,{FINE}}}',
        f'{{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,{FINE}}}',
        f'{{"jsonrpc":"2.0","id":1,"\\u006dethod":"ping",{HIDDEN}}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file","name":"get_identity",@META}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_identity","name":"delete_file",@META}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_identity","nam\\u0065":"delete_file"}}',
        f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{GOOD}","arguments":{{}},"arguments":{{"a":1}}}}}}',
        f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{GOOD}","arguments":{{"a":1,"\\u0061":2}},@META}}}}',
        f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{GOOD}","arguments":{{"a":[{{"b":1,"b":2}}]}}}}}}',
        f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{GOOD}",@META,@META}}}}',
    ],
)
def test_b5_a_key_that_stands_twice_is_not_relayed(arena: Arena, line: str) -> None:
    refused(arena, line, REQUEST, None if line.count('"id"') > 1 else 1)


FOLDED = [
    "Method",
    "METHOD",
    "\uff4dethod",
    "met\u200bhod",
    "\u2060method",
    "method\u00ad",
    "ID",
    "Params",
    "PARAMS",
    "param\u017f",
    "Id",
    "\u200did",
    "Jsonrpc",
    "jsonrpc\ufeff",
    "Result",
    "ERROR",
    "\u2170d",
]


@pytest.mark.parametrize("key", FOLDED)
def test_b6_a_key_of_the_envelope_that_only_reads_like_one_is_refused(arena: Arena, key: str) -> None:
    value = '{"name":"delete_file"}' if "aram" in key.casefold() else '"tools/call"'
    refused(arena, f'{{"jsonrpc":"2.0","id":"b6",{FINE},"{key}":{value}}}', REQUEST, "b6")
    refused(arena, f'{{"jsonrpc":"2.0","id":"b6","{key}":{value},{FINE}}}', REQUEST, "b6")
    instead = "".join(f"\\u{ord(char):04x}" for char in key)
    refused(arena, f'{{"jsonrpc":"2.0","id":"b6","{instead}":{value},{HIDDEN}}}', REQUEST, "b6")


@pytest.mark.parametrize(
    "key",
    [
        "Name",
        "NAME",
        "\uff4eame",
        "na\u200bme",
        "name\u2063",
        "Arguments",
        "argument\u017f",
        "ARGUMENTS",
        "_META",
        "arg\u00aduments",
        "\U0001d427ame",
        "Task",
        "requeststate",
    ],
)
def test_b6_a_key_of_a_call_that_only_reads_like_one_is_refused(arena: Arena, key: str) -> None:
    value = '{"key":"k"}' if "rg" in key.casefold() else '"delete_file"'
    for line in (f'"{key}":{value},"name":"{GOOD}"', f'"name":"{GOOD}","arguments":{{}},"{key}":{value}'):
        refused(arena, f'{{"jsonrpc":"2.0","id":"b6","method":"tools/call","params":{{{line}}}}}', REQUEST, "b6")


def test_b6_keys_that_nobody_knows_arrive_as_they_are(arena: Arena) -> None:
    before = arena.mark()
    extra = '"x":{"Method":1,"method":2},"trace":"é"'
    arena.send(f'{{"jsonrpc":"2.0","id":"b6",{extra},{FINE[:-1]},{extra}}}}}')
    assert arena.gateway.answer("b6")["result"]["structuredContent"] == {"echo": {"k": 1}}
    (body,) = map(json.loads, arena.arrivals(before))
    assert body["x"] == body["params"]["x"] == {"Method": 1, "method": 2}
    assert body["trace"] == body["params"]["trace"] == "é"


@pytest.mark.parametrize("value", ["[]", '["a"]', '"{}"', '"text"', "5", "true", "false", "null", "0", '""', "1.5"])
@pytest.mark.parametrize("tool", ["delete_file", GOOD])
def test_b7_arguments_that_are_no_object_are_not_relayed(arena: Arena, tool: str, value: str) -> None:
    params = f'{{"name":"{tool}","arguments":{value},@META}}'
    refused(arena, f'{{"jsonrpc":"2.0","id":"b7","method":"tools/call","params":{params}}}', PARAMS, "b7")


@pytest.mark.parametrize(
    "params",
    [
        "",
        ',"params":[]',
        ',"params":null',
        ',"params":"x"',
        ',"params":["delete_file"]',
        ',"params":{}',
        ',"params":5',
        *(f',"params":{{"name":{name},@META}}' for name in ("null", "5", "[]", '["delete_file"]', "{}", "true")),
    ],
)
def test_b7_a_call_whose_tool_is_no_name_is_not_relayed(arena: Arena, params: str) -> None:
    refused(arena, f'{{"jsonrpc":"2.0","id":"b7","method":"tools/call"{params}}}', PARAMS, "b7")


@pytest.mark.parametrize("extra", ['"result":{}', '"error":{"code":1,"message":"m"}', '"result":null'])
def test_b7_a_request_that_is_a_response_too_is_not_relayed(arena: Arena, extra: str) -> None:
    refused(arena, f'{{"jsonrpc":"2.0","id":"b7",{FINE},{extra}}}', REQUEST, "b7")
    refused(arena, f'{{"jsonrpc":"2.0","id":"b7",{extra},{HIDDEN}}}', REQUEST, "b7")


@pytest.mark.parametrize("method", ["null", "5", '["tools/call"]', "{}", "true"])
def test_b7_a_method_that_is_no_text_is_not_relayed(arena: Arena, method: str) -> None:
    line = f'{{"jsonrpc":"2.0","id":"b7",{HIDDEN}}}'.replace('"tools/call"', method)
    refused(arena, line, REQUEST, "b7")


@pytest.mark.parametrize(
    "body",
    [
        '"id":"gw-1","result":{}',
        '"id":1,"result":{"name":"delete_file"},"params":{"name":"delete_file"}',
        '"id":"gw-00000000-1","error":{"code":1,"message":"m"}',
    ],
)
def test_b7_a_response_to_nothing_that_was_asked_is_not_relayed(arena: Arena, body: str) -> None:
    arena.refuses(f'{{"jsonrpc":"2.0",{body}}}', answered=False)


@pytest.mark.parametrize(
    "arguments",
    [
        '{"n":9007199254740993,"m":-9007199254740993,"o":123456789012345678901234567890}',
        '{"n":12345678901234567890.12345678901234567890,"m":0.1000000000000000055511151231257827}',
        '{"n":1.0,"m":1e5,"o":1E+2,"p":-0,"q":-0.0,"r":0.0e-5,"s":1.10,"t":5e-324,"u":1e-400}',
        '{"n":18446744073709551616,"list":[1.50,[2.500,{"x":3.0}]],"zero":0}',
        '{"__proto__":{"a":1},"constructor":null,"":"","\\u0000":"\\u0000","a b":"\\ud83d\\udd11"}',
        '{"t":"\\u2028\\u2029\\u0085\\ufeff\\u200b\\u202e","n":"é","d":"é","esc":"\\/\\"\\\\\\b\\f\\n\\r\\t"}',
        '{"b":1,"a":2,"B":3,"\\u00c5":4,"A\\u030a":5,"\\u017f":6,"s":7}',
        '{"a":[' * 60 + "1.0" + "]}" * 60,
    ],
)
def test_b12_arguments_arrive_exactly_as_they_were_written(arena: Arena, arguments: str) -> None:
    assert "structuredContent" in arena.allows(GOOD, arguments)


def test_b12_the_order_of_keys_and_the_absence_of_arguments_arrive(arena: Arena) -> None:
    before = arena.mark()
    arena.send('{"id":"b12","params":{@META,"name":"get_identity"},"method":"tools/call","jsonrpc":"2.0"}')
    assert "result" in arena.gateway.answer("b12")
    (body,) = map(json.loads, arena.arrivals(before))
    assert list(body) == ["id", "params", "method", "jsonrpc"]
    assert list(body["params"]) == ["_meta", "name"]


@pytest.mark.parametrize(
    "identifier", ["9007199254740993", '"é\\u2028"', '""', '"1"', "1", "-5", "0", '"null"', "1" * 40]
)
def test_b12_ids_come_back_as_they_were(arena: Arena, identifier: str) -> None:
    arena.send(f'{{"jsonrpc":"2.0","id":{identifier},{FINE}}}')
    assert "result" in arena.gateway.answer(json.loads(identifier))


BREAKS = {"CR": "\r", "LINE SEPARATOR": "\u2028", "PARAGRAPH SEPARATOR": "\u2029", "NEXT LINE": "\u0085"}
BREAKS |= {"VERTICAL TAB": "\x0b", "FORM FEED": "\x0c", "NUL": "\x00", "FILE SEPARATOR": "\x1c", "BOM": "\ufeff"}


@pytest.mark.parametrize("mark", BREAKS.values(), ids=BREAKS.keys())
def test_b29_only_a_line_feed_ends_a_message(arena: Arena, mark: str) -> None:
    one, two = f'{{"jsonrpc":"2.0","id":1,{FINE}}}', f'{{"jsonrpc":"2.0","id":2,{HIDDEN}}}'
    refused(arena, one + mark + two, PARSE)
    refused(arena, two + mark + one, PARSE)


@pytest.mark.parametrize("mark", ["\ufeff", "\x00", "\x0c", "\u2028", "\u00a0", "\x1b[2K"])
def test_b29_nothing_but_white_space_stands_around_a_message(arena: Arena, mark: str) -> None:
    refused(arena, f'{mark}{{"jsonrpc":"2.0","id":1,{FINE}}}', PARSE)
    refused(arena, f'{{"jsonrpc":"2.0","id":1,{FINE}}}{mark}', PARSE)


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\u0085", "\ufeff", "\u007f"])
def test_b29_what_is_no_line_feed_arrives_within_a_text(arena: Arena, mark: str) -> None:
    arena.allows(GOOD, f'{{"a{mark}b":"c{mark}{mark}d"}}')


def test_b29_a_message_is_the_same_however_its_bytes_are_cut(arena: Arena) -> None:
    before = arena.mark()
    line = f'{{"jsonrpc":"2.0","id":"cut",{FINE}}}'.replace('"k":1', '"k":"é\U0001f511\u2028"').replace(",@META", "")
    for byte in f" \t{line} \r\n".encode():
        arena.gateway.send(bytes([byte]))
    answer = arena.gateway.answer("cut")
    (body,) = arena.arrivals(before)
    assert exact(body) == exact(line)
    assert ("result" in answer) == (arena.era == "handshake")


def test_b29_blank_lines_are_nothing(arena: Arena) -> None:
    arena.refuses("\n\n  \r\n\t\n", answered=False)
