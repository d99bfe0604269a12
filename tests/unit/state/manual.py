"""What the tests of the state move by hand: a clock, and limits in one line."""

from dataclasses import dataclass
from decimal import Decimal

from gateway.policy.decision import Limit, Scope, Strategy
from gateway.state import Charge, Record, charge_for

MIDNIGHT = 1_767_225_600.0  # 2026-01-01T00:00:00Z

_WINDOWS = {"minute": 60, "hour": 3600, "day": 86400}


@dataclass
class ManualClock:
    """A clock that stands still until it is moved."""

    wall: float = MIDNIGHT
    steady: float = 0.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def move(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def limit(
    maximum: str | int = 3,
    window: str = "minute",
    *,
    strategy: Strategy | None = None,
    scope: Scope = "grant",
    counter: str = "calls",
    tools_key: str = "send_email",
) -> Limit:
    """A limit; `window` is a published name or seconds, and chooses the strategy where none is given."""
    seconds = 0 if window == "session" else _WINDOWS.get(window) or int(window)
    return Limit(
        rule=f"/tools/{tools_key}/limits/0",
        tools_key=tools_key,
        counter=counter,
        maximum=Decimal(maximum),
        window=window if window in _WINDOWS or not seconds else f"{window} seconds",
        seconds=seconds,
        scope=scope,
        strategy=strategy or ("session" if not seconds else "fixed" if window in _WINDOWS else "sliding"),
    )


def charge(
    of: Limit | None = None,
    *,
    cost: str | int = 1,
    server: str = "https://keyid.example/mcp",
    grant: str = "default",
    session: str = "s1",
    per: str | None = None,
) -> Charge:
    """The charge of one call."""
    return charge_for(
        limit() if of is None else of,
        server=server,
        grant=grant,
        session=session,
        cost=Decimal(cost),
        per=per,
    )


RECORD = Record(
    kind="decided",
    decision_id="0123456789abcdef",
    at=MIDNIGHT,
    grant="default",
    session="s1",
    client_name="claude-ai",
    client_version="0.1.0",
    server="https://keyid.example/mcp",
    method="tools/call",
    tool="send_email",
    policy_revision="c0ffee",
    effect="allow",
    rule="/tools/send_email",
    reason="allowed",
    message="",
    argument_names=("body", "to"),
    argument_digest="ab" * 32,
)
