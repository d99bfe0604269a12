"""Which gateways run, as they say of themselves: through real processes."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from gateway.errors import StateError
from gateway.standin import Standin
from gateway.state import Running, reading
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home

POLICY = {"version": "1", "default": "allow", "hide": ["delete_contact"]}


def wait_for(home: Home, wanted: Callable[[Sequence[Running]], bool]) -> Sequence[Running]:
    """What is noted, as soon as it is as wanted."""
    waiting, deadline = threading.Event(), time.monotonic() + PATIENCE
    found: Sequence[Running] = ()
    while time.monotonic() < deadline:
        with suppress(StateError), reading(home.state) as tx:  # the gateway may be making the file just now
            found = tx.gateways.noted()
            if wanted(found):
                return found
        waiting.wait(0.01)
    raise AssertionError(f"not noted: {found}")


def test_a_gateway_is_noted_with_its_client_and_what_it_has_done_until_its_end(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, "--grant", "mail", policy=POLICY) as gateway:
        gateway.initialize()
        gateway.call("get_identity")
        gateway.call("get_identity")
        gateway.call("delete_contact", {"id": "1"})
        (line,) = wait_for(home, lambda found: [(each.calls, each.denials) for each in found] == [(2, 1)])
        assert (line.pid, line.grant, line.server) == (gateway.process.pid, "mail", standin.url)
        assert (line.client_name, line.client_version) == ("test-client", "1.2.3")
        assert line.policy == str(home.path / "policy.json")
        assert line.policy_revision
        assert line.life(time.time()) == "running"
        assert gateway.close() == 0
    wait_for(home, lambda found: not found)


def test_one_that_was_killed_is_known_to_be_gone_and_the_next_one_takes_its_line_away(
    home: Home, standin: Standin
) -> None:
    with Gateway(home, standin.url, policy=ALLOW_ALL) as killed:
        killed.initialize()
        wait_for(home, lambda found: len(found) == 1)
        killed.process.kill()
        killed.wait()
    (left,) = wait_for(home, lambda found: len(found) == 1)
    assert left.life(time.time()) == "gone"
    with Gateway(home, standin.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        (line,) = wait_for(home, lambda found: [each.pid for each in found] == [gateway.process.pid])
        assert line.session != left.session
