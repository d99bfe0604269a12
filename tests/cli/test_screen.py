import io

import pytest
from rich.console import Console

from gateway.cli import screen

ROWS: list[screen.Row] = [
    ("get_identity", "Read", ("allowed", "green"), "/tools/get_identity"),
    (
        "complete_registration_session",
        "Write",
        "limited: 30 per minute",
        "/tools/complete_registration_session/limits/0",
    ),
]
COLUMNS = ("tool", "category", "effect", "rule")


def _terminal(monkeypatch: pytest.MonkeyPatch, width: int, *, colour: bool = False) -> None:
    def console() -> Console:
        return Console(width=width, highlight=False, force_terminal=colour, no_color=not colour)

    monkeypatch.setattr(screen, "console", console)


def test_a_table_in_a_pipe_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    assert screen.table(COLUMNS, ROWS) is False
    assert capsys.readouterr().out == (
        "tool                           category  effect                  rule\n"
        "get_identity                   Read      allowed                 /tools/get_identity\n"
        "complete_registration_session  Write     limited: 30 per minute  "
        "/tools/complete_registration_session/limits/0\n"
    )


def test_a_pointer_that_is_too_long_keeps_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _terminal(monkeypatch, 80)
    assert screen.table(COLUMNS, ROWS) is False
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "complete_registration_session  Write     limited: 30 per minute  …ssion/limits/0"
    assert max(map(len, lines)) <= 80


def test_a_column_without_room_is_left_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _terminal(monkeypatch, 60)
    assert screen.table(COLUMNS, ROWS) is True
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "complete_registration_session  Write     limited: 30 per…"
    assert max(map(len, lines)) <= 60


def test_colour_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    screen.table(COLUMNS, ROWS)
    assert "\x1b" not in capsys.readouterr().out
    _terminal(monkeypatch, 100, colour=True)
    screen.table(COLUMNS, ROWS)
    assert "\x1b[32mallowed" in capsys.readouterr().out


def test_json_is_plain_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    screen.document({"tool": "\x1b\u202e名"})
    screen.record({"tool": "\x1b\u202e名"})
    assert capsys.readouterr().out == ('{\n  "tool": "\\u001b\\u202e\\u540d"\n}\n{"tool":"\\u001b\\u202e\\u540d"}\n')


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("5 per hour, 30 per day", 22, "5 per hour, 30 per day"),
        ("5 per hour, 30 per day", 14, "5 per hour…"),
        ("5 per hour, 30 per day", 12, "5 per hour…"),
        ("abcdefgh", 4, "abc…"),
        ("/tools/a/limits/0", 9, "…limits/0"),
    ],
)
def test_a_cut_never_leaves_half_a_number(text: str, width: int, cut: str) -> None:
    assert screen.cut(text, width) == cut


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_every_line_is_broken_between_words_and_what_is_to_be_copied_stays_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    screen.note(
        "note: a sentence that is longer than forty columns are\n"
        "    hint: type `keyid-gateway policy fmt 'my policy.json'` and then nothing else at all\n"
        "    as  it  is\n"
        "    `a word that is longer than the line and comes first` counts"
    )
    assert terminal.getvalue() == (
        "note: a sentence that is longer than\n"
        "forty columns are\n"
        "    hint: type\n"
        "    `keyid-gateway policy fmt 'my policy.json'`\n"
        "    and then nothing else at all\n"
        "    as  it  is\n"
        "    `a word that is longer than the line and comes first`\n"
        "    counts\n"
    )
