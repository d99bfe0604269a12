"""What must be equal through the gateway under a policy that allows everything: behaviours with ids.

A test says which of them it shows: `@shows("call.every-tool")`. `test_requirements.py` fails when an id has no test,
when a test names an id that is not here, and when a test of this folder shows nothing.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

Test = TypeVar("Test", bound=Callable[..., object])

REQUIREMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # what a client of the SDK sees, in both eras
        "open.announcement": "name, version, capabilities, instructions and revision are those of the server",
        "open.auto": "a client that probes ends in the revision in which it would end without a gateway",
        "list.tools": "the definitions are equal: names, titles, schemas, annotations, `_meta`, whatever else they say",
        "list.pages": "the list comes in the server's own pages, by the server's own cursors",
        "list.changed": "the client hears that the list changed, and then gets the changed list",
        "call.every-tool": "every tool that is listed can be called, and gives the result it gives directly",
        "call.failure": "what a tool cannot do comes back as the same result",
        "call.concurrent": "200 calls at once all get their own answers, none waiting for another",
        "call.large": "arguments and results of 5 MiB pass whole",
        "call.cancel": "a cancelled call stops at the server, is not answered, and the connection goes on",
        "notice.progress": "progress comes to its own call, in order, as the server reports it",
        "notice.log": "log messages come from the level that was asked for",
        "ask.sampling": "the server can ask the client for a completion",
        "ask.elicitation": "the server can ask the person",
        "ask.roots": "the server can ask for roots",
        "ask.refused": "a client that refuses or cannot answer is reported to the server as it would be directly",
        "offer.resources": "resources and templates are listed and read as they are directly",
        "offer.subscriptions": "the client hears of changes of what it subscribed to, and of nothing else",
        "offer.prompts": "prompts are listed and got as they are directly",
        "offer.completion": "completion offers the same values",
        "error.same": "errors come back with code, message and data",
        "ping": "a ping is answered",
        "clients.apart": "two clients through two gateways get their own answers and their own notices",
        # what passes on the wire
        "wire.opening": "`initialize` reaches the server as the client wrote it, its identity and unknown fields too",
        "wire.housekeeping": "what is not judged arrives byte for byte",
        "wire.unknown-fields": "fields that nobody knows pass, in the envelope, in params, in results and in errors",
        "wire.meta": "`_meta` passes whole, trace context and foreign keys included",
        "wire.numbers": "integers of any size and the digits of decimals pass unchanged, both ways",
        "wire.text": "every character passes unchanged, both ways",
        "wire.ids": "ids and progress tokens keep value and type",
        "wire.cursor": "an empty cursor is a cursor",
        "wire.arguments": "absent arguments stay absent, empty ones empty",
        "wire.unknown-methods": "methods and notifications that nobody knows pass, both ways",
        "wire.tasks": "a task that a call began can be asked for, and its parameters pass",
        "wire.resumed": "an answer whose stream was closed comes on the one that takes it up, and the call ran once",
        "wire.replies": "a client's answer to the server's question arrives as the client wrote it",
        # the stateless revision
        "modern.discover": "`server/discover` is answered by the server",
        "modern.headers": "the headers of a request are made from its body",
        "modern.params": "arguments that a schema marks become headers, though the client never listed the tools",
        "modern.marks": "a tool whose schema marks headers as it may not is not listed, the others are as they were",
        "modern.mismatch": "a call refused for its headers is made again once, after a look at the current schema",
        "modern.input": "a call that needs input passes with its state, byte for byte, and so does the answer",
        "modern.listen": "a subscription stays open, is told of changes, and ends when the client ends it",
        "modern.cancel": "a cancel closes the stream of the call and sends nothing",
        "modern.no-session": "requests of the stateless revision carry nothing of a session",
        "era.each-request": "both eras work on one connection in any order; nothing is decided by the first message",
        "era.table": "every kind of client works before every kind of server that it can, and is told otherwise",
        "era.none": "a request of no revision, with no session open, is malformed, and decides nothing",
        "era.legacy-upstream": "the probe of a server that only knows handshakes is refused as it refuses it",
        "era.modern-upstream": "a client of handshakes is spoken for before a server that only knows the stateless one",
        # a client of a handshake revision before a server that only knows 2026-07-28
        "translate.opening": "`initialize` is answered with what the server says of itself",
        "translate.results": "results are those of the server, without what only its revision has",
        "translate.errors": "errors have the codes of the client's revision",
        "translate.questions": "what the server needs is asked of the client in its own way, if it declared it",
        "translate.notices": "progress and log messages come while a call runs",
        "translate.cancel": "a cancelled call stops at the server",
        "translate.subscriptions": "subscriptions and changed lists are heard of, until they are not wanted any more",
        "translate.concurrent": "calls and questions at once do not get mixed up",
        # what the official conformance suite asks besides (`scenarios.py`)
        "suite.answers": "every kind of content, resource, prompt and completion passes byte for byte, in both eras",
        "suite.questions": "schemas of questions pass with their defaults and enumerations, and so do the answers",
        "suite.input": "rounds of input pass with their state and what else they carry, for calls and prompts",
        "suite.caching": "what a server says of caching passes where nothing was taken away",
        "suite.no-deref": "nothing that a schema or an icon refers to is fetched",
        # the start
        "start.lean": "before the first answer neither the SDK nor pydantic is imported, and the SDK never",
    }
)


def shows(*ids: str) -> Callable[[Test], Test]:
    """Say which behaviours a test shows."""
    unknown = [name for name in ids if name not in REQUIREMENTS]
    assert not unknown, f"no such requirements: {unknown}"
    return lambda test: test
