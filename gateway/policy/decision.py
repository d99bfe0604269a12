"""The shapes of a decision: what is asked (`ToolCall`, `Facts`), what is answered (`Decision`, with its obligations).

All values are frozen; nothing here reads a clock, a file or the network. `Rule` is either one of the words in
parentheses (`(default deny)`) or a JSON Pointer (RFC 6901) into the policy document that resolves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from gateway.jsonrpc import Json

Effect: TypeAlias = Literal["allow", "deny", "approve"]
Reason: TypeAlias = Literal[
    "allowed",
    "state",
    "no policy",
    "upstream",
    "cancelled",
    "unknown tool",
    "hidden",
    "default",
    "action",
    "validate",
    "require",
    "deny_if",
    "limit",
    "approval",
    "method",
]
Scope: TypeAlias = Literal["grant", "session"]
Strategy: TypeAlias = Literal["fixed", "sliding"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call: the tool's name byte for byte, the parsed arguments (an absent `arguments` is an empty mapping)."""

    tool: str
    arguments: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the decision may know beside the call: whether the tool is mirrored, and what its input schema requires."""

    mirrored: bool
    required_arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limit:
    """One compiled limit: `rule` points to it; (`tools_key`, `counter`, `window`, `strategy`) name its counter.

    `seconds` is the window's length; `window` is how people say it (`minute`, `60 seconds`). `tools_key` is the key of
    `tools` as written, or `all_tools`. `strategy` "fixed" aligns windows to UTC; "sliding" never lets more than
    `maximum` through in any span of `seconds`. `on_deny` is what the agent reads when the limit is
    reached; empty: the standard words.
    """

    rule: str
    tools_key: str
    counter: str
    maximum: Decimal
    window: str
    seconds: int
    scope: Scope
    strategy: Strategy
    on_deny: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says of one call. `limits` are the obligation to reserve all of them before relaying.

    `message` is what the agent reads after `[POLICY DENIED] ` (or `[APPROVAL REQUIRED] `); empty when allowed.
    """

    effect: Effect
    rule: str
    reason: Reason
    message: str
    limits: tuple[Limit, ...] = ()
    retry_after_seconds: int | None = None
