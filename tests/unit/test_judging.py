"""What the judge hands to the decision: everything that is known of the tool, and of the moment."""

from typing import Any, cast

from gateway.case import Case, Client, Identity
from gateway.jsonrpc import Json, Message
from gateway.judging import Judge
from gateway.policy import Facts, ToolCall, load
from gateway.policy.schemas import InputSchema
from tests.unit.state.manual import MIDNIGHT, ManualClock

CALL: dict[str, Json] = {"name": "t", "arguments": {"a": 1}}
MESSAGE = Message("request", 1, "tools/call", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL}, b"")
OF_TOOL = Facts(
    mirrored=True,
    required_arguments=("a",),
    schema=InputSchema({"type": "object"}),
    annotations={"readOnlyHint": True},
    pin="changed",
)


class Surroundings:
    """Of what the judge asks for here, the facts of a tool."""

    def facts(self, tool: str) -> Facts:
        assert tool == "t"
        return OF_TOOL


def test_nothing_that_is_known_of_a_tool_is_lost_on_the_way_to_the_decision() -> None:
    judge = Judge(Identity("me", "s1", "https://s/mcp"), cast(Any, Surroundings()), ManualClock())
    case = Case.of("d1", MESSAGE, b"", Client("c", "1"), 0.0)
    policy = load(b'{"version":"1","default":"allow"}', name="p")
    made = judge._facts(cast(Any, None), case, ToolCall("t", {"a": 1}), policy, now=MIDNIGHT, former=None, ages=())
    assert made == OF_TOOL._replace(circumstances=made.circumstances)
    assert made.circumstances is not None
    assert (made.circumstances.now, made.circumstances.grant, made.circumstances.client) == (MIDNIGHT, "me", "c")
    told = [name for name, default in Facts._field_defaults.items() if getattr(OF_TOOL, name) == default]
    assert told == ["circumstances"], "a fact that this test does not know may be lost"
