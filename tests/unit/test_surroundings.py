"""What the interceptor asks of the other rooms: whatever takes time comes before the moment of the decision."""

from typing import Any, cast

import pytest

from gateway.app.surroundings import Rooms
from gateway.catalogue import Catalogue
from gateway.policy import load

LOOKING = load(b'{"version":"1","default":"allow","tools":{"a":{"validate":{"schema":true}}}}', name="p")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Others:
    """The rooms that are asked: everything is there, nothing is waited for."""

    def __init__(self) -> None:
        self.state = self
        self.loaded, self.file, self.in_force = True, None, LOOKING
        self.catalogue = Catalogue()
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
        self.catalogue.page(None, {"tools": [{"name": name, "inputSchema": cast(Any, schema)} for name in "ab"]})

    def wants(self, _tool: str) -> bool:
        return False

    def settled(self, _tool: str) -> bool:
        return True

    async def ensure(self, _tool: str, _like: object) -> None:
        pass

    async def settle(self, _tool: str) -> None:
        pass


async def test_a_schema_is_compiled_before_a_call_is_judged_by_it() -> None:
    others = cast(Any, Others())
    rooms = Rooms(others, others, others, others, "me")
    schema = others.catalogue.facts("a").schema
    assert rooms.ready("b") is not None, "no rule looks at its schema"
    assert (rooms.ready("a"), schema.is_compiled) == (None, False)
    assert await rooms.look_up("a", cast(Any, None)) is None
    assert (rooms.ready("a") is not None, schema.is_compiled) == (True, True)
    assert schema.fault({"n": "x"}) is not None
