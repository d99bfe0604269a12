"""The loop is asyncio's, as it is under `run` and in the helper."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
