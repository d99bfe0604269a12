"""What an error says of what was meant, and how words are typed again."""

import shutil
import subprocess

import pytest

from gateway.errors import GatewayError, meant, typed


@pytest.mark.parametrize(
    ("word", "name"),
    [("send_emial", "send_email"), ("get_identiy", "get_identity"), ("quite else", None), ("", None)],
)
def test_the_name_that_was_probably_meant(word: str, name: str | None) -> None:
    assert meant(word, ("get_identity", "send_email", "x" * 4000)) == name


def test_a_word_may_have_to_be_closer() -> None:
    assert meant("send_mail", ["send_email"], cutoff=0.99) is None


def test_what_would_take_seconds_is_not_compared() -> None:
    assert meant("n" * 129, ["n" * 128]) is None
    assert meant("n1", {f"n{number}": None for number in range(5001)}) is None
    assert meant("n" * 127, ["n" * 128, "n" * 129]) == "n" * 128


def test_words_are_typed_as_a_shell_reads_them() -> None:
    assert typed("keyid-gateway", "call", "a b", "$x") == "keyid-gateway call 'a b' '$x'"


def test_an_error_says_its_hint_on_a_line_of_its_own() -> None:
    assert [str(GatewayError("no")), str(GatewayError("no", "yes"))] == ["no", "no\nhint: yes"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("a\x1b[31m\r\n$(id)", r"$'a\x1b[31m\x0d\x0a$(id)'"),
        ("it's \u202e\\n \U000e0041", r"$'it\'s \xe2\x80\xae\\n \xf3\xa0\x81\x81'"),
        ("\x9b\xa0", r"$'\xc2\x9b\xc2\xa0'"),
    ],
)
def test_what_would_act_on_a_terminal_is_an_escape_that_a_shell_reads(word: str, said: str) -> None:
    assert typed("--name", word) == f"--name {said}"
    bash = shutil.which("bash")
    assert bash is not None
    read = subprocess.run([bash, "-c", f"printf %s {said}"], capture_output=True, check=True)
    assert read.stdout.decode() == word
