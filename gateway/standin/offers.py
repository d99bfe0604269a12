"""Resources, prompts and completion."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmptyResult,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    PromptReference,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from gateway.standin.identity import Identity
from gateway.standin.identity.failure import ToolFailure
from gateway.standin.identity.mailbox import Query
from gateway.standin.world import INBOX, Context, World, session_id

MESSAGE = "keyid://messages/"
_JSON = "application/json"
_LEGACY_NOT_FOUND = -32002
"""What the handshake revisions answer for a resource that is not there; 2026-07-28 says invalid params."""


def _unread(identity: Identity) -> object:
    identity.catch_up()
    return [message.as_json() for message in identity.mailbox.find(Query(unread_only=True))]


def _totp(identity: Identity) -> object:
    return [entry.as_json() for entry in identity.shelves.totp.values()]


def _identity(identity: Identity) -> object:
    return {"email": identity.email, "phone": identity.phone, "display_name": identity.display_name}


RESOURCES: Mapping[str, tuple[str, str, Callable[[Identity], object]]] = MappingProxyType(
    {
        INBOX: ("unread", "Unread mail and SMS, newest first", _unread),
        "keyid://totp/entries": ("totp", "Authenticator entries without their secrets", _totp),
        "keyid://identity": ("identity", "Mail address, phone number and display name", _identity),
    }
)

TONES = ("brief", "formal", "friendly")

PROMPTS: Mapping[str, tuple[Prompt, str]] = MappingProxyType(
    {
        "sign_up": (
            Prompt(
                name="sign_up",
                title="Sign up at a service",
                description="Walks through a sign-up with a registration session.",
                arguments=[PromptArgument(name="service", description="Name of the service", required=True)],
            ),
            "Start a registration session for {service}, wait for what arrives, and complete the session.",
        ),
        "answer_message": (
            Prompt(
                name="answer_message",
                title="Answer a message",
                description="Drafts an answer to one message.",
                arguments=[
                    PromptArgument(name="message_id", description="Which message", required=True),
                    PromptArgument(name="tone", description="How it should sound", required=False),
                ],
            ),
            "Read message {message_id} and draft an answer in a {tone} tone. Do not send it.",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class ResourceSide:
    """The handlers of the `resources/` methods."""

    world: World

    async def list_resources(self, _: Context, __: PaginatedRequestParams | None) -> ListResourcesResult:
        """The three fixed resources."""
        return ListResourcesResult(
            resources=[
                Resource(uri=uri, name=name, description=description, mime_type=_JSON)
                for uri, (name, description, _) in RESOURCES.items()
            ]
        )

    async def list_templates(self, _: Context, __: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        """One message by its id."""
        template = ResourceTemplate(
            uri_template=MESSAGE + "{message_id}", name="message", description="One mail or SMS", mime_type=_JSON
        )
        return ListResourceTemplatesResult(resource_templates=[template])

    async def read(self, context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        """A resource as JSON text."""
        text = json.dumps(self._content(context, params.uri), ensure_ascii=False)
        await self.world.settle()
        return ReadResourceResult(contents=[TextResourceContents(uri=params.uri, mime_type=_JSON, text=text)])

    async def subscribe(self, context: Context, params: SubscribeRequestParams) -> EmptyResult:
        """Tell this session of changes."""
        self.world.hub.subscribe(session_id(context) or "", params.uri)
        return EmptyResult()

    async def unsubscribe(self, context: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        """Do not tell it any more."""
        self.world.hub.unsubscribe(session_id(context) or "", params.uri)
        return EmptyResult()

    def _content(self, context: Context, uri: str) -> object:
        if uri in RESOURCES:
            return RESOURCES[uri][2](self.world.identity)
        if uri.startswith(MESSAGE):
            try:
                return self.world.identity.mailbox.get(uri.removeprefix(MESSAGE)).as_json()
            except ToolFailure:
                pass
        modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        raise MCPError(INVALID_PARAMS if modern else _LEGACY_NOT_FOUND, f"there is no resource `{uri}`")


@dataclass(frozen=True, slots=True)
class PromptSide:
    """The handlers of the `prompts/` methods and of completion."""

    world: World

    async def list_prompts(self, _: Context, __: PaginatedRequestParams | None) -> ListPromptsResult:
        """Both prompts."""
        return ListPromptsResult(prompts=[prompt for prompt, _ in PROMPTS.values()])

    async def get(self, _: Context, params: GetPromptRequestParams) -> GetPromptResult:
        """One prompt with its arguments filled in; a missing one is invalid params."""
        if params.name not in PROMPTS:
            raise MCPError(INVALID_PARAMS, f"there is no prompt `{params.name}`")
        prompt, text = PROMPTS[params.name]
        given = {"tone": TONES[0], **(params.arguments or {})}
        for argument in prompt.arguments or ():
            if argument.required and argument.name not in given:
                raise MCPError(INVALID_PARAMS, f"prompt `{params.name}` needs `{argument.name}`")
        for name, value in given.items():
            text = text.replace("{" + name + "}", value)
        message = PromptMessage(role="user", content=TextContent(type="text", text=text))
        return GetPromptResult(description=prompt.description, messages=[message])

    async def complete(self, _: Context, params: CompleteRequestParams) -> CompleteResult:
        """Values that begin with what was typed: tones, services, ids of messages."""
        reference = params.ref.name if isinstance(params.ref, PromptReference) else params.ref.uri
        values = self._values(reference, params.argument.name)
        found = [value for value in values if value.casefold().startswith(params.argument.value.casefold())]
        return CompleteResult(completion=Completion(values=found[:100], total=len(found), has_more=len(found) > 100))

    def _values(self, reference: str, argument: str) -> list[str]:
        match (reference, argument):
            case ("answer_message", "tone"):
                return list(TONES)
            case ("sign_up", "service"):
                return [entry.issuer for entry in self.world.identity.shelves.totp.values()]
            case ("answer_message", "message_id") | ("keyid://messages/{message_id}", "message_id"):
                return [message.message_id for message in self.world.identity.mailbox.find(Query())]
        return []
