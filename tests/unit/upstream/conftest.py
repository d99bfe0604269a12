"""A scripted upstream, and what the upstream's room is made of."""

import json
from collections.abc import Callable, Iterator

import pytest

from gateway.jsonrpc import Json, Message, parse
from tests.e2e.scripted import Scripted

Make = Callable[..., Message]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


@pytest.fixture
def make() -> Make:
    """Messages as they come from a client: the method, the id (None: a notification), the params."""

    def message(method: str, identifier: Json = 1, **params: Json) -> Message:
        body: dict[str, Json] = {"jsonrpc": "2.0", "method": method, "params": params}
        if identifier is not None:
            body["id"] = identifier
        parsed = parse(json.dumps(body).encode())
        assert isinstance(parsed, Message)
        return parsed

    return message
