"""The one place where the gateway listens: where a browser comes back to after a sign-in (B30).

Whatever knocks there and is not the browser on its way back from this very sign-in, by this very address, is refused
and changes nothing: the sign-in goes on, and ends with what the authorization server has given.
"""

import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import pytest

from gateway.clock import SystemClock
from gateway.standin import Standin, StandinOptions
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home
from tests.e2e.signing import Person


@dataclass(frozen=True)
class Knock:
    """A request to the place: how it differs from the browser's."""

    verb: str = "GET"
    host: str = ""
    path: str = ""
    drop: str = ""
    state: str = ""


KNOCKS = {
    "another host": Knock(host="evil.example"),
    "another host with the port": Knock(host="evil.example:{port}"),
    "this machine by another name": Knock(host="localhost:{port}"),
    "a form": Knock(verb="POST"),
    "a look without a visit": Knock(verb="HEAD"),
    "another path": Knock(path="/"),
    "no state": Knock(drop="state"),
    "another state": Knock(state="AAAA"),
}


@pytest.fixture
def person(home: Home) -> Iterator[Person]:
    """Somebody whose browser opens addresses and does nothing more."""
    with Standin(StandinOptions(oauth=True), clock=SystemClock()) as standin:
        person = Person(home, standin)
        home.environment["TEST_BROWSER_IDLE"] = "1"
        yield person


def ask(target: SplitResult, knock: Knock) -> http.client.HTTPResponse:
    """Send a request; what came back, without following it anywhere."""
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=PATIENCE)
    fields = [part for part in target.query.split("&") if part.partition("=")[0] != knock.drop]
    if knock.state:
        fields = [f"state={knock.state}" if part.startswith("state=") else part for part in fields]
    connection.putrequest(knock.verb, f"{knock.path or target.path}?{'&'.join(fields)}", skip_host=True)
    connection.putheader("Host", knock.host.format(port=target.port) or target.netloc)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize("how", KNOCKS)
def test_b30_who_is_not_the_browser_on_its_way_back_changes_nothing(person: Person, how: str) -> None:
    """It has all that the browser has, the code and the state, unless it differs in just that."""
    with Gateway(person.home, person.standin.url, "--sign-in", policy=ALLOW_ALL) as gateway:
        begun = gateway.begin(
            "initialize",
            {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
        )
        gateway.wait_for_error("in the browser that has just opened")
        back = urlsplit(ask(urlsplit(person.opened[0]), Knock()).headers["Location"])
        assert ask(back, KNOCKS[how]).status in (400, 404)
        assert person.standin.authority.counts["code"] == 0
        assert ask(back, Knock()).status == 200
        assert "result" in gateway.answer(begun)
    assert person.standin.authority.counts["code"] == 1
