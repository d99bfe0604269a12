"""Every mistake of a document, told whole: place, words, hint."""

from decimal import Decimal

import pytest

from gateway.errors import ConfigError
from gateway.policy import Limit, PolicyError, Problem, load

WINDOWS = "one of `minute`, `hour`, `day`, `session`, or a number of seconds"
MANY = "name one: `[0]` in place of `[*]`"
FORMS = 'paths look like `args.to`, `args.list[0]`, `args.list[*].x` or `args["odd.name"]`'


def report(text: str | bytes) -> str:
    with pytest.raises(PolicyError) as caught:
        load(text.encode() if isinstance(text, str) else text, name="policy.json")
    return str(caught.value)


def lines(*problems: tuple[str, str]) -> str:
    return "\n".join(f"policy.json:{message}\n    hint: {hint}" for message, hint in problems)


def document(more: str) -> str:
    return f'{{"version": "1", "default": "deny",\n{more}\n}}'


def entry(fields: str) -> str:
    return document(f'"tools": {{"t": {{\n{fields}}}}}')


# --- the text ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (b"", "1:1: the document is empty", 'the shortest policy is `{"version": "1", "default": "deny"}`'),
        (b" \n", "1:1: the document is empty", 'the shortest policy is `{"version": "1", "default": "deny"}`'),
        (b'{\n "\xc3\xa9": "\xff"}', "2:8: the document is not valid UTF-8", "save it as UTF-8"),
        (b"\xff\xfe{\0}\0", "1:1: the document is not valid UTF-8", "save it as UTF-8"),
        (
            b'{\n  "version": "1"\n  "default": "deny"\n}',
            "3:3: not valid JSON: expecting ',' delimiter",
            "check the brackets, commas and quotes before this place",
        ),
        (
            b'{"version": "1",}',
            "1:16: not valid JSON: a comma before a closing bracket",
            "take the comma out",
        ),
        (
            rb'{"version": "\d"}',
            "1:14: not valid JSON: `\\d` is no escape",
            "in JSON a backslash is written twice: `\\\\d`",
        ),
        (b"[1 , ]", "1:4: not valid JSON: a comma before a closing bracket", "take the comma out"),
        (
            b"{1: 2}",
            "1:2: not valid JSON: expecting property name enclosed in double quotes",
            "check the brackets, commas and quotes before this place",
        ),
        (
            b'{"a": "x\n"',
            "1:9: not valid JSON: invalid control character",
            "check the brackets, commas and quotes before this place",
        ),
        (
            b'{"a": "x}',
            "1:7: not valid JSON: unterminated string",
            "check the brackets, commas and quotes before this place",
        ),
        (b"// policy\n{}", "1:1: not valid JSON: expecting value", "JSON has no comments; use `description`"),
        (
            b"{'version': '1'}",
            "1:2: not valid JSON: expecting property name enclosed in double quotes",
            "JSON knows double quotes only",
        ),
        (b'{"a": NaN}', "1:7: not valid JSON: `NaN` is not a number", "JSON numbers are finite"),
        (
            b'{"a": "NaN", "b": -Infinity}',
            "1:19: not valid JSON: `-Infinity` is not a number",
            "JSON numbers are finite",
        ),
        (b"[" * 200 + b"]" * 200, "1:129: nested deeper than 128 levels", "no policy needs that"),
        (b"[]", "1:1: must be an object, not a list", "write `{ \u2026 }`"),
        (b"null", "1:1: must be an object, not null", "write `{ \u2026 }`"),
        (b" " * (8 * 1024 * 1024 + 1), "1:1: the document is larger than 8 MiB", "keep data out of the policy"),
    ],
)
def test_a_text_that_is_no_document_is_one_problem(data: bytes, message: str, hint: str) -> None:
    assert report(data) == lines((message, hint))


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert load(b'\xef\xbb\xbf{"version": "1", "default": "deny"}', name="p").default == "deny"


def test_doubled_keys_are_all_reported_with_the_rest() -> None:
    text = '{"version": "1", "default": "deny",\n "default": "allow", "tools": {"t": {}, "t": {"requires": []}}}'
    twice = "write it once: which of the two is meant, nobody can tell"
    assert report(text) == lines(
        ("2:2: /default: the key `default` stands twice", twice),
        ("2:41: /tools/t: the key `t` stands twice", twice),
        ("2:47: /tools/t/requires: unknown key `requires`", "did you mean `require`?"),
    )


def test_a_number_beyond_a_double_and_half_a_character_are_reported_in_place() -> None:
    condition = '{"path": "args.a", "op": "%s", "value": %s}'
    text = entry(
        f'"require": [{{"conditions": [{condition % ("lt", "1e999")}, {condition % ("lt", "1e-99999999999999999999")},'
        f" {condition % ('eq', chr(34) + chr(92) + 'ud800' + chr(34))}]}}]"
    )
    assert [line.split(": ", 2)[2] for line in report(text).splitlines()[::2]] == [
        "the number is beyond the range of a double",
        "the number is beyond the range of a double",
        "half a surrogate pair: the text is not valid Unicode",
    ]


# --- the shape --------------------------------------------------------------------------------------------------------


def test_the_report_of_a_document_names_every_mistake_at_once() -> None:
    text = """{
  "version": 1,
  "defualt": "deny",
  "tools": {
    "send_email": {
      "limits": [
        { "counter": "c", "window": "hourly", "max": 0, "scope": "grant" }
      ],
      "require": [{ "conditions": [{ "path": "to", "op": "equals", "value": 1 }] }]
    }
  }
}"""
    assert report(text) == lines(
        ("1:1: `default` is missing", "required here: `version`, `default`"),
        ("2:14: /version: must be a string, not a number", 'one of `"1"`'),
        ("3:3: /defualt: unknown key `defualt`", "did you mean `default`?"),
        ("7:37: /tools/send_email/limits/0/window: `hourly` is not a window", WINDOWS),
        (
            "7:54: /tools/send_email/limits/0/max: must be more than 0",
            "to refuse every call, write `action`: `deny`",
        ),
        (
            "9:46: /tools/send_email/require/0/conditions/0/path: `to` is not the root of a path",
            "did you mean `args.to`?",
        ),
        (
            "9:58: /tools/send_email/require/0/conditions/0/op: `equals` is not an operator",
            "did you mean `eq`?",
        ),
    )


@pytest.mark.parametrize(
    ("more", "message", "hint"),
    [
        ('"default_action": "deny"', "2:1: /default_action: unknown key `default_action`", "did you mean `default`?"),
        (
            '"x": 1',
            "2:1: /x: unknown key `x`",
            (
                "known here: `$schema`, `version`, `description`, `default`, `mode`, `hide`, `all_tools`, `tools`, "
                "`methods`, `resources`, `prompts`, `timezone`"
            ),
        ),
        ('"mode": "watch"', "2:9: /mode: `watch` is not a mode", "one of `enforce`, `observe`"),
        ('"methods": {}', "2:12: /methods: `default` is missing", "required here: `default`"),
        ('"resources": null', "2:14: /resources: must be an object, not null", "write `{ \u2026 }`"),
        (
            '"resources": {"default": "deny", "alow": []}',
            "2:34: /resources/alow: unknown key `alow`",
            "did you mean `allow`?",
        ),
        (
            '"prompts": {"default": "deny", "allow": [""]}',
            "2:42: /prompts/allow/0: a pattern has 1 to 2048 characters",
            "write it like `keyid://inbox/*`",
        ),
        (
            '"resources": {"default": "deny", "deny": ["a%2fb"]}',
            "2:43: /resources/deny/0: `a%2fb` has an encoded character",
            "write the character itself: patterns are compared with what an address means",
        ),
        *(
            (
                f'"timezone": "{name}"',
                f"2:13: /timezone: `{name}` is not a time zone",
                "write it like `Europe/Berlin`, or `UTC`",
            )
            for name in ("Europe/Atlantis", "../../etc/passwd", "Europe", "")
        ),
        ('"timezon": "UTC"', "2:1: /timezon: unknown key `timezon`", "did you mean `timezone`?"),
        ('"hide": "x"', "2:9: /hide: must be a list, not a string", "write `[ \u2026 ]`"),
        ('"hide": [1]', "2:10: /hide/0: must be a string, not a number", "write it in double quotes"),
        ('"description": 5', "2:16: /description: must be a string, not a number", "write it in double quotes"),
        ('"description": null', "2:16: /description: must be a string, not null", "write it in double quotes"),
        ('"tools": []', "2:10: /tools: must be an object, not a list", "write `{ \u2026 }`"),
        ('"tools": {"t": null}', "2:16: /tools/t: must be an object, not null", "write `{ \u2026 }`"),
        (
            '"tools": {"*": {}}',
            "2:11: /tools/*: the key `*` would open every tool",
            "for restrictions of every tool use `all_tools`, to open every tool `default`: `allow`",
        ),
        (
            '"tools": {"**": {}}',
            "2:11: /tools/**: the key `**` would open every tool",
            "for restrictions of every tool use `all_tools`, to open every tool `default`: `allow`",
        ),
        (
            '"all_tools": {"approve_if": {}}',
            "2:29: /all_tools/approve_if: must be a list, not an object",
            "write `[ … ]`",
        ),
        ('"all_tools": {"limit": []}', "2:15: /all_tools/limit: unknown key `limit`", "did you mean `limits`?"),
    ],
)
def test_a_mistake_at_the_top_level(more: str, message: str, hint: str) -> None:
    assert report(document(more)) == lines((message, hint))


CONDITION = "/tools/t/require/0/conditions/0"


@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        (
            '"action": "block"',
            "3:11: /tools/t/action: `block` is not an action",
            "one of `allow`, `deny`, `require_approval`",
        ),
        (
            '"action": null',
            "3:11: /tools/t/action: must be a string, not null",
            "one of `allow`, `deny`, `require_approval`",
        ),
        (
            '"validate": {"schema": "yes"}',
            "3:24: /tools/t/validate/schema: must be a boolean, not a string",
            "write `true` or `false`",
        ),
        (
            '"validate": {"required_args": 1}',
            "3:31: /tools/t/validate/required_args: must be a boolean, not a number",
            "write `true` or `false`",
        ),
        (
            '"rate_limit": "5 per hour"',
            "3:15: /tools/t/rate_limit: `5 per hour` is not a rate",
            "write it like `30/hour`; per `second`, `minute`, `hour` or `day`",
        ),
        (
            '"rate_limit": "0/hour"',
            "3:15: /tools/t/rate_limit: `0/hour` is not a rate",
            "write it like `30/hour`; per `second`, `minute`, `hour` or `day`",
        ),
        (
            '"rate_limit": 5',
            "3:15: /tools/t/rate_limit: must be an object, not a number",
            'write `"30/hour"` or `{ "max": 30, "window": 3600 }`',
        ),
        (
            '"rate_limit": null',
            "3:15: /tools/t/rate_limit: must be an object, not null",
            'write `"30/hour"` or `{ "max": 30, "window": 3600 }`',
        ),
        (
            '"rate_limit": {"max": 5}',
            "3:15: /tools/t/rate_limit: `window` is missing",
            "required here: `max`, `window`",
        ),
        (
            '"rate_limit": {"max": 5, "window": 0.5}',
            "3:36: /tools/t/rate_limit/window: must be whole seconds",
            "1 to 31622400",
        ),
        (
            '"rate_limit": {"max": 5, "window": 1e300}',
            "3:36: /tools/t/rate_limit/window: must be whole seconds",
            "1 to 31622400",
        ),
        (
            '"rate_limit": {"max": "5", "window": 60}',
            "3:23: /tools/t/rate_limit/max: must be a number, not a string",
            "write digits without quotes",
        ),
        ('"repeat": 5', "3:11: /tools/t/repeat: must be an object, not a number", "write `{ … }`"),
        ('"repeat": null', "3:11: /tools/t/repeat: must be an object, not null", "write `{ … }`"),
        ('"repeat": {"window": 60}', "3:11: /tools/t/repeat: `max` is missing", "required here: `max`, `window`"),
        (
            '"repeat": {"max": 0, "window": 60}',
            "3:19: /tools/t/repeat/max: must be a whole number",
            "1 to 1000",
        ),
        (
            '"repeat": {"max": 2.5, "window": 60}',
            "3:19: /tools/t/repeat/max: must be a whole number",
            "1 to 1000",
        ),
        (
            '"repeat": {"max": 1001, "window": 60}',
            "3:19: /tools/t/repeat/max: must be a whole number",
            "1 to 1000",
        ),
        (
            '"repeat": {"max": true, "window": 60}',
            "3:19: /tools/t/repeat/max: must be a number, not a boolean",
            "write digits without quotes",
        ),
        (
            '"repeat": {"max": 3, "window": "minute"}',
            "3:32: /tools/t/repeat/window: must be a number, not a string",
            "write digits without quotes",
        ),
        (
            '"repeat": {"max": 3, "window": 60, "on_deny": "no"}',
            "3:36: /tools/t/repeat/on_deny: unknown key `on_deny`",
            "known here: `max`, `window`",
        ),
        (
            '"rules": [{"repeat": {"max": 3, "window": 60}}]',
            "3:12: /tools/t/rules/0/repeat: unknown key `repeat`",
            "known here: `name`, `action`, `reason`, `rate_limit`, `validate`, `conditions`, `on_deny`",
        ),
        (
            '"rules": [{"when": []}]',
            "3:12: /tools/t/rules/0/when: unknown key `when`",
            "known here: `name`, `action`, `reason`, `rate_limit`, `validate`, `conditions`, `on_deny`",
        ),
        ('"require": [{}]', "3:13: /tools/t/require/0: `conditions` is missing", "required here: `conditions`"),
        (
            '"require": [{"conditions": [{"path": "args.a", "op": "eq"}]}]',
            f"3:29: {CONDITION}: `value` is missing",
            "required here: `path`, `op`, `value`",
        ),
        (
            '"require": [{"conditions": [{"path": 5, "op": "eq", "value": 1}]}]',
            f"3:38: {CONDITION}/path: must be a string, not a number",
            'paths look like `args.to`, `args.list[0]`, `args.list[*].x` or `args["odd.name"]`',
        ),
        (
            '"require": [{"conditions": [{"path": "session.call", "op": "gt", "value": 1}]}]',
            f"3:38: {CONDITION}/path: `session.call` is not a fact",
            (
                "one of `session.calls.<tool>`, `session.denials`, `grant.seconds_since.<tool>`, `grant`, `time.hour`, "
                "`time.weekday`, `client.name`, `tool.name`, `tool.annotations.<hint>`"
            ),
        ),
        (
            '"require": [{"conditions": [{"path": "args.a", "op": "regex", "value": "("}]}]',
            f"3:72: {CONDITION}/value: `(` is not a pattern: missing ): (",
            "patterns follow RE2: no look-around, no back-references",
        ),
        (
            '"require": [{"conditions": [{"path": "args.a", "op": "exists", "value": "yes"}]}]',
            f"3:73: {CONDITION}/value: `value` of `exists` must be a boolean, not a string",
            "`exists` compares with a boolean",
        ),
    ],
)
def test_a_mistake_in_an_entry(fields: str, message: str, hint: str) -> None:
    assert report(entry(fields)) == lines((message, hint))


LIMIT = {"counter": '"c"', "window": '"hour"', "max": "5", "scope": '"grant"'}


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (
            {"window": '"session"'},
            "/scope: the window `session` counts for one session only",
            "write `scope`: `session`; what outlives a session needs a window that ends",
        ),
        (
            {"window": '"session"', "scope": '"session"', "strategy": '"sliding"'},
            "/strategy: the window `session` never resets, so it has no strategy",
            "take it out",
        ),
        ({"window": "0"}, "/window: must be whole seconds", "1 to 31622400"),
        ({"window": "1.5"}, "/window: must be whole seconds", "1 to 31622400"),
        ({"window": '"hourly"'}, "/window: `hourly` is not a window", WINDOWS),
        ({"window": "null"}, "/window: must be a string or a number, not null", WINDOWS),
        ({"scope": '"user"'}, "/scope: `user` is not a scope", "one of `grant`, `session`, `server`"),
        ({"max": "1e-5000"}, "/max: cannot be counted exactly", "write a number with fewer digits"),
        ({"max": "-1"}, "/max: must be more than 0", "to refuse every call, write `action`: `deny`"),
        ({"max": "true"}, "/max: must be a number, not a boolean", "write digits without quotes"),
        ({"strategy": '"slide"'}, "/strategy: `slide` is not a strategy", "one of `fixed`, `sliding`"),
        ({"strategy": "null"}, "/strategy: must be a string, not null", "one of `fixed`, `sliding`"),
        ({"increment_from": '"args.n[*]"'}, "/increment_from: `args.n[*]` selects many values", MANY),
        ({"increment_from": "null"}, "/increment_from: must be a string, not null", FORMS),
        ({"per": '"client.name"'}, "/per: `client.name` is not an argument", FORMS),
        ({"counter": None}, ": `counter` is missing", "required here: `counter`, `window`, `max`, `scope`"),
        ({"scope": None}, ": `scope` is missing", "required here: `counter`, `window`, `max`, `scope`"),
    ],
)
def test_a_mistake_in_a_limit(change: dict[str, str | None], message: str, hint: str) -> None:
    fields = ", ".join(f'"{key}": {value}' for key, value in (LIMIT | change).items() if value is not None)
    told, told_hint = report(entry(f'"limits": [{{{fields}}}]')).splitlines()
    assert told.partition("/tools/t/limits/0")[2] == message
    assert told_hint == f"    hint: {hint}"


def test_the_same_counter_twice_is_a_mistake_though_others_stand_beside_it() -> None:
    limit = '{"counter": "c", "window": "hour", "max": 5, "scope": "grant"}'
    other = '{"counter": "c", "window": "day", "max": 5, "scope": "grant"}'
    hint = "give every limit a counter, a window or a scope of its own"
    assert report(entry(f'"limits": [{limit},\n{other},\n{limit}], "deny": 1')) == lines(
        ("5:1: /tools/t/limits/2: the counter `c` is the same as that of `/tools/t/limits/0`", hint),
        ("5:66: /tools/t/deny: unknown key `deny`", "did you mean `deny_if`?"),
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('"window": 60', '"window": 60.0'),
        ('"window": "hour", "strategy": "fixed"', '"window": "hour"'),
        ('"window": 60', '"window": 60, "strategy": "sliding"'),
        ('"window": "day", "per": "args.a"', '"window": "day", "per": "args.b"'),
    ],
)
def test_what_names_the_same_counter_in_two_ways_is_a_mistake(first: str, second: str) -> None:
    common = '"counter": "c", "max": 5, "scope": "grant"'
    text = entry(f'"limits": [{{{common}, {first}}}, {{{common}, {second}}}]')
    assert "/limits/1: the counter `c` is the same as that of `/tools/t/limits/0`" in report(text)


def test_a_rate_has_a_counter_that_no_limit_may_have() -> None:
    limit = '{"counter": "rate_limit", "window": 60, "max": 5, "scope": "session"}'
    text = entry(f'"rate_limit": {{"max": 1, "window": 60}}, "limits": [{limit}]')
    assert "/rate_limit: the counter `rate_limit` is the same as that of `/tools/t/limits/0`" in report(text)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('"window": 60', '"window": 61'),
        ('"window": 60', '"window": "minute"'),
        ('"window": 60', '"window": 60, "strategy": "fixed"'),
        ('"window": "day", "per": "args.a"', '"window": "day"'),
    ],
)
def test_what_is_counted_otherwise_is_another_counter(first: str, second: str) -> None:
    common = '"counter": "c", "max": 5, "scope": "grant"'
    load(entry(f'"limits": [{{{common}, {first}}}, {{{common}, {second}}}]').encode(), name="p")


def test_the_same_counter_for_two_tools_is_two_counters() -> None:
    limit = '{"limits": [{"counter": "c", "window": "hour", "max": 5, "scope": "grant"}]}'
    load(document(f'"tools": {{"a": {limit}, "b": {limit}}}, "all_tools": {limit}').encode(), name="p")


def test_what_could_hide_in_a_terminal_is_shown_as_its_escape() -> None:
    assert report(document('"a\\u001b[2J\\u202e": 1')).startswith(
        "policy.json:2:1: /a\\x1b[2J\\u202e: unknown key `a\\x1b[2J\\u202e`\n"
    )


def test_the_error_is_one_of_configuration_and_carries_its_problems() -> None:
    with pytest.raises(ConfigError) as caught:
        load(document('"x": 1').encode(), name="policy.json")
    assert isinstance(caught.value, PolicyError)
    (problem,) = caught.value.problems
    assert (problem.pointer, problem.line, problem.column) == ("/x", 2, 1)


# --- what is accepted -------------------------------------------------------------------------------------------------


def test_a_document_that_permits_nothing_loads_with_a_warning() -> None:
    policy = load(b'{"version": "1",\n "default": "deny", "hide": ["x"]}', name="p")
    assert policy.warnings == (
        Problem(
            "/default",
            2,
            13,
            "nothing is permitted: `default` is `deny` and `tools` names nothing",
            "name the tools that may be called under `tools`, or set `default` to `allow`",
        ),
    )


@pytest.mark.parametrize("more", ['"tools": {"t": {}}, "hide": ["x"]', '"description": "closed"'])
def test_other_documents_load_without_a_warning(more: str) -> None:
    assert load(document(more).encode(), name="p").warnings == ()


def test_the_source_and_its_name_are_kept() -> None:
    policy = load(b'{"version": "1", "default": "allow"}', name="p.json")
    assert (policy.name, policy.text) == ("p.json", '{"version": "1", "default": "allow"}')


def test_a_limit_on_deny_is_part_of_the_limit() -> None:
    text = entry('"limits": [{"counter": "c", "window": "day", "max": 5, "scope": "session", "on_deny": "Enough."}]')
    assert load(text.encode(), name="p").entries["t"].limits == (
        Limit("/tools/t/limits/0", "t", "c", Decimal(5), "day", 86400, "session", "fixed", "Enough."),
    )
