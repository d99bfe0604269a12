"""What one message of a handshake revision says in 2026-07-28, and the other way. Pure.

Requests get the `_meta` in which a stateless request says what it is; what the client put there (progress token, trace
context) stays. Results lose what only the stateless revision has. What a handshake revision cannot say at all is left
out: output that is no object, with the schema that announces it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.jsonrpc import INVALID_PARAMS, Json, Message, serialise
from gateway.questions import CAPABILITIES, KINDS
from gateway.upstream.headers import PROTOCOL_VERSION, STATELESS

VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""The handshake revisions, oldest first."""
LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
_CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"
_SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"
_LOG_LEVEL: Final = "io.modelcontextprotocol/logLevel"
_TASKS: Final = "io.modelcontextprotocol/tasks"
_ONLY_STATELESS: Final = frozenset({"resultType", "ttlMs", "cacheScope"})
_NOT_FOUND: Final = -32002
_UNNAMED: Final[Mapping[str, Json]] = {"name": "unnamed", "version": "unknown"}


@dataclass(frozen=True, slots=True)
class Opening:
    """What a client said of itself in its `initialize`, as each of its requests says it from now on."""

    version: str
    capabilities: Mapping[str, Json]
    info: Json

    @classmethod
    def of(cls, initialize: Message) -> "Opening":
        """The opening of a client; its version is answered if it is known, else the newest."""
        asked = initialize.params.get("protocolVersion")
        version = asked if isinstance(asked, str) and asked in VERSIONS else VERSIONS[-1]
        declared = initialize.params.get("capabilities")
        return cls(version, _client_capabilities(declared), initialize.params.get("clientInfo"))

    def meta(self, level: str | None) -> dict[str, Json]:
        """The `_meta` of one request; `level` is the least severe log message that the client wants, if it said so."""
        meta: dict[str, Json] = {PROTOCOL_VERSION: STATELESS, CAPABILITIES: dict(self.capabilities)}
        if isinstance(self.info, dict):
            meta[_CLIENT_INFO] = self.info
        return meta if level is None else {**meta, _LOG_LEVEL: level}

    def can_be_asked(self, asked: Message) -> bool:
        """Whether the client declared that it answers such a request (URL elicitation: of 2025-11-25)."""
        kind = next((kind for kind, method in KINDS.items() if method == asked.method), None)
        declared = self.capabilities.get(kind) if kind is not None else None
        if asked.method == KINDS["elicitation"] and asked.params.get("mode") == "url":
            return isinstance(declared, dict) and "url" in declared
        return declared is not None


def _client_capabilities(declared: Json) -> dict[str, Json]:
    """What of a client's capabilities the stateless revision knows: no tasks, and no news of roots."""
    if not isinstance(declared, dict):
        return {}
    kept = {name: value for name, value in declared.items() if name != "tasks"}
    if isinstance(kept.get("roots"), dict):
        kept["roots"] = {}
    return _without_tasks(kept)


def _without_tasks(capabilities: dict[str, Json]) -> dict[str, Json]:
    extensions = capabilities.get("extensions")
    if not isinstance(extensions, dict) or _TASKS not in extensions:
        return capabilities
    return {**capabilities, "extensions": {name: value for name, value in extensions.items() if name != _TASKS}}


def speaks(discovered: Mapping[str, Json]) -> bool:
    """Whether a server that answered `server/discover` serves the revision that is spoken here."""
    versions = discovered.get("supportedVersions")
    return isinstance(versions, list) and STATELESS in versions


def announced(opening: Opening, discovered: Mapping[str, Json]) -> dict[str, Json]:
    """The result of `initialize` that a server would have given, from its discovery."""
    capabilities = discovered.get("capabilities")
    meta = discovered.get("_meta")
    info = meta.get(_SERVER_INFO) if isinstance(meta, dict) else None
    result: dict[str, Json] = {
        "protocolVersion": opening.version,
        "capabilities": _without_tasks(capabilities) if isinstance(capabilities, dict) else {},
        "serverInfo": info if isinstance(info, dict) else dict(_UNNAMED),
    }
    taken = _ONLY_STATELESS | {"capabilities", "supportedVersions", "_meta"}
    return result | {name: value for name, value in discovered.items() if name not in taken}


def stateless(message: Message, meta: Mapping[str, Json]) -> Message:
    """A request of a handshake revision as one of 2026-07-28, under the same id."""
    params: dict[str, Json] = {**message.params, "_meta": {**message.meta, **meta}}
    return request(message, params)


def request(like: Message, params: Mapping[str, Json], identifier: str | None = None) -> Message:
    """The same request with other params, and perhaps another id."""
    known = like.id if identifier is None else identifier
    body: dict[str, Json] = {**like.body, "id": known, "params": dict(params)}
    return replace(like, id=known, body=body, raw=serialise(body))


def in_session(asked: Message, answer: Message) -> bytes:
    """The answer to `asked`, a request of a handshake revision, from that to the same in 2026-07-28."""
    body: dict[str, Json] = {**answer.body, "id": asked.id}
    result, error = body.get("result"), body.get("error")
    if isinstance(result, dict):
        body["result"] = _result(asked.method, result)
    if isinstance(error, dict) and asked.method == "resources/read" and error.get("code") == INVALID_PARAMS:
        body["error"] = {**error, "code": _NOT_FOUND}
    return serialise(body)


def _result(method: str, result: Mapping[str, Json]) -> dict[str, Json]:
    kept = {name: value for name, value in result.items() if name not in _ONLY_STATELESS}
    meta = kept.get("_meta")
    if isinstance(meta, dict) and _SERVER_INFO in meta:
        del kept["_meta"]
        left = {name: value for name, value in meta.items() if name != _SERVER_INFO}
        kept |= {"_meta": left} if left else {}
    if method == "tools/call" and not isinstance(kept.get("structuredContent", {}), dict):
        del kept["structuredContent"]
    tools = kept.get("tools")
    if method == "tools/list" and isinstance(tools, list):
        kept["tools"] = [_tool(tool) for tool in tools]
    return kept


def _tool(tool: Json) -> Json:
    """A definition; without a schema of output that a handshake revision cannot carry."""
    schema = tool.get("outputSchema") if isinstance(tool, dict) else None
    if not isinstance(tool, dict) or not isinstance(schema, dict) or schema.get("type") == "object":
        return tool
    return {name: value for name, value in tool.items() if name != "outputSchema"}


def untagged(message: Message) -> Message:
    """A message of a `subscriptions/listen` as a session hears it."""
    meta = {name: value for name, value in message.meta.items() if name != SUBSCRIPTION}
    params = {name: value for name, value in message.params.items() if name != "_meta"}
    if meta:
        params["_meta"] = meta
    body: dict[str, Json] = {name: value for name, value in message.body.items() if name != "params"}
    if params:
        body["params"] = params
    return replace(message, body=body, raw=serialise(body))
