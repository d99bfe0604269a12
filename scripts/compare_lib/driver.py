"""Takes the steps with the Python SDK's client; what came of each, and what the server said meanwhile."""

import asyncio
import json
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from pydantic import BaseModel

Json: TypeAlias = Any
Step: TypeAlias = Callable[..., Awaitable[Json]]
_SETTLING = 1.0
"""Seconds: the server asks for the roots a little after the handshake."""


_METHODS: Mapping[str, str] = {
    "tools": "list_tools",
    "resources": "list_resources",
    "templates": "list_resource_templates",
    "prompts": "list_prompts",
    "ping": "send_ping",
    "level": "set_logging_level",
    "read": "read_resource",
    "subscribe": "subscribe_resource",
    "unsubscribe": "unsubscribe_resource",
    "prompt": "get_prompt",
}


class Driver:
    """One client, which answers what the server asks, and counts what it hears."""

    def __init__(self, mode: Literal["legacy", "auto"]) -> None:
        self._mode = mode
        self._heard: Counter[str] = Counter()

    async def take(self, steps: Sequence[Sequence[Json]], target: str | StdioServerParameters, errors: Path) -> Json:
        """All steps in their order: `{"found": [one a step], "heard": {what: how often}}`."""
        warnings.simplefilter("ignore", MCPDeprecationWarning)
        with errors.open("a") as sink:
            server = target if isinstance(target, str) else stdio_client(target, errlog=sink)
            async with Client(
                server,
                mode=self._mode,
                sampling_callback=self._sample,
                elicitation_callback=self._elicit,
                list_roots_callback=self._roots,
                message_handler=self._hear,
                client_info=types.Implementation(name="compare", version="1"),
            ) as client:
                await asyncio.sleep(_SETTLING)
                taken = self._steps(client)
                found = [await _outcome(taken[kind], words) for kind, *words in steps]
        return {"found": found, "heard": dict(self._heard)}

    def _steps(self, client: Client) -> Mapping[str, Step]:
        async def server() -> Json:
            return {
                "info": _plain(client.server_info),
                "capabilities": _plain(client.server_capabilities),
                "instructions": client.instructions,
            }

        async def call(name: str, arguments: Json) -> Json:
            return await client.call_tool(name, arguments, progress_callback=self._progress)

        def named(method: str) -> Step:
            """One of the client's own; some are deprecated, and older servers still have what they ask for."""
            return cast(Step, getattr(client, method))

        return {
            "server": server,
            "call": call,
            "complete": lambda ref, argument: client.complete(_reference(ref), argument),
            **{kind: named(method) for kind, method in _METHODS.items()},
        }

    async def _progress(self, progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG002 - as the SDK calls it
        self._heard[f"progress {progress:g} of {total or 0:g}"] += 1

    async def _sample(
        self,
        context: object,  # noqa: ARG002 - as the SDK calls it
        params: types.CreateMessageRequestParams,
    ) -> types.CreateMessageResult:
        self._heard["asked sampling/createMessage"] += 1
        text = json.dumps([_plain(message) for message in params.messages])
        return types.CreateMessageResult(
            role="assistant", model="none", content=types.TextContent(type="text", text=text)
        )

    async def _elicit(
        self,
        context: object,  # noqa: ARG002 - as the SDK calls it
        params: types.ElicitRequestParams,
    ) -> types.ElicitResult:
        self._heard["asked elicitation/create"] += 1
        return types.ElicitResult(action="accept", content={"name": params.message, "check": True})

    async def _roots(self, context: object) -> types.ListRootsResult:  # noqa: ARG002 - as the SDK calls it
        return types.ListRootsResult.model_validate({"roots": [{"uri": "file:///somewhere", "name": "somewhere"}]})

    async def _hear(self, message: object) -> None:
        method = getattr(message, "method", None)
        if isinstance(method, str) and method != "notifications/progress":
            self._heard[f"heard {method}"] += 1


def _reference(ref: Mapping[str, str]) -> types.PromptReference | types.ResourceTemplateReference:
    if ref["type"] == "ref/prompt":
        return types.PromptReference(type="ref/prompt", name=ref["name"])
    return types.ResourceTemplateReference(type="ref/resource", uri=ref["uri"])


async def _outcome(step: Step, words: Sequence[Json]) -> Json:
    try:
        return {"result": _plain(await step(*words))}
    except MCPError as error:
        return {"error": _plain(error.error)}


def _plain(value: object) -> Json:
    return (
        value.model_dump(mode="json", by_alias=True, exclude_none=True, warnings=False)
        if isinstance(value, BaseModel)
        else value
    )
