"""Spellings of one address are judged as one; what could lead elsewhere is no address."""

import pytest

from gateway.policy.fields import matcher
from gateway.policy.problem import Fault
from gateway.policy.uris import LONGEST, normal


@pytest.mark.parametrize(
    ("spelling", "plain"),
    [
        ("keyid://inbox/7", "keyid://inbox/7"),
        ("KEYID://Inbox/Seven", "keyid://inbox/Seven"),
        ("keyid://%69nbox/%37", "keyid://inbox/7"),
        ("keyid://inbox/%C3%A9?a=%20b#c", "keyid://inbox/é?a= b#c"),
        ("file:///etc/hosts", "file:///etc/hosts"),
        ("MAILTO:Ann", "mailto:Ann"),
        ("keyid://inbox/{id}", "keyid://inbox/{id}"),
        ("keyid://inbox/..a/.b/...", "keyid://inbox/..a/.b/..."),
        ("100%", "100%"),
    ],
)
def test_one_address_has_one_plain_spelling(spelling: str, plain: str) -> None:
    assert normal(spelling) == plain


@pytest.mark.parametrize(
    ("spelling", "why"),
    [
        ("keyid://inbox/../secret", "it has dot segments"),
        ("keyid://inbox/.", "it has dot segments"),
        ("keyid://inbox/%2e%2E/secret", "it has dot segments"),
        ("keyid://inbox/.%2e/secret", "it has dot segments"),
        ("keyid://inbox/..;a/secret", "it has dot segments"),
        ("keyid://inbox/..?x", "it has dot segments"),
        ("keyid://inbox/a%2fb", "it has an encoded `/`"),
        ("keyid://inbox/a%2Fb", "it has an encoded `/`"),
        ("keyid://inbox/a%252fb", "it has an encoded `/`"),
        ("keyid://inbox/a%5cb", "it has a backslash"),
        ("keyid://inbox\\secret", "it has a backslash"),
        ("keyid://inbox/a%255Cb", "it has a backslash"),
        ("keyid://inbox/%2573ecret", "it is encoded twice"),
        ("keyid://inbox/a\nb", "it has control characters"),
        ("keyid://inbox/a%00b", "it has control characters"),
        ("keyid://inbox/a%7Fb", "it has control characters"),
        ("keyid://inbox/%ff/%2e%2e/secret", "it is not valid UTF-8"),
        ("keyid://inbox/%ff", "it is not valid UTF-8"),
        ("keyid://inbox/\ud800", "it is not valid UTF-8"),
        ("a" * (LONGEST + 1), f"it has more than {LONGEST} characters"),
    ],
)
def test_what_could_lead_elsewhere_is_refused(spelling: str, why: str) -> None:
    refused = normal(spelling)
    assert isinstance(refused, Fault)
    assert refused.message == why


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("keyid://inbox/*", "keyid://inbox/7", True),
        ("keyid://inbox/*", "keyid://inbox/", True),
        ("keyid://inbox/*", "keyid://inbox/7/8", False),
        ("keyid://inbox/**", "keyid://inbox/7/8", True),
        ("keyid://**/8", "keyid://inbox/7/8", True),
        ("keyid://*/8", "keyid://inbox/7/8", False),
        ("a.c", "abc", False),
        ("a+(b)[c]{1}$^|", "a+(b)[c]{1}$^|", True),
        ("a*", "a\u2028é\U0001f511", True),
        ("é*", "éa", True),
        ("***", "a/b", True),
        ("a", "xa", False),
        ("a", "a\n", False),
    ],
)
def test_one_star_stops_at_a_slash_and_two_cross_it(pattern: str, text: str, matches: bool) -> None:
    assert matcher(pattern)(text) is matches
