"""The words for what went wrong: whole, and with a cure."""

import os
import ssl

import pytest

from gateway.upstream.failures import endless, retry_after, unreachable, unusable

GIVEN = {"Authorization": "Bearer abc", "X-Team": "blue"}
NOW = 784_111_777.0
"""Sun, 06 Nov 1994 08:49:37 GMT"""


@pytest.mark.parametrize(
    ("status", "given", "text"),
    [
        (401, GIVEN, "the upstream does not accept the credentials in `Authorization` (HTTP 401): wrong or expired"),
        (
            401,
            {"authorization": "abc", "X-Api-Key": "k"},
            (
                "the upstream does not accept the credentials in `authorization` and `X-Api-Key` (HTTP 401): wrong or"
                " expired: the value of `authorization` has no scheme; should it begin with `Bearer `?"
            ),
        ),
        (403, GIVEN, "the upstream forbids this (HTTP 403): the credentials in `Authorization` do not permit it"),
        (
            403,
            {"X-Team": "blue"},
            "the upstream forbids this (HTTP 403), and no credentials were given: does it want `--header`?",
        ),
    ],
)
def test_a_door_that_stays_shut_says_whether_anything_was_shown_there(
    status: int, given: dict[str, str], text: str
) -> None:
    assert unusable(status, {}, given, None) == text
    assert "abc" not in text


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "\u0667"}, None),
        ({"retry-after": "9" * 5000}, 86_400),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT"}, 60),
        ({"retry-after": "Sunday, 06-Nov-94 08:50:37 GMT"}, 60),
        ({"retry-after": "Sun Nov  6 08:50:37 1994"}, 60),
        ({"retry-after": "Sun, 06 Nov 1994 08:00:00 GMT"}, 0),
        ({"retry-after": "Sun, 06 Nov 2094 08:00:00 GMT"}, 86_400),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT", "date": "Sun, 06 Nov 1994 08:50:30 GMT"}, 7),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT", "date": "never"}, 60),
        ({"retry-after": "Sun, 99 Nov 1994 08:50:37 GMT"}, None),
    ],
)
def test_the_time_to_wait_is_a_number_or_a_date_and_at_most_a_day(headers: dict[str, str], seconds: int | None) -> None:
    assert retry_after(headers, NOW) == seconds


def test_a_redirect_without_end_names_the_setting() -> None:
    assert endless(308) == "the upstream redirects (HTTP 308) more than 3 times in a row: check `--upstream`"


def not_trusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ConnectionRefusedError(111, "Connect call failed"),
            f"cannot connect to the upstream: {os.strerror(111).lower()}: is it up, and is `--upstream` right?",
        ),
        (
            not_trusted(),
            (
                "cannot connect to the upstream: its certificate is not trusted: self-signed certificate:"
                " have its authority trusted by this system, or check `--upstream`"
            ),
        ),
        (
            ssl.SSLError(1, "handshake"),
            "cannot connect to the upstream: no TLS connection: handshake failed: does it speak https at this port?",
        ),
    ],
)
def test_a_connection_that_was_not_made_says_why(error: OSError, text: str) -> None:
    assert unreachable(error) == text


def test_the_type_of_an_answer_that_is_none_is_told_in_bounds_and_acts_on_no_terminal() -> None:
    said = unusable(200, {"content-type": "text/\x9b2J" + "x" * 5000}, {}, None)
    assert said == f"the upstream answered HTTP 200 with `text/\\x9b2j{'x' * 69}…`, not with a JSON-RPC message"
