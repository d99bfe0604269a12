"""The client's side of a running call: progress, log messages, and questions back.

In a handshake revision they are messages on the stream of the call. With JSON answers that stream does not exist, so
they take the session's standing stream instead. In the stateless revision a question is the result `input_required`,
and the client calls again with the answer (2026-07-28, basic/patterns, multi-round-trip requests).
"""

from dataclasses import dataclass
from typing import cast

from mcp.server.connection import allowed_log_levels
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageResult,
    ElicitationCapability,
    ElicitRequest,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsResult,
    LoggingLevel,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
    RequestId,
    RootsCapability,
    SamplingCapability,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel

from gateway.standin.identity.failure import ToolFailure
from gateway.standin.tools.call import Structured
from gateway.standin.world import Context, World, session_id

ANSWER = "answer"
STATE = 'standin "state" ÷ 1'
"""The opaque `requestState`: it must come back byte for byte, so it holds what a careless relay would change."""


class InputNeeded(Exception):
    """The call cannot go on without an answer of the client."""

    def __init__(self, request: InputRequest) -> None:
        super().__init__(request.method)
        self.result = InputRequiredResult(input_requests={ANSWER: request}, request_state=STATE)


@dataclass(frozen=True, slots=True)
class ClientSide:
    """`Live` for one call over the SDK's session."""

    world: World
    context: Context
    params: CallToolRequestParams

    @property
    def _modern(self) -> bool:
        return self.context.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def _stream(self) -> RequestId | None:
        """The request whose stream carries messages of this call; None is the standing stream."""
        return None if self.world.options.json_response and not self._modern else self.context.request_id

    async def progress(self, done: float, total: float | None, message: str) -> None:
        token = (self.context.meta or {}).get("progress_token")
        if self._stream is not None:
            await self.context.session.report_progress(done, total, message)
        elif token is not None:
            await self.context.session.send_progress_notification(token, done, total, message)

    async def log(self, level: LoggingLevel, data: object) -> None:
        if self._wants(level):
            params = LoggingMessageNotificationParams(level=level, data=data, logger="standin")
            await self.context.session.send_notification(LoggingMessageNotification(params=params), self._stream)

    async def ask(self, request: InputRequest) -> Structured:
        if not self.context.session.check_client_capability(_needed_for(request)):
            self._complain(request)
        answer = self._given_answer() if self._modern else await self._answer_of(request)
        if answer is None:
            raise InputNeeded(request)
        return cast(Structured, answer.model_dump(mode="json", by_alias=True, exclude_none=True))

    async def arrival(self, seconds: float) -> None:
        await self.world.settle()
        await self.world.hub.arrival(seconds)

    async def show_extra(self, *, present: bool) -> None:
        self.world.catalogue.show_extra(present=present)
        await self.world.hub.tools_changed()

    async def pull_rug(self) -> None:
        self.world.catalogue.pull_rug()
        await self.world.hub.tools_changed()

    def _wants(self, level: LoggingLevel) -> bool:
        if self._modern:
            return level in allowed_log_levels(self.context.protocol_version, self.context.meta)
        return self.world.hub.wants(session_id(self.context) or "", level)

    def _given_answer(self) -> BaseModel | None:
        if not self.params.input_responses:
            return None
        if self.params.request_state != STATE:
            raise ToolFailure("`requestState` did not come back as it was sent")
        return self.params.input_responses.get(ANSWER)

    async def _answer_of(self, request: InputRequest) -> BaseModel:
        metadata = ServerMessageMetadata(related_request_id=self._stream)
        try:
            return await self.context.session.send_request(request, _result_of(request), metadata=metadata)
        except MCPError as error:
            raise ToolFailure(f"the client refused `{request.method}`: {error.error.message}") from None

    def _complain(self, request: InputRequest) -> None:
        text = f"the client did not declare what `{request.method}` needs"
        if not self._modern:
            raise ToolFailure(text)
        needed = _needed_for(request).model_dump(by_alias=True, exclude_none=True)
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, text, {"requiredCapabilities": needed})


def _needed_for(request: InputRequest) -> ClientCapabilities:
    if isinstance(request, CreateMessageRequest):
        return ClientCapabilities(sampling=SamplingCapability())
    if isinstance(request, ElicitRequest):
        return ClientCapabilities(elicitation=ElicitationCapability())
    return ClientCapabilities(roots=RootsCapability())


def _result_of(request: InputRequest) -> type[BaseModel]:
    if isinstance(request, CreateMessageRequest):
        return CreateMessageResult
    return ElicitResult if isinstance(request, ElicitRequest) else ListRootsResult
