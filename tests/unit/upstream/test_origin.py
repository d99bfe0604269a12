"""How far a redirect may lead, and what of it is shown."""

import pytest

from gateway.upstream.origin import Origin, shown

HERE = Origin.of("http://example.com:8080/mcp?tenant=1")


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/other", "/other"),
        ("other/", "/a/other/"),
        ("../c?x=1", "/c?x=1"),
        ("?x=1", "/a/b?x=1"),
        ("http://example.com:8080/mcp/", "/mcp/"),
        ("HTTP://EXAMPLE.com:8080", "/"),
        ("//example.com:8080/x y", "/x%20y"),
        ("/x#part", "/x"),
        ("/\u00e9", "/%C3%A9"),
    ],
)
def test_a_redirect_within_the_origin_is_a_target(location: str, target: str) -> None:
    assert HERE.redirected("/a/b", location) == target


@pytest.mark.parametrize(
    "location",
    [
        "",
        "https://example.com:8080/mcp",
        "http://example.com/mcp",
        "http://example.com:80801/mcp",
        "http://example.com.evil:8080/mcp",
        "http://evil.example.com:8080/mcp",
        "http://a:b@example.com:8080/mcp",
        "http://example.com:8080@evil.example/mcp",
        "//evil.example/mcp",
        "ftp://example.com:8080/mcp",
        "javascript:alert(1)",
        "http://[::1",
        "http://example.com:no/",
    ],
)
def test_a_redirect_beyond_the_origin_is_none(location: str) -> None:
    assert HERE.redirected("/a/b", location) is None


def test_the_usual_port_is_the_same_origin_whether_it_is_written_or_not() -> None:
    assert Origin.of("https://example.com/mcp").redirected("/mcp", "https://example.com:443/x") == "/x"


@pytest.mark.parametrize("location", ["/x\r\nEvil: 1", "/\r\n\r\nGET /", "\t/x"])
def test_no_target_can_end_the_line_that_it_stands_in(location: str) -> None:
    target = HERE.redirected("/", location)
    assert target is not None
    assert not set(target) & set("\r\n\t ")


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("https://a:b@h.example:444/p?secret=1#x", "`https://h.example:444/p`"),
        ("/p?secret=1", "`/p`"),
        ("", "nowhere"),
        ("?x=1", "nowhere"),
        ("http://[::1", "nowhere"),
        ("/`x`\u202e", "`/?x??`"),
        ("/" + "x" * 500, "`/" + "x" * 199 + "`"),
    ],
)
def test_what_is_shown_of_a_redirect_is_harmless(location: str, text: str) -> None:
    assert shown(location) == text
