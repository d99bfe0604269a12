"""What a running gateway makes of the server's list of tools."""

from gateway.standin import Standin
from gateway.state import lists
from tests.e2e.process import Gateway, Home

MISSPELT = {"version": "1", "default": "deny", "tools": {"get_identity": {}, "send_emial": {}}}


def test_the_log_names_what_the_policy_speaks_of_and_the_server_lacks(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=MISSPELT) as gateway:
        gateway.initialize()
        gateway.call("get_identity")
        gateway.wait_for_error(
            "the policy names 1 tool that this server does not announce; `send_emial` (did you mean `send_email`?)"
        )
        home.policy({"version": "1", "default": "deny", "tools": {"get_identty": {}}})
        gateway.wait_for_error("`get_identty` (did you mean `get_identity`?)")


def test_the_list_is_kept_beside_the_state_file(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, "--log-level", "debug", policy=MISSPELT) as gateway:
        gateway.initialize()
        gateway.call("get_identity")
        gateway.wait_for_error("the list of tools is kept")
    found = lists.last(home.state, standin.url)
    assert found is not None
    assert len(found) == 64
