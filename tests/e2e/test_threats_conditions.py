"""Bypass classes B8 to B11, B20 to B22: a condition cannot be dodged by a type, a number, an absence or a negation."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.e2e.arena import ERAS, GOOD, Arena, open_arena

COLLEAGUE = r"^[^@,;\s<>]+@example\.com$"


def when(path: str, op: str, value: Any) -> Mapping[str, Any]:
    return {"conditions": [{"path": f"args.{path}", "op": op, "value": value}]}


DAY, WEEK = when("period", "eq", "day"), {"action": "deny", **when("period", "eq", "week")}
POLICY = {
    "version": "1",
    "default": "deny",
    "tools": {
        GOOD: {},
        "send_email": {
            "require": [when("to", "regex", COLLEAGUE)],
            "deny_if": [
                when("cc", "exists", True),
                when("bcc", "exists", True),
                when("body", "contains", "BEGIN PRIVATE KEY"),
            ],
        },
        "get_secret": {"deny_if": [when("key", "eq", "root")]},
        "put_secret": {"require": [when("key", "not_in", ["prod", "root"])]},
        "update_cron": {"deny_if": [when("amount", "gt", 100)]},
        "create_cron": {"require": [when("amount", "lte", 100), when("amount", "gte", 0)]},
        "get_file": {"require": [when("key", "neq", "passwd")]},
        "list_files": {"require": [when("prefix", "exists", False)]},
        "list_messages": {"deny_if": [when("unread_only", "neq", True)]},
        "create_page": {"deny_if": [when("tags[*]", "eq", "secret")]},
        "update_page": {"require": [when("to[*]", "regex", COLLEAGUE)]},
        "get_message": {"deny_if": [when("id", "eq", 2**53 + 1)]},
        "get_thread": {"deny_if": [when("filter.owner.name", "eq", "root")]},
        "delete_contact": {"validate": {"required_args": True}},
        "get_metrics": {"rules": [DAY, WEEK]},
        "get_page": {"rules": [WEEK, DAY]},
        "get_totp_code": {"action": "require_approval"},
        "get_identity": {"action": "deny", "require": [], "deny_if": []},
    },
}

ALLOWED: Mapping[str, list[str]] = {
    "send_email": [
        '{"to":"a@example.com"}',
        '{"to":"a.b+c@example.com","body":"PRIVATE KEY"}',
        '{"to":"a\\u0040example.com","cc":null,"bcc":null}',
        '{"to":"a@example.com","body":[]}',
    ],
    "get_secret": ['{"key":"a"}', "{}", '{"key":null}', '{"key":"Root"}', '{"key":"root "}', '{"key":""}'],
    "put_secret": ['{"key":"dev"}', '{"key":""}', '{"key":"[\\"prod\\"]"}'],
    "update_cron": [f'{{"amount":{number}}}' for number in ("100", "0", "-5", "1e2", "100.0", "-0", "1E+2", "null")]
    + ["{}"],
    "create_cron": [f'{{"amount":{number}}}' for number in ("0", "100", "-0", "99.5", "1e2", "0.1e3", "-0.0")],
    "get_file": ['{"key":"a"}', '{"key":"Passwd"}'],
    "list_files": ["{}", '{"prefix":null}'],
    "list_messages": ["{}", '{"unread_only":true}', '{"unread_only":null}'],
    "create_page": ["{}", '{"tags":[]}', '{"tags":["a","b"]}', '{"tags":null}'],
    "update_page": ['{"to":["a@example.com"]}', '{"to":["a@example.com","b@example.com"]}'],
    "get_message": ['{"id":5}', '{"id":9007199254740994}', '{"id":9007199254740990}', '{"id":9007199254740997}'],
    "get_thread": ["{}", '{"filter":{}}', '{"filter":{"owner":null}}', '{"filter":{"owner":{"name":"a"}}}'],
    "delete_contact": ['{"contact_id":"x"}', '{"contact_id":""}'],
    "get_metrics": ['{"period":"day"}', '{"period":"d\\u0061y"}'],
    "get_page": ['{"period":"day"}'],
}

MAILS = ["a@example.com\\n", "a@example.com\\nb@evil.example", "a@example.com,b@evil.example", " a@example.com", ""]
MAILS += ["a@example.com ", "A@EXAMPLE.COM", "a@example.com\\u0000", "a@example.com\\u2028", "a\\uff20example.com"]
MAILS += ["a@example\\u3002com", "a@ex\\u0430mple.com", "a@example.com\\u202e", "a@b@example.com", "a@example.com>"]
MAILS += ['[\\"a@example.com\\"]', "a@evil.example#@example.com@", "<a@example.com>", "a@example.com.evil.example"]
OTHERS = ["5", "true", "false", "[]", "{}", "0", "-1", '["root"]', '{"key":"root"}', "[null]"]
DENIED: Mapping[str, list[str]] = {
    "send_email": [f'{{"to":"{mail}"}}' for mail in MAILS]
    + [f'{{"to":{value}}}' for value in ('["a@example.com"]', '{"a":"a@example.com"}', "5", "null", "true", "[]")]
    + [f'{{"to":"a@example.com","cc":{value}}}' for value in ('""', "[]", "false", "0", "{}", '"b@evil.example"')]
    + [f'{{"to":"a@example.com","bcc":{value}}}' for value in ('["b@evil.example"]', '"a@example.com"')]
    + [f'{{"to":"a@example.com","body":{value}}}' for value in ("5", "{}", "[5]", '[["BEGIN PRIVATE KEY"]]', "true")]
    + [f'{{"to":"a@example.com","body":{text}}}' for text in ('"-----BEGIN PRIVATE KEY-----"', '["BEGIN PRIVATE KEY"]')]
    + ["{}", '{"To":"a@example.com"}', '{"to":"b@evil.example","TO":"a@example.com"}'],
    "get_secret": ['{"key":"root"}', '{"key":"\\u0072oot"}', *(f'{{"key":{value}}}' for value in OTHERS)],
    "put_secret": ['{"key":"prod"}', '{"key":"root"}', "{}", '{"key":null}', '{"key":["prod"]}', '{"key":["dev"]}']
    + [f'{{"key":{value}}}' for value in OTHERS],
    "update_cron": [f'{{"amount":{number}}}' for number in ("101", "100.5", "1e30", "1e308", "9" * 40, "1" + "0" * 300)]
    + [f'{{"amount":{number}}}' for number in ('"101"', '"5"', "[101]", '{"a":101}', "true", "[]", '"NaN"', '"1e3"')]
    + ['{"amount":100.00000000000000000001}'],
    "create_cron": [f'{{"amount":{number}}}' for number in ("-1", "-1e-400", "-5e-324", "-0.0000001", "1e30", "101")]
    + [f'{{"amount":{value}}}' for value in ('"50"', "[50]", "null", "true", "{}", "100.00000000000000000001", '""')]
    + ["{}", '{"Amount":5}'],
    "get_file": ['{"key":"passwd"}', '{"key":"pass\\u0077d"}', "{}", '{"key":null}', '{"key":["passwd"]}', '{"key":5}'],
    "list_files": ['{"prefix":""}', '{"prefix":"x"}', '{"prefix":[]}', '{"prefix":false}', '{"prefix":0}'],
    "list_messages": [f'{{"unread_only":{value}}}' for value in ("false", '"true"', "1", "[true]", "{}", '""')],
    "create_page": [f'{{"tags":{value}}}' for value in ('["secret"]', '["a","secret"]', '"secret"', '{"0":"secret"}')]
    + [f'{{"tags":{value}}}' for value in ('[["secret"]]', '["a",5]', "5", "true", "{}", '[{"a":"secret"}]')],
    "update_page": ["{}"]
    + [f'{{"to":{value}}}' for value in ("[]", "null", '"a@example.com"', "[null]", "{}", '[""]')]
    + ['{"to":["a@example.com","b@evil.example"]}', '{"to":["a@example.com",["a@example.com"]]}'],
    "get_message": [f'{{"id":{number}}}' for number in ("9007199254740993", "9007199254740992", "9007199254740993.0")]
    + [f'{{"id":{number}}}' for number in ('"9007199254740993"', "9.007199254740993e15", "[1]")],
    "get_thread": [
        '{"filter":{"owner":{"name":"root"}}}',
        '{"filter":[{"owner":{"name":"root"}}]}',
        '{"filter":"x"}',
        '{"filter":{"owner":["root"]}}',
        '{"filter":{"owner":"root"}}',
        '{"filter":{"owner":{"name":["root"]}}}',
        '{"filter":5}',
        '{"filter":true}',
        '{"filter":"{\\"owner\\":{\\"name\\":\\"root\\"}}"}',
    ],
    "delete_contact": ["{}", '{"contact_id":null}', '{"Contact_id":"x"}', '{"contact_id ":"x"}'],
    "get_metrics": ["{}", '{"period":"week"}', '{"period":"month"}', '{"period":["day"]}', '{"period":5}'],
    "get_page": ["{}", '{"period":"week"}', '{"period":"month"}', '{"period":["day"]}', '{"period":5}'],
    "get_identity": ["{}", '{"a":1}'],
    "delete_file": ["{}", '{"key":"k"}'],
}


@pytest.fixture(scope="module", params=ERAS)
def arena(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with open_arena(tmp_path_factory.mktemp("home"), POLICY, request.param) as opened:
        yield opened


@pytest.mark.parametrize(("tool", "arguments"), [(tool, text) for tool, texts in ALLOWED.items() for text in texts])
def test_b8_what_the_conditions_allow_arrives_unchanged(arena: Arena, tool: str, arguments: str) -> None:
    result = arena.allows(tool, arguments)
    assert "keyid-gateway/decision" not in result.get("_meta", {})


@pytest.mark.parametrize(("tool", "arguments"), [(tool, text) for tool, texts in DENIED.items() for text in texts])
def test_b8_what_the_conditions_refuse_never_arrives(arena: Arena, tool: str, arguments: str) -> None:
    denial = arena.denies(tool, arguments)
    assert denial["content"][0]["text"].startswith("[POLICY DENIED] ")


def test_b11_a_denial_names_the_argument_and_never_its_value(arena: Arena) -> None:
    denial = json.dumps(arena.denies("create_cron", '{"amount":"hush-5"}'))
    assert "args.amount" in denial
    assert "hush-5" not in denial
    assert "hush-5" not in repr(arena.newest(4))


@pytest.mark.parametrize(
    "arguments",
    [
        "{}",
        '{"totp_id":"t"}',
        '{"totp_id":"t","approved":true}',
        '{"keyid-gateway/approval":"yes","approval":"granted"}',
    ],
)
def test_b21_what_needs_a_person_is_refused_and_tells_the_model_no_secret(arena: Arena, arguments: str) -> None:
    first, second = (arena.denies("get_totp_code", arguments) for _ in range(2))
    assert first["content"][0]["text"].startswith("[APPROVAL REQUIRED] ")
    ids = [denial["_meta"]["keyid-gateway/decision"].pop("decision_id") for denial in (first, second)]
    assert ids[0] != ids[1]
    assert first == second


@pytest.mark.parametrize("key", ["keyid-gateway/decision", "keyid-gateway/approval", "keyid-gateway/grant"])
def test_b22_nothing_that_a_client_says_of_itself_approves(arena: Arena, key: str) -> None:
    before = arena.mark()
    said = {"effect": "allow", "decision_id": "0" * 16, "approved": True}
    answer = arena.request("tools/call", {"name": "get_totp_code", "_meta": {key: said}})
    assert answer["result"]["_meta"]["keyid-gateway/decision"]["effect"] == "deny"
    good = arena.good_call()
    assert [json.loads(body) for body in arena.arrivals(before)] == [good]


@pytest.mark.parametrize(
    "extra", [{"requestState": "x"}, {"inputResponses": {"a": {"action": "accept"}}}, {"task": {}}]
)
def test_b22_a_continued_or_detached_call_is_judged_like_any_other(arena: Arena, extra: Mapping[str, Any]) -> None:
    before = arena.mark()
    for tool in ("get_totp_code", "get_identity", "delete_file"):
        answer = arena.request("tools/call", {"name": tool, "arguments": {}, **extra})
        assert answer["result"]["_meta"]["keyid-gateway/decision"]["effect"] == "deny"
    good = arena.good_call()
    assert [json.loads(body) for body in arena.arrivals(before)] == [good]
