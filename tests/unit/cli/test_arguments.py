"""The arguments of a call, as a person writes them in a terminal."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.cli.arguments import given
from gateway.errors import UsageError

SCHEMA = {"type": "object", "properties": {"to": {"type": "string"}, "count": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("text", "pairs", "found"),
    [
        (None, (), {}),
        ('{"to": "a"}', ("count=2",), {"to": "a", "count": 2}),
        (None, ("to=5", "count=5"), {"to": "5", "count": 5}),
        (None, ("to=a=b", "other=x y", "list=[1, 2]", "flag=true", "empty="), None),
    ],
)
def test_what_is_typed(text: str | None, pairs: Sequence[str], found: dict[str, object] | None) -> None:
    wanted = found or {"to": "a=b", "other": "x y", "list": [1, 2], "flag": True, "empty": ""}
    if found == {}:
        wanted = {}
    assert given(text, pairs, SCHEMA) == wanted  # type: ignore[arg-type]  # a dict of JSON is one


def test_single_arguments_have_a_flag_of_their_own() -> None:
    with pytest.raises(UsageError) as refused:
        given("to=a b", (), None)
    assert str(refused.value) == "`to=a b` is not JSON\nhint: single arguments: `--arg 'to=a b'`"


def test_a_file_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mail.json"
    file.write_text('{"to": "\u00e9"}', encoding="utf-8")
    assert given(f"@{file}", (), None) == {"to": "\u00e9"}
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'{"n": 1}')))
    assert given("-", (), None) == {"n": 1}
    file.write_bytes(b'{"to": "\xff"}')
    with pytest.raises(UsageError, match="is not UTF-8"):
        given(f"@{file}", (), None)
    with pytest.raises(UsageError, match="cannot be read: no such file or directory"):
        given(f"@{tmp_path}/gone", (), None)


@pytest.mark.parametrize(
    ("text", "pairs", "message"),
    [
        ("{", (), "`{` is not valid JSON"),
        ("[]", (), r"`\[\]` is not a JSON object"),
        (None, ("to",), "`--arg`: `to` is no `key=value`"),
        (None, ("=a",), "`--arg`: `=a` is no `key=value`"),
        ('{"to": "a"}', ("to=b",), "`to` is given twice"),
        (None, ("to=a", "to=b"), "`to` is given twice"),
    ],
)
def test_what_makes_no_sense(text: str | None, pairs: Sequence[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        given(text, pairs, None)
