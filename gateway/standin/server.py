"""The MCP server of the stand-in: the SDK's low-level server with a handler for every method it serves.

`logging/setLevel` is added by name: the SDK calls its constructor argument deprecated, but the handshake revisions
still have the method.
"""

from mcp.server import InitializationOptions, NotificationOptions, Server
from mcp.server.subscriptions import ListenHandler
from mcp_types import EmptyResult, NotificationParams, SetLevelRequestParams
from starlette.applications import Starlette

from gateway.standin.calls import ToolSide
from gateway.standin.door import PATH
from gateway.standin.offers import PromptSide, ResourceSide
from gateway.standin.world import Context, World, session_id

BODY_LIMIT = 64 * 1024 * 1024
"""Largest request body in bytes; tests of a relay send bodies of several MiB."""
INSTRUCTIONS = "A stand-in for KeyID on this machine. Everything in it is invented; nothing leaves it."


class StandinServer(Server[dict[str, object]]):
    """The SDK's server, announcing that its tools and resources may change."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, object]] | None = None,
        extensions: dict[str, dict[str, object]] | None = None,
    ) -> InitializationOptions:
        """The handshake's answer; the session manager of the SDK asks for it without options."""
        options = notification_options or NotificationOptions(tools_changed=True)
        return super().create_initialization_options(options, experimental_capabilities, extensions)


def build_server(world: World) -> StandinServer:
    """The server over one world."""
    tools, resources, prompts = ToolSide(world), ResourceSide(world), PromptSide(world)
    server = StandinServer(
        "keyid-standin",
        version="1.0.0",
        title="KeyID stand-in",
        instructions=INSTRUCTIONS,
        get_tool_input_schema=world.catalogue.input_schema,
        on_list_tools=tools.list_tools,
        on_call_tool=tools.call_tool,
        on_list_resources=resources.list_resources,
        on_list_resource_templates=resources.list_templates,
        on_read_resource=resources.read,
        on_subscribe_resource=resources.subscribe,
        on_unsubscribe_resource=resources.unsubscribe,
        on_subscriptions_listen=ListenHandler(world.hub.bus),
        on_list_prompts=prompts.list_prompts,
        on_get_prompt=prompts.get,
        on_completion=prompts.complete,
    )

    async def set_level(context: Context, params: SetLevelRequestParams) -> EmptyResult:
        world.hub.set_level(session_id(context) or "", params.level)
        return EmptyResult()

    async def initialized(context: Context, _: NotificationParams) -> None:
        joined = session_id(context)
        if joined is not None:
            world.hub.join(joined, context.session)

    server.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)
    server.add_notification_handler("notifications/initialized", NotificationParams, initialized)
    return server


def build_app(world: World) -> Starlette:
    """The ASGI application; it serves `PATH` only."""
    return build_server(world).streamable_http_app(
        streamable_http_path=PATH,
        json_response=world.options.json_response,
        host=world.options.host,
        max_request_body_size=BODY_LIMIT,
    )
