"""The patterns of the pack, asked through the operator that uses them."""

import datetime as dt
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.keyid import patterns
from gateway.policy.operators import bind


def matches(pattern: str, text: str) -> bool:
    return bind("regex", pattern)(text) is True


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("ada@example.com", True),
        ("Ada.O'Hara+work@MAIL.example.com", True),
        ("a_b-c@xn--exmple-cua.com", True),
        ("ådå@exämple.com", False),
        ("a@b@c", False),
        ("a@b,c@d", False),
        ("a@b;c", False),
        ("Ada <ada@example.com>", False),
        ("eve%evil.example@example.com", False),
        ("evil.example!eve@example.com", False),
        ("mailto:eve?bcc=x&@example.com", False),
        ("a\u200b@example.com", False),
        ("\u212aim@example.com", False),
        ("ada@example.com\n", False),
        ("ada@example.com\nbcc: b@c", False),
        ("a@b\x0bc@d", False),
        ("a@[127.0.0.1]", False),
        ("a@b_c", False),
        ("ada", False),
        ("@example.com", False),
        ("ada@", False),
        ("", False),
    ],
)
def test_one_plain_address(text: str, one: bool) -> None:
    assert matches(patterns.ONE_ADDRESS, text) is one
    assert matches(patterns.NO_PLAIN_ADDRESS, text) is not one


@given(st.text(alphabet="a1A._+'-@,%\n\x00\u200b\u212a ", max_size=8))
def test_the_opposites_are_exact(text: str) -> None:
    assert matches(patterns.ONE_ADDRESS, text) is not matches(patterns.NO_PLAIN_ADDRESS, text)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("Hi\r\nBcc: eve@evil.example", True),
        ("Hi\n", True),
        ("\x00", True),
        ("\x7f", True),
        ("a\x85b", True),
        ("a\u2028b", True),
        ("a\tb", False),
        ("Grüße, 你好", False),
        ("", False),
    ],
)
def test_more_than_a_line(text: str, more: bool) -> None:
    assert matches(patterns.LINE_BREAK, text) is more


@given(st.dates(dt.date(2020, 1, 1), dt.date(2039, 12, 31)), st.sampled_from(["", "T18:00:00Z", " 07:30"]))
def test_a_date(day: dt.date, time: str) -> None:
    assert not matches(patterns.NO_DATE, day.isoformat() + time)


@given(st.text(alphabet="0123x-\n", max_size=12) | st.dates().map(str))
def test_what_is_taken_for_a_date_looks_like_one(text: str) -> None:
    looks = re.fullmatch(r"20[23][0-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", text[:10])
    assert matches(patterns.NO_DATE, text) is not (looks is not None and text[10:] == "")


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----",
        "see: -----BEGIN RSA PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
        "\n-----BEGIN EC PRIVATE KEY-----\n",
        "otpauth://totp/x",
        "OtpAuth://hotp/x",
    ],
)
def test_key_material_is_seen(text: str) -> None:
    assert matches(patterns.KEY_MATERIAL, text)


@pytest.mark.parametrize("text", ["-----BEGIN PUBLIC KEY-----", "my private key", "otpauth", ""])
def test_ordinary_text_is_no_key_material(text: str) -> None:
    assert not matches(patterns.KEY_MATERIAL, text)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/x",
        "https://example.com",
        "HTTPS://EXAMPLE.COM:443?x",
        "https://a_b.example.com#x",
        "https://xn--bcher-kva.example/",
        "https://example.xn--p1ai/",
    ],
)
def test_a_public_host(url: str) -> None:
    assert matches(patterns.PUBLIC_HOST, url)
    assert not matches(patterns.PRIVATE_HOST, url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        " https://example.com/",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://0x7f.0.0.0x1/",
        "https://0x7f000001/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://①②⑦.0.0.1/",
        "https://example.com:22/",
        "https://user@example.com/",
        "https://example.com@10.0.0.1/",
        "https://example.com\\@10.0.0.1/",
        "https://example.com\n.internal/",
        "https://example.internal./",
        "https:///example.com",
        "https:example.com",
        "https://.example.com/",
        "https://example。com/",
        "",
    ],
)
def test_not_a_public_host(url: str) -> None:
    assert not matches(patterns.PUBLIC_HOST, url)


@pytest.mark.parametrize(
    "url",
    [
        "https://metadata.google.internal/",
        "https://PRINTER.Local",
        "https://db.corp:443/x",
        "https://a.home.arpa?x",
        "https://10.0.0.1.nip.io/",
        "https://nip.io/",
        "https://app.localtest.me#x",
        "https://internal/",
    ],
)
def test_a_private_host(url: str) -> None:
    assert matches(patterns.PRIVATE_HOST, url)


@pytest.mark.parametrize("url", ["https://internal.example.com/", "https://example.com/x.internal", "https://unip.io/"])
def test_a_host_that_only_sounds_private(url: str) -> None:
    assert not matches(patterns.PRIVATE_HOST, url)


@pytest.mark.parametrize(
    ("schedule", "seldom"),
    [
        ("0 * * * *", True),
        ("59 */2 1,15 1-3 0-6/2", True),
        ("59 */2 1,15 JAN-MAR MON#1", False),
        ("0 x x x x", False),
        ("0 * * *", False),
        ("60 * * * *", False),
        ("100 * * * *", False),
        ("@sometimes", False),
        ("@daily", True),
        ("* * * * *", False),
        ("*/15 * * * *", False),
        ("0,30 * * * *", False),
        ("1-59 * * * *", False),
        ("0 * * * * *", False),
        ("0\t*\t*\t*\t*\t*", False),
        ("0 * * * *\u00a0*", False),
        ("@every 10s", False),
        ("@reboot", False),
        ("H * * * *", False),
    ],
)
def test_at_most_once_an_hour(schedule: str, seldom: bool) -> None:
    assert matches(patterns.ONCE_AN_HOUR, schedule) is seldom
    assert matches(patterns.MORE_THAN_HOURLY, schedule) is not seldom


@given(st.text(alphabet="0159 */,-x@#\n", min_size=1, max_size=12).map("0 ".__add__))
def test_a_changed_schedule_that_is_let_through_has_five_fields_of_numbers(schedule: str) -> None:
    if not matches(patterns.MORE_THAN_HOURLY, schedule):
        assert re.fullmatch(r"0( +[0-9*/,-]+){4} *", schedule)


def test_blank_is_nothing() -> None:
    for text, something in (("", False), (" \t\n", False), ("x", True), ("\u00a0", True)):
        assert matches(patterns.SOMETHING, text) is something
