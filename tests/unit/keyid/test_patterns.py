"""The patterns of the pack, asked through the operator that uses them."""

import pytest

from gateway.keyid import patterns
from gateway.policy.operators import bind


def matches(pattern: str, text: str) -> bool:
    return bind("regex", pattern)(text) is True


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("ada@example.com", True),
        ("ada+work@mail.example.com", True),
        ("ådå@exämple.com", True),
        ("a@b@c", False),
        ("a@b,c@d", False),
        ("a@b;c", False),
        ("Ada <ada@example.com>", False),
        ("ada@example.com\n", False),
        ("ada@example.com\nbcc: b@c", False),
        ("a@b\x0bc@d", False),
        ("ada", False),
        ("", False),
    ],
)
def test_one_address_and_several_are_opposites_for_whatever_has_an_at(text: str, one: bool) -> None:
    assert matches(patterns.ONE_ADDRESS, text) is one
    if text.count("@") > 1 or any(separator in text for separator in ",;<>"):
        assert matches(patterns.SEVERAL_ADDRESSES, text)
    elif one:
        assert not matches(patterns.SEVERAL_ADDRESSES, text)


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
        ("59 */2 1,15 JAN-MAR MON#1", True),
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


def test_blank_is_nothing() -> None:
    for text, something in (("", False), (" \t\n", False), ("x", True), ("\u00a0", True)):
        assert matches(patterns.SOMETHING, text) is something
        assert matches(patterns.NOTHING, text) is not something
