"""What a tool answered, for a person."""

import pytest

from gateway.cli.results import failed, lines, said
from gateway.jsonrpc import Json, loads

ESC = "\x1b[31m"


@pytest.mark.parametrize(
    ("result", "said_of_it"),
    [
        ('{"content": [{"type": "text", "text": "one\\ntwo"}, {"type": "text", "text": "three"}]}', "one two three"),
        ('{"content": [{"type": "text", "text": "\\u001b[31mred"}]}', "\\x1b[31mred"),
        (
            '{"content": [{"type": "text", "text": "{\\"a\\": 1}"}], "structuredContent": {"a": 1}}',
            '{ "a":_1 }',
        ),
        ('{"content": [{"type": "text", "text": "sum"}], "structuredContent": {"a": 1}}', 'sum { "a":_1 }'),
        (
            '{"content": [{"type": "image", "mimeType": "image/png", "data": "aGVsbG8hISEh"}]}',
            "[image_image/png_9_bytes]",
        ),
        (
            '{"content": [{"type": "resource_link", "uri": "a://b", "name": "c"}]}',
            "[resource_link_a://b_c]",
        ),
        (
            '{"content": [{"type": "resource", "resource": {"uri": "a://b", "text": "hi"}}]}',
            "[resource_a://b] hi",
        ),
        (
            '{"content": [{"type": "resource", "resource": {"uri": "a://b", "blob": "aGVs"}}]}',
            "[resource_a://b_3_bytes]",
        ),
        ('{"content": ["odd"]}', '"odd"'),
        ('{"content": "odd"}', ""),
        ("{}", ""),
    ],
)
def test_texts_are_texts_and_structure_is_json(result: str, said_of_it: str) -> None:
    value = loads(result)
    assert isinstance(value, dict)
    assert [line.strip().replace(" ", "_") for line in lines(value)] == said_of_it.split()


def test_nothing_in_it_acts_on_a_terminal() -> None:
    hostile: dict[str, Json] = {
        "content": [
            {"type": "text", "text": f"{ESC}a\r\u202eb"},
            {"type": f"image{ESC}", "mimeType": ESC, "data": ""},
            {"type": "resource", "resource": {"uri": ESC, "text": ESC}},
        ],
        "structuredContent": {ESC: [ESC]},
    }
    shown = "\n".join(lines(hostile))
    assert not any(char in shown for char in ("\x1b", "\r", "\u202e"))


def test_an_error_has_a_cure() -> None:
    assert str(failed({"message": "no"})) == "no\nhint: `keyid-gateway doctor` says what is wrong"
    assert str(failed({"message": "run `keyid-gateway login`"})) == "run `keyid-gateway login`"


def test_the_words_of_an_error() -> None:
    assert said({"message": "no"}) == "no"
    assert said(None) == said({"message": 1}) == "an error without words"
