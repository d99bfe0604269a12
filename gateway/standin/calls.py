"""`tools/list` and `tools/call`."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
)

from gateway.standin.identity.failure import ToolFailure
from gateway.standin.live import ClientSide, InputNeeded
from gateway.standin.tools import TOOLS
from gateway.standin.tools.call import Arguments, Call, Structured
from gateway.standin.world import Context, World


@dataclass(frozen=True, slots=True)
class ToolSide:
    """The handlers of the `tools/` methods."""

    world: World

    async def list_tools(self, _: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        """All tools, or one page of them with an opaque cursor to the next."""
        tools, size = self.world.catalogue.tools(), self.world.options.page_size
        first = _offset(params.cursor if params is not None else None)
        if size is None:
            return ListToolsResult(tools=tools[first:])
        last = first + size
        return ListToolsResult(tools=tools[first:last], next_cursor=_cursor(last) if last < len(tools) else None)

    async def call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        """Run a tool. An unknown one is an error of the protocol; all that goes wrong inside is a result."""
        if params.name not in self.world.catalogue:
            raise MCPError(INVALID_PARAMS, f"there is no tool `{params.name}`")
        try:
            with self.world.calls.one():
                return _done(await self._run(context, params))
        except ToolFailure as failure:
            return CallToolResult(content=[TextContent(type="text", text=str(failure))], is_error=True)
        except InputNeeded as needed:
            return needed.result

    async def _run(self, context: Context, params: CallToolRequestParams) -> Structured:
        name, arguments = params.name, params.arguments or {}
        mistake = self.world.catalogue.mistake(name, arguments)
        if mistake is not None:
            raise ToolFailure(f"the arguments do not fit: {mistake}")
        self.world.journal.event("tool", name, arguments)
        call = Call(self.world.identity, Arguments(arguments), ClientSide(self.world, context, params))
        try:
            answer = TOOLS[name](call)
            structured = dict(answer) if isinstance(answer, Mapping) else await answer
            await self.world.settle()
        except anyio.get_cancelled_exc_class():
            self.world.journal.event("cancelled", name, arguments)
            raise
        return structured


def _done(structured: Structured) -> CallToolResult:
    text = json.dumps(structured, ensure_ascii=False, separators=(",", ":"))
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=structured)


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(f"tools:{offset}".encode()).decode()


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        kind, _, offset = base64.urlsafe_b64decode(cursor).decode().partition(":")
        if kind == "tools" and offset.isdecimal():
            return int(offset)
    except (binascii.Error, UnicodeError):
        pass
    raise MCPError(INVALID_PARAMS, f"`{cursor}` is not a cursor of this server")
