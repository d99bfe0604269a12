"""OAuth through real processes: the stand-in's authorization server, a browser of the test's own."""

import json
import os
import resource
import shlex
import signal
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.clock import SystemClock
from gateway.credentials.client import Client
from gateway.standin import Standin, StandinOptions
from tests.e2e import scripted
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, Json, called_tools
from tests.e2e.scripted import Asked, Line, Reply, Scripted, after, http
from tests.e2e.signing import ROOT, Person


@pytest.fixture
def standin() -> Iterator[Standin]:
    """A stand-in that wants a sign-in."""
    with Standin(StandinOptions(oauth=True), clock=SystemClock()) as running:
        yield running


@pytest.fixture
def person(home: Home, standin: Standin) -> Person:
    return Person(home, standin)


@pytest.fixture
def signed_in(person: Person) -> Person:
    """Somebody who has signed in already."""
    person.has_signed_in()
    return person


def running(person: Person, *flags: str) -> Gateway:
    return Gateway(person.home, person.standin.url, *flags, policy=ALLOW_ALL)


def ok(answer: Json) -> bool:
    """Whether a tool ran."""
    return "content" in answer and not answer.get("isError")


# --- a person at a terminal ----------------------------------------------------------------------------------------


def test_login_whoami_use_and_logout(person: Person) -> None:
    assert person.types("whoami").code == 1
    done = person.signs_in()
    issuer = person.standin.url.removesuffix("mcp")
    assert (
        done.out.splitlines()[:3]
        == [
            f"signed in to {person.standin.url} by {issuer}",
            "scopes: identity",
            "the token lasts 1 h; the gateway renews it if the server allows",
        ]
        or "59 min" in done.out
    )
    assert done.err.splitlines()[1] == "a browser has opened: finish the sign-in there (Ctrl-C gives up)"
    assert len(person.opened) == 1
    with running(person) as gateway:
        gateway.initialize()
        assert ok(gateway.call("get_identity"))
        known = json.loads(person.types("whoami", "--json").out)
        assert (known["by"], known["issuer"], known["scope"], known["renewable"], known["kept"]) == (
            "oauth",
            issuer,
            "identity",
            True,
            "file",
        )
        assert len(json.loads(person.types("tools", "--json").out)["tools"]) == 64
        assert person.types("logout").out == f"the sign-in to {person.standin.url} is forgotten\n"
        refused = gateway.call("get_identity")
    assert f"run `{person.command('login')}`" in refused["message"]
    assert person.types("logout").out == f"nobody was signed in to {person.standin.url}\n"
    assert list((person.home.path / "credentials").glob("*.json")) == []


def test_what_is_kept_is_for_this_user_only_and_nothing_secret_is_said_anywhere(signed_in: Person) -> None:
    with running(signed_in, "--log-level", "debug") as gateway:
        gateway.initialize()
        assert ok(gateway.call("get_identity"))
    assert gateway.errors
    assert signed_in.file.stat().st_mode & 0o777 == 0o600
    assert signed_in.file.parent.stat().st_mode & 0o777 == 0o700
    secret = signed_in.kept["secret"]
    shown = signed_in.types("whoami")
    assert signed_in.said_anywhere(secret["access_token"], secret["refresh_token"]) == []
    for text in (gateway.errors, shown.out, shown.err):
        assert secret["access_token"] not in text
        assert secret["refresh_token"] not in text


def test_without_a_browser_the_address_is_printed_and_the_last_page_is_pasted(person: Person) -> None:
    process = person.starts("login", "--no-browser", "--json")
    assert process.stderr is not None
    assert process.stdin is not None
    said = [process.stderr.readline().strip() for _ in range(4)]
    assert said[1] == "open this address in a browser, and finish the sign-in there:"
    process.stdin.write("http://127.0.0.1/callback?code=forged&state=forged\n")
    process.stdin.flush()
    assert process.stderr.readline().startswith("that is not the address this sign-in ends at")
    out, _ = process.communicate(f"{_last_page(said[2])}\n", timeout=PATIENCE)
    assert process.returncode == 0
    assert json.loads(out)["scope"] == "identity"
    assert person.opened == []


def _last_page(url: str) -> str:
    """Where a browser that follows the first redirect would end, without going there."""
    import http.client

    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    connection.request("GET", f"{parts.path}?{parts.query}")
    target = connection.getresponse().headers["Location"]
    connection.close()
    return target


def test_a_person_who_says_no(person: Person) -> None:
    person.standin.authority.consents = False
    done = person.types("login")
    assert done.code == 4
    issuer = person.standin.url.removesuffix("mcp")
    assert done.err.splitlines()[2:] == [
        f"error: the sign-in was not granted: `{issuer}` says access_denied",
        "hint: try again",
    ]


def test_a_server_that_is_down_is_named_as_such(person: Person) -> None:
    done = person.types("login", "--upstream", "http://127.0.0.1:1/mcp", upstream=False)
    assert done.err.splitlines()[1:] == [
        "error: `http://127.0.0.1:1/mcp` does not answer",
        "hint: is it up, and is `--upstream` right?",
    ]


# --- run -----------------------------------------------------------------------------------------------------------


def test_run_opens_no_browser_but_says_which_command_to_run(person: Person) -> None:
    with running(person) as gateway:
        answer = gateway.initialize()
    assert answer["error"]["code"] == -32603
    assert answer["error"]["message"] == (
        f"the upstream wants a sign-in (HTTP 401): run `{person.command('login')}`, "
        "or pass credentials with `--header 'Authorization: env:NAME'`"
    )
    assert person.opened == []
    assert person.standin.authority.counts.total() == 0


def test_run_with_sign_in_opens_one(person: Person) -> None:
    with running(person, "--sign-in") as gateway:
        assert "result" in gateway.initialize()
        assert ok(gateway.call("get_identity"))
    assert len(person.opened) == 1


def test_run_with_sign_in_where_there_is_no_browser(person: Person) -> None:
    person.home.environment |= {"BROWSER": "/there/is/none %s", "PATH": "/there/is/none", "DISPLAY": ""}
    url = person.standin.url
    with running(person, "--sign-in") as gateway:
        assert gateway.initialize()["error"]["message"] == (
            f"`{url}` wants a sign-in, and no browser could be opened here: "
            f"run `{person.command('login')} --no-browser` in a terminal"
        )


@pytest.mark.parametrize("query", ["", "?team=a"])
def test_the_command_that_an_error_names_signs_in_where_it_says(person: Person, query: str, tmp_path: Path) -> None:
    url = f"{person.standin.url}{query}"
    with Gateway(person.home, url, "--state", str(tmp_path / "my own" / "s.db"), policy=ALLOW_ALL) as gateway:
        _, command, _ = gateway.initialize()["error"]["message"].split("`", 2)
        words = shlex.split(command.replace("?...", query))
        assert words.pop(0) == "keyid-gateway"
        assert person.types(*words, upstream=False).code == 0
        assert "result" in gateway.initialize()


def test_a_login_elsewhere_counts_at_once(person: Person) -> None:
    with running(person) as gateway:
        assert "error" in gateway.initialize()
        person.signs_in()
        assert "result" in gateway.initialize()


def test_a_token_that_has_ended_is_renewed_after_a_restart_without_a_browser(signed_in: Person) -> None:
    before = signed_in.kept["secret"]
    signed_in.lets_it_expire()
    with running(signed_in) as gateway:
        gateway.initialize()
        assert ok(gateway.call("get_identity"))
    after = signed_in.kept["secret"]
    assert after["access_token"] != before["access_token"]
    assert after["refresh_token"] != before["refresh_token"]  # it was rotated, and the new one is what is kept
    counts = signed_in.standin.authority.counts
    assert (counts["refresh"], counts["authorize"], counts["register"]) == (1, 1, 1)
    assert len(signed_in.opened) == 1


def test_a_token_that_the_server_no_longer_takes_is_renewed_and_the_call_sent_once_more(signed_in: Person) -> None:
    with running(signed_in) as gateway:
        gateway.initialize()
        signed_in.standin.authority.end_access()
        assert ok(gateway.call("get_identity"))
    assert called_tools(signed_in.standin.journal) == ["get_identity"]
    assert signed_in.standin.authority.counts["refresh"] == 1


def test_commands_renew_a_sign_in_as_run_does(signed_in: Person) -> None:
    signed_in.standin.authority.end_access()
    assert signed_in.types("tools", "--json").code == 0
    assert signed_in.standin.authority.counts["refresh"] == 1


def test_a_sign_in_that_was_revoked_says_so_and_the_gateway_lives_on(signed_in: Person) -> None:
    signed_in.standin.authority.end_all()
    with running(signed_in) as gateway:
        message = gateway.initialize()["error"]["message"]
        url, issuer = signed_in.standin.url, signed_in.standin.url.removesuffix("mcp")
        assert message == (
            f"the sign-in to `{url}` has ended: `{issuer}` refuses to renew it (invalid_grant): "
            f"run `{signed_in.command('login')}`"
        )
        signed_in.signs_in()
        assert "result" in gateway.initialize()
        assert ok(gateway.call("get_identity"))


def test_a_sign_in_that_cannot_be_renewed_has_ended(signed_in: Person) -> None:
    signed_in.rewrite(secret={**signed_in.kept["secret"], "refresh_token": None})
    signed_in.standin.authority.end_access()
    with running(signed_in) as gateway:
        message = gateway.initialize()["error"]["message"]
    url = signed_in.standin.url
    assert message == f"the sign-in to `{url}` has ended: run `{signed_in.command('login')}`"


def test_ctrl_c_in_the_middle_of_a_renewal_costs_no_sign_in(signed_in: Person) -> None:
    metadata = signed_in.kept["metadata"]
    fresh = {"access_token": "new", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "rotated"}
    interrupted = threading.Event()
    with Scripted() as authority:
        authority.script("response", after(interrupted, http(200, fresh)))
        signed_in.rewrite(expires_at=1.0, metadata={**metadata, "token_endpoint": authority.url})
        process = signed_in.starts("tools", start_new_session=True)
        authority.wait_for("response")
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        interrupted.set()
        signed_in.waits_for_its_turn()
    assert signed_in.kept["secret"]["refresh_token"] == "rotated"
    assert errors == "\ninterrupted\n"


def test_an_authorization_server_that_is_down_costs_no_sign_in(signed_in: Person) -> None:
    metadata = signed_in.kept["metadata"]
    signed_in.lets_it_expire()
    with Scripted() as down:
        down.script("response", http(503))
        signed_in.rewrite(expires_at=1.0, metadata={**metadata, "token_endpoint": f"{down.url}"})
        with running(signed_in) as gateway:
            message = gateway.initialize()["error"]["message"]
    assert message.endswith("answered HTTP 503: try again in a moment")
    assert "refresh_token" in signed_in.kept["secret"]


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits a process that runs")
def test_a_renewal_that_could_not_be_kept_is_not_begun(signed_in: Person) -> None:
    before = signed_in.kept
    signed_in.lets_it_expire()
    with running(signed_in) as gateway:
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (4096, 4096))  # the helper inherits it
        message = gateway.initialize()["error"]["message"]
    folder = signed_in.file.parent
    assert message == f"the sign-in cannot be kept in `{folder}`: file too large: check the folder and the disk"
    assert signed_in.kept["secret"] == before["secret"]
    assert signed_in.standin.authority.counts["refresh"] == 0


def test_a_gateway_waits_for_the_renewal_of_another(signed_in: Person) -> None:
    fresh = {"access_token": "new", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "rotated"}
    released = threading.Event()
    with Scripted() as upstream, Scripted() as authority:
        signed_in.rewrite(expires_at=1.0, metadata={**signed_in.kept["metadata"], "token_endpoint": authority.url})
        signed_in.file.rename(Client(upstream.url, signed_in.file.parent).file)
        authority.script("response", after(released, http(200, fresh)), http(400, {"error": "invalid_grant"}))
        with Gateway(signed_in.home, upstream.url) as one, Gateway(signed_in.home, upstream.url) as other:
            number = one.begin("initialize", _opening())
            authority.wait_for("response")
            another = other.begin("initialize", _opening())
            other.wait_for_error("another process is at work on the sign-in")
            released.set()
            assert "result" in one.answer(number)
            assert "result" in other.answer(another)
        assert [asked.headers["authorization"] for asked in upstream.asked("initialize")] == [
            "Bearer new",
            "Bearer new",
        ]
        assert len(authority.asked("response")) == 1


def test_gateways_that_renew_at_once_do_not_log_each_other_out(signed_in: Person) -> None:
    signed_in.lets_it_expire()
    with running(signed_in) as one, running(signed_in) as other, running(signed_in) as third:
        gateways = (one, other, third)
        ids = [gateway.begin("initialize", _opening()) for gateway in gateways]
        answers = [gateway.answer(number) for gateway, number in zip(gateways, ids, strict=True)]
    assert ["result" in answer for answer in answers] == 3 * [True]
    assert signed_in.standin.authority.counts["refresh"] == 1


def _opening() -> Json:
    return {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}


def test_a_renewal_is_shared_and_holds_up_nothing_behind_a_slow_call(signed_in: Person) -> None:
    with running(signed_in) as gateway:
        gateway.initialize()
        slow = gateway.begin(
            "tools/call", {"name": "wait_for_message", "arguments": {"from": "never", "timeout_seconds": 60}}
        )
        assert signed_in.standin.wait_for(lambda entry: entry.get("name") == "wait_for_message") is not None
        signed_in.standin.authority.end_access()
        ids = [gateway.begin("tools/call", {"name": "get_identity", "arguments": {}}) for _ in range(10)]
        answers = gateway.answers(ids)
        assert [ok(answer["result"]) for answer in answers] == 10 * [True]
        assert all(message.get("id") != slow for message in gateway.others)
        gateway.notify("notifications/cancelled", {"requestId": slow})
    assert signed_in.standin.authority.counts["refresh"] == 1
    assert called_tools(signed_in.standin.journal).count("get_identity") == 10


def test_a_server_that_refuses_whatever_is_granted_is_asked_for_it_once(signed_in: Person) -> None:
    with Scripted() as upstream:
        upstream.script("initialize", *9 * [http(401)])
        client = Client(upstream.url, signed_in.file.parent)
        signed_in.file.rename(client.file)
        with Gateway(signed_in.home, upstream.url, policy=ALLOW_ALL) as gateway:
            answers = [gateway.initialize()["error"]["message"] for _ in range(2)]
    said = "the upstream refuses what was granted for it just now (HTTP 401): ask whoever runs it"
    assert answers == [said, said]
    assert signed_in.standin.authority.counts["refresh"] == 1


def test_a_call_that_needs_more_scopes_says_so(signed_in: Person) -> None:
    signed_in.standin.authority.demands["list_contacts"] = "send"
    with running(signed_in) as gateway:
        gateway.initialize()
        message = gateway.call("list_contacts")["message"]
        assert ok(gateway.call("get_identity"))
    assert message.startswith("the upstream wants a scope that the sign-in does not have (HTTP 403)")
    assert signed_in.kept["scope"] == "identity"


def test_with_sign_in_more_scopes_are_asked_for_beside_those_that_were_granted(signed_in: Person) -> None:
    signed_in.standin.authority.demands["list_contacts"] = "send"
    with running(signed_in, "--sign-in") as gateway:
        gateway.initialize()
        assert ok(gateway.call("list_contacts"))
    assert signed_in.kept["scope"] == "identity send"
    assert len(signed_in.opened) == 2
    assert called_tools(signed_in.standin.journal) == ["list_contacts"]


def test_a_header_of_the_settings_goes_before_a_sign_in(signed_in: Person) -> None:
    token = signed_in.kept["secret"]["access_token"]
    with (
        Scripted() as upstream,
        Gateway(signed_in.home, upstream.url, "--header", "Authorization: Bearer mine") as gateway,
    ):
        gateway.initialize()
        assert upstream.asked("initialize")[0].headers["authorization"] == "Bearer mine"
    assert token


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_registered_client_shows_its_secret_which_is_kept_nowhere(person: Person) -> None:
    port = _free_port()
    person.standin.authority.add_client("known", "s3cret-of-the-client", f"http://127.0.0.1:{port}/callback")
    person.home.environment["KEYID_GATEWAY_OAUTH_CLIENT_SECRET"] = "s3cret-of-the-client"
    person.signs_in("--oauth-client-id", "known", "--oauth-redirect-port", str(port))
    person.lets_it_expire()
    with running(person, "--oauth-client-id", "known") as gateway:
        gateway.initialize()
        assert ok(gateway.call("get_identity"))
    assert len(json.loads(person.types("tools", "--json", "--oauth-client-id", "known").out)["tools"]) == 64
    counts = person.standin.authority.counts
    assert (counts["register"], counts["refresh"]) == (0, 1)
    assert "s3cret-of-the-client" not in person.file.read_text(encoding="utf-8")
    assert person.said_anywhere("s3cret-of-the-client") == []


def test_a_wrong_secret_is_named_as_such(person: Person) -> None:
    port = _free_port()
    person.standin.authority.add_client("known", "s3cret-of-the-client", f"http://127.0.0.1:{port}/callback")
    person.home.environment["KEYID_GATEWAY_OAUTH_CLIENT_SECRET"] = "a guess"
    done = person.types("login", "--oauth-client-id", "known", "--oauth-redirect-port", str(port))
    assert done.code == 4
    assert "refuses to issue a token (" in done.err
    assert "hint: check --oauth-client-id and its secret\n" in done.err
    assert "a guess" not in done.err


# --- where it is kept, and who waits ---------------------------------------------------------------------------------


def test_where_there_is_a_keyring_the_secrets_are_there_and_not_in_the_file(person: Person) -> None:
    ring = person.home.path / "keyring.json"
    person.home.environment |= {
        "PYTHON_KEYRING_BACKEND": "tests.e2e.keyring_file.FileKeyring",
        "PYTHONPATH": str(ROOT),
        "TEST_KEYRING": str(ring),
    }
    assert "kept in the system's keyring\n" in person.signs_in().out
    assert (person.kept["kept"], person.kept["secret"]) == ("keyring", None)
    ((name, secret),) = json.loads(ring.read_text(encoding="utf-8")).items()
    assert name == f"keyid-gateway/{person.file.stem}"
    assert json.loads(secret)["access_token"] not in person.file.read_text(encoding="utf-8")
    with running(person) as gateway:
        gateway.initialize()
        assert ok(gateway.call("get_identity"))
        person.lets_it_expire()
        assert ok(gateway.call("get_identity"))
    assert person.standin.authority.counts["refresh"] == 1
    assert json.loads(person.types("whoami", "--json").out)["kept"] == "keyring"
    person.types("logout")
    assert json.loads(ring.read_text(encoding="utf-8")) == {}


def test_two_gateways_that_want_a_sign_in_open_one_browser(person: Person) -> None:
    with running(person, "--sign-in") as one, running(person, "--sign-in") as other:
        ids = [gateway.begin("initialize", _opening()) for gateway in (one, other)]
        answers = [gateway.answer(number) for gateway, number in zip((one, other), ids, strict=True)]
    assert ["result" in answer for answer in answers] == [True, True]
    assert person.standin.authority.counts["authorize"] == 1


def test_a_sign_in_that_nobody_waits_for_any_more_is_given_up(person: Person) -> None:
    person.home.environment["TEST_BROWSER_IDLE"] = "1"
    with running(person, "--sign-in") as gateway:
        gateway.begin("initialize", _opening())
        gateway.wait_for_error("in the browser that has just opened")
        assert gateway.close() == 0
    del person.home.environment["TEST_BROWSER_IDLE"]
    person.signs_in()  # it would be told that another sign-in is under way
    assert len(person.opened) == 2


# --- servers that are not what they should be ----------------------------------------------------------------------


class Liar:
    """An upstream whose metadata a test writes."""

    def __init__(self, upstream: Scripted, home: Home) -> None:
        self.upstream = upstream
        self.home = home
        self.origin = upstream.url.removesuffix("/mcp")
        upstream.script("initialize", http(401, b"", headers={"WWW-Authenticate": "Bearer"}))

    def publishes(self, resource: Json = None, server: Json = None) -> None:
        """The metadata, with these changes."""
        metadata = {
            "issuer": self.origin,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "registration_endpoint": f"{self.origin}/register",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        }
        described = {"resource": self.upstream.url, "authorization_servers": [self.origin], **(resource or {})}
        self.upstream.script("GET", http(200, described), http(200, {**metadata, **(server or {})}))

    def refusal(self) -> str:
        """What a client is told when it begins, with a gateway that may open a browser."""
        with Gateway(self.home, self.upstream.url, "--sign-in", policy=ALLOW_ALL) as gateway:
            return str(gateway.initialize()["error"]["message"])


@pytest.fixture
def liar(home: Home, standin: Standin) -> Iterator[Liar]:
    Person(home, standin)
    with Scripted() as upstream:
        yield Liar(upstream, home)


def _posted(liar: Liar) -> list[str]:
    """The bodies that were posted and are no message of MCP: registrations, codes, tokens."""
    asked = liar.upstream.everything()
    return [item.body.decode() for item in asked if item.verb == "POST" and b"jsonrpc" not in item.body]


def _agreed(said: str) -> Reply:
    """The authorization server sends the browser back with this, and the state that it was given."""

    def reply(asked: Asked, line: Line) -> None:
        fields = parse_qs(urlsplit(asked.target).query)
        (back,), (state,) = fields["redirect_uri"], fields["state"]
        http(302, headers={"Location": f"{back}?state={state}&{said}"})(asked, line)

    return reply


REGISTERED = http(201, {"client_id": "c", "redirect_uris": ["http://127.0.0.1/callback"]})


def test_an_error_from_nobody_where_the_issuer_is_promised(liar: Liar) -> None:
    liar.publishes(server={"authorization_response_iss_parameter_supported": True})
    liar.upstream.script("response", REGISTERED)
    liar.upstream.script("GET", _agreed("error=access_denied"))
    assert "the answer of the browser came from another issuer, or from none" in liar.refusal()


def test_a_token_that_no_header_can_carry_is_not_kept(liar: Liar) -> None:
    liar.publishes()
    token = {"access_token": "a\r\nX-Evil: b", "token_type": "Bearer"}
    liar.upstream.script("response", REGISTERED, http(200, token))
    liar.upstream.script("GET", _agreed("code=c"))
    assert "an answer on the way was not as it must be" in liar.refusal()
    assert list((liar.home.path / "credentials").glob("*.json")) == []


def test_the_query_of_an_authorization_endpoint_stays(liar: Liar) -> None:
    liar.publishes(server={"authorization_endpoint": f"{liar.origin}/authorize?p=policy"})
    liar.upstream.script("response", REGISTERED)
    liar.upstream.script("GET", _agreed("error=access_denied"))
    assert "says access_denied" in liar.refusal()
    (asked,) = [item.target for item in liar.upstream.everything() if item.target.startswith("/authorize")]
    assert asked.startswith("/authorize?p=policy&response_type=code&")


def test_an_authorization_endpoint_with_a_fragment(liar: Liar) -> None:
    liar.publishes(server={"authorization_endpoint": f"{liar.origin}/authorize#here"})
    liar.upstream.script("response", REGISTERED)
    assert "an authorization server's address has no fragment" in liar.refusal()


def test_metadata_of_another_issuer(liar: Liar) -> None:
    liar.publishes(server={"issuer": "https://elsewhere.example"})
    assert "its metadata names another issuer" in liar.refusal()
    assert _posted(liar) == []


def test_a_server_without_pkce(liar: Liar) -> None:
    liar.publishes(server={"code_challenge_methods_supported": ["plain"]})
    assert "does not offer PKCE with S256" in liar.refusal()
    assert _posted(liar) == []


def test_metadata_of_another_resource(liar: Liar) -> None:
    liar.publishes(resource={"resource": "https://elsewhere.example/mcp"})
    assert "the upstream's metadata is that of another server" in liar.refusal()


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://example.com", "https is needed"),
        ("https://169.254.169.254", "it leads into a private network"),
        ("https://10.0.0.1", "it leads into a private network"),
        ("https://[fe80::1]", "it leads into a private network"),
        ("https://[::ffff:192.168.0.1]", "it leads into a private network"),
    ],
)
def test_an_authorization_server_where_nobody_should_be_sent(liar: Liar, address: str, why: str) -> None:
    liar.publishes(resource={"authorization_servers": [address]})
    assert why in liar.refusal()


def test_a_server_that_registers_nobody(liar: Liar) -> None:
    liar.publishes()
    liar.upstream.script("response", http(403, {"error": "access_denied"}))
    assert "does not register this gateway as a client by itself (access_denied)" in liar.refusal()


def test_another_issuer_than_the_one_of_the_settings(liar: Liar) -> None:
    liar.publishes()
    liar.home.environment["KEYID_GATEWAY_OAUTH_ISSUER"] = "https://ours.example"
    assert "where `https://ours.example` was expected: nothing was sent to it" in liar.refusal()
    assert _posted(liar) == []


def test_a_server_that_does_not_say_where_to_sign_in(liar: Liar) -> None:
    liar.upstream.script("GET", *5 * [http(404)])
    assert "does not say where to sign in: it publishes no OAuth metadata" in liar.refusal()


def test_client_credentials_need_no_person_and_go_to_one_issuer_only(liar: Liar) -> None:
    liar.home.environment |= {
        "KEYID_GATEWAY_OAUTH_FLOW": "client_credentials",
        "KEYID_GATEWAY_OAUTH_CLIENT_ID": "robot",
        "KEYID_GATEWAY_OAUTH_CLIENT_SECRET": "s3cret",
    }
    liar.publishes()
    token = {"access_token": "of-the-machine", "token_type": "Bearer", "expires_in": 3600}
    liar.upstream.script("response", http(200, token))
    with Gateway(liar.home, liar.upstream.url, policy=ALLOW_ALL) as gateway:
        assert "result" in gateway.initialize()
    shown = [asked.headers.get("authorization") for asked in liar.upstream.asked("initialize")]
    assert shown == [None, "Bearer of-the-machine"]
    (asked,) = liar.upstream.asked("response")
    assert asked.headers["authorization"] == f"Basic {b64encode(b'robot:s3cret').decode()}"
    assert (asked.headers["user-agent"], asked.headers["accept"]) == ("keyid-gateway", "application/json")
    assert b"grant_type=client_credentials" in asked.body
    assert b"s3cret" not in asked.body

    other = f"{liar.origin}/other"
    liar.upstream.forget()
    liar.upstream.script("initialize", http(401))
    liar.publishes(resource={"authorization_servers": [other]}, server={"issuer": other})
    assert "its metadata names another issuer" in liar.refusal()
    assert _posted(liar) == []


def test_no_token_goes_where_a_redirect_leads(signed_in: Person) -> None:
    with Scripted() as elsewhere, Scripted() as upstream:
        person = Person(signed_in.home, signed_in.standin)
        file = person.file
        file.rename(Client(upstream.url, file.parent).file)
        upstream.script("initialize", http(307, headers={"Location": elsewhere.url}))
        with Gateway(signed_in.home, upstream.url, policy=ALLOW_ALL) as gateway:
            message = gateway.initialize()["error"]["message"]
        assert upstream.asked("initialize")[0].headers["authorization"].startswith("Bearer access-")
        assert elsewhere.everything() == []
    assert "redirects" in message
    assert scripted.SESSION not in message
