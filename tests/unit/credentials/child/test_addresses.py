import pytest

from gateway.credentials.child.addresses import Addresses, is_loopback
from gateway.credentials.child.failures import Stopped

AWAY = Addresses("https://mcp.example.com/mcp", None)
HOME = Addresses("http://127.0.0.1:8000/mcp", None)


@pytest.mark.parametrize(
    "url",
    [
        "http://93.184.216.34/",
        "ftp://93.184.216.34/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https://user:secret@93.184.216.34/",
        "https://[half",
        "https://93.184.216.34:port/",
    ],
)
async def test_an_address_that_is_not_opened_whatever_it_leads_to(url: str) -> None:
    with pytest.raises(Stopped) as stopped:
        await AWAY.resolve(url)
    assert stopped.value.failed.code == "address"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - nobody binds to it here
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fc00::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[2002:a00:1::]",
    ],
)
async def test_no_private_network_is_entered(host: str) -> None:
    with pytest.raises(Stopped) as stopped:
        await AWAY.resolve(f"https://{host}/")
    assert stopped.value.failed.message.endswith("it leads into a private network")


@pytest.mark.parametrize("host", ["93.184.216.34", "[2606:2800:220:1:248:1893:25c8:1946]"])
async def test_a_public_address_is_connected_to_as_it_was_checked(host: str) -> None:
    assert await AWAY.resolve(f"https://{host}/x") == [host.strip("[]")]


async def test_an_upstream_on_this_machine_may_name_this_machine_and_no_other_private_one() -> None:
    assert await HOME.resolve("http://127.0.0.1:9000/token") == ["127.0.0.1"]
    assert "127.0.0.1" in await HOME.resolve("http://localhost:9000/token")
    with pytest.raises(Stopped):
        await HOME.resolve("https://192.168.1.1/")
    with pytest.raises(Stopped):
        await HOME.resolve("http://192.168.1.1/")


async def test_the_hosts_that_the_settings_name_may_be_anywhere_but_not_without_tls() -> None:
    inside = Addresses("https://10.0.0.5/mcp", "https://10.0.0.6/")
    assert await inside.resolve("https://10.0.0.5/.well-known/x") == ["10.0.0.5"]
    assert await inside.resolve("https://10.0.0.6/token") == ["10.0.0.6"]
    with pytest.raises(Stopped):
        await inside.resolve("https://10.0.0.7/token")
    with pytest.raises(Stopped):
        await inside.resolve("http://10.0.0.5/token")


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example.com", "128.0.0.1", "", "127.0.0.1.example.com", "localhosts"])
def test_not_this_machine(host: str) -> None:
    assert not is_loopback(host)
