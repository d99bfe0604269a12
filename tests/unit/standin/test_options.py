"""Which options are refused, and in which words."""

import pytest

from gateway.errors import UsageError
from gateway.standin import StandinOptions


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_is_accepted(host: str) -> None:
    assert StandinOptions(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", ""])  # noqa: S104  # these are refused
def test_nothing_else_is_listened_on(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        StandinOptions(host=host)
    assert str(caught.value) == f"the stand-in does not listen on `{host}`\nhint: use a loopback address"


def test_a_page_holds_at_least_one_tool() -> None:
    with pytest.raises(UsageError) as caught:
        StandinOptions(page_size=0)
    assert str(caught.value) == "`0` tools a page are too few\nhint: use 1 or more"
