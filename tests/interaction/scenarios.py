"""The scored scenarios of the official conformance suite, by name, and the behaviours whose tests show each here.

The suite itself speaks HTTP, wants servers and clients of its own, and is run by hand. What it asks of a gateway is
asked here of the real process on loopback: `requirements.py` has the behaviours. Its `auth/*` scenarios are those of
the tests of signing in. Two scenarios judge the HTTP server in front of a program, and a gateway on standard input has
none: `dns-rebinding-protection`, and in part `server-sse-multiple-streams`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

_ANSWERS: Final = (
    "tools-call-simple-text",
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-mixed-content",
    "tools-call-error",
    "resources-list",
    "resources-read-text",
    "resources-read-binary",
    "resources-templates-read",
    "sep-2164-resource-not-found",
    "prompts-list",
    "prompts-get-simple",
    "prompts-get-with-args",
    "prompts-get-embedded-resource",
    "prompts-get-with-image",
    "completion-complete",
)
_INPUT: Final = (
    "input-required-result-basic-elicitation",
    "input-required-result-basic-sampling",
    "input-required-result-basic-list-roots",
    "input-required-result-request-state",
    "input-required-result-multiple-input-requests",
    "input-required-result-multi-round",
    "input-required-result-missing-input-response",
    "input-required-result-non-tool-request",
    "input-required-result-result-type",
    "input-required-result-unsupported-methods",
    "input-required-result-tampered-state",
    "input-required-result-capability-check",
    "input-required-result-ignore-extra-params",
    "input-required-result-validate-input",
)
NOT_OURS: Final = ("dns-rebinding-protection",)
SCENARIOS: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        # a server behind the gateway
        "server-initialize": ("open.announcement", "wire.opening"),
        "server-stateless": ("modern.no-session", "modern.discover", "era.each-request", "era.none"),
        "server-sse-multiple-streams": ("call.concurrent",),
        "logging-set-level": ("notice.log",),
        "ping": ("ping",),
        "tools-list": ("list.tools", "list.pages"),
        "tools-call-with-logging": ("notice.log",),
        "tools-call-with-progress": ("notice.progress",),
        "tools-call-sampling": ("ask.sampling",),
        "tools-call-elicitation": ("ask.elicitation",),
        "elicitation-sep1034-defaults": ("suite.questions",),
        "elicitation-sep1330-enums": ("suite.questions",),
        "resources-subscribe": ("offer.subscriptions",),
        "resources-unsubscribe": ("offer.subscriptions",),
        "caching": ("suite.caching",),
        **dict.fromkeys(_ANSWERS, ("suite.answers",)),
        **dict.fromkeys(_INPUT, ("modern.input", "suite.input")),
        # a gateway before a server
        "initialize": ("open.announcement", "wire.opening"),
        "tools_call": ("call.every-tool",),
        "elicitation-sep1034-client-defaults": ("suite.questions",),
        "sse-retry": ("wire.resumed",),
        "request-metadata": ("modern.headers", "wire.meta"),
        "sep-2322-client-request-state": ("modern.input",),
        "http-standard-headers": ("modern.headers",),
        "http-custom-headers": ("modern.params",),
        "http-invalid-tool-headers": ("modern.marks",),
        "json-schema-ref-no-deref": ("suite.no-deref",),
    }
)
