"""The shapes of a decision: what is asked (`ToolCall`, `Facts`), what is answered (`Decision`, with its obligations).

All values are frozen; nothing here reads a clock, a file or the network. `Rule` is either one of the words in
parentheses (`(default deny)`) or a JSON Pointer (RFC 6901) into the policy document that resolves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias

from gateway.jsonrpc import Json
from gateway.policy.paths import Path
from gateway.policy.schemas import InputSchema

Effect: TypeAlias = Literal["allow", "deny", "approve", "observe"]
"""`observe`: the policy would deny, and says by which rule, but is only being tried out (`mode`): relay and record."""
Reason: TypeAlias = Literal[
    "allowed",
    "state",
    "stopped",
    "revoked",
    "no policy",
    "upstream",
    "cancelled",
    "unknown tool",
    "changed tool",
    "hidden",
    "default",
    "action",
    "validate",
    "require",
    "deny_if",
    "repeat",
    "limit",
    "approval",
    "method",
    "resource",
    "prompt",
]
Pin: TypeAlias = Literal["kept", "changed", "new", "instructions"]
"""How what a server announces stands to what was accepted of it; `instructions`: those of the server changed."""
Scope: TypeAlias = Literal["grant", "session", "server"]
Strategy: TypeAlias = Literal["fixed", "sliding", "session"]
Layer: TypeAlias = Literal["site", "grant", "user", "project"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call: the tool's name byte for byte, the parsed arguments (an absent `arguments` is an empty mapping)."""

    tool: str
    arguments: Mapping[str, Json]


class Circumstances(NamedTuple):
    """What is true at the moment of the decision, and in the transaction in which it is made.

    `now` is in seconds since the epoch. `client` is what the client calls itself (empty: nothing). `session_calls` are
    the calls of each tool that this session was let through, `session_denials` those it was denied. `seconds_since`
    holds the seconds since the last call of a tool by this grant in any process: a tool is missing where there was
    none. Asked for only the tools that the policy names (`Policy.asks_since`). `same` are the ages in seconds of the
    calls of the same tool with the same arguments that this session was let through, the youngest first; asked for only
    where the policy has a `repeat` for the tool (`Policy.counts_same`).
    """

    now: float
    grant: str
    client: str
    session_calls: Mapping[str, int]
    session_denials: int
    seconds_since: Mapping[str, Decimal]
    same: Sequence[float] = ()


class Facts(NamedTuple):
    """What the decision may know beside the call.

    Whether the tool is mirrored; what its input schema requires, and that schema itself; its annotations as announced;
    the circumstances. What is not given, a condition about it cannot judge. `pin` other than `kept`: a person has to
    look at the tool first, whatever the policy says.
    """

    mirrored: bool
    required_arguments: tuple[str, ...] = ()
    schema: InputSchema | None = None
    annotations: Mapping[str, Json] | None = None
    circumstances: Circumstances | None = None
    pin: Pin = "kept"


@dataclass(frozen=True, slots=True)
class Repeat:
    """How often one call may be let through in any span of `seconds`, in one session. `rule` points to it.

    One call: the same tool with the same arguments. `observed`: it only says what it would refuse (`mode`).
    """

    rule: str
    maximum: int
    seconds: int
    observed: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """One compiled limit. `rule` points to it; `layer`, `tools_key`, `counter`, `window`, `strategy` name its counter.

    `seconds` is the window's length (0: the whole session); `window` is how people say it (`minute`, `60 seconds`).
    `tools_key` is the key of `tools` as written, or `all_tools`. `strategy` "fixed" aligns windows to UTC; "sliding"
    never lets more than `maximum` through in any span of `seconds`; "session" never resets. `on_deny` is what the agent
    reads when the limit is reached; empty: the standard words. `cost` is where the cost of a call stands (None: it is
    1), `per` where the value stands that is counted apart. `observed`: it is counted, and would deny.
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
    cost: Path | None = None
    per: Path | None = None
    observed: bool = False
    layer: Layer = "user"


@dataclass(frozen=True, slots=True)
class Approval:
    """What obliges to ask a person: `rule` points to it, `text` says why.

    An answer is worth `timeout` seconds. Where there are `paths`, an approval covers later calls of the tool with the
    same values there as well, for `seconds`.
    """

    rule: str
    text: str
    timeout: int
    paths: tuple[Path, ...] = ()
    seconds: int = 0


class Decision(NamedTuple):
    """What the policy says of one call. `limits` are the obligation to reserve all of them before relaying.

    A rule of another layer than the user's is written with that layer before it: `site:/tools/send_email/deny_if/0`.

    `approvals` are the obligation to ask a person, about each of them, where the effect is `approve`; `question` is the
    id of what a person was asked, if somebody was.

    `message` is what the agent reads after `[POLICY DENIED] ` (or `[APPROVAL REQUIRED] `); empty when allowed.
    """

    effect: Effect
    rule: str
    reason: Reason
    message: str
    limits: tuple[Limit, ...] = ()
    retry_after_seconds: int | None = None
    approvals: tuple[Approval, ...] = ()
    question: str = ""
