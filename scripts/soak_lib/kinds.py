"""The kinds of calls of a soak: how often each comes, what the upstream does with it, and what must come of it. Pure.

The upstream is told by the call itself what to do (`arguments.fault`), so that both sides know without speaking.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = Any

UNKNOWN, TURNED_AWAY = "no answer: unknown", "no answer: refused"
META: Mapping[str, Json] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "soak", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
MAX_MESSAGE_BYTES = 65_536
OPEN, SCARCE, PACED, OWN, CLOSED, GUARDED, NOBODY = "open", "scarce", "paced", "own", "closed", "guarded", "nobody"
TOOLS = (OPEN, SCARCE, PACED, OWN, CLOSED, GUARDED)
PLENTY = 1_000_000_000
PACE_SECONDS = 2
WHO = ("a", "b", "c")
COSTS = (0, 1, 0.1, 0.25, 1.75, 12.01)
"""What calls cost: of the amounts that are no whole numbers, sums of doubles would not be exact."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of call. `outcome` is what the audit log must say of one that was let in and not cancelled.

    Who is `refused` never reaches the upstream; who is `cancelled` may be anywhere when the client changes its mind.
    """

    name: str
    weight: float
    outcome: str = "ok"
    tool: str = OPEN
    refused: bool = False
    cancelled: bool = False
    handshake_only: bool = False


KINDS: Sequence[Kind] = (
    Kind("plain", 40),
    Kind("stream", 12),
    Kind("progress", 5),
    Kind("slow", 5),
    Kind("close", 2),
    Kind("changed", 0.3),
    Kind("resumed", 1, handshake_only=True),
    Kind("lost", 0.3, handshake_only=True),
    Kind("tool error", 3, "tool error"),
    Kind("error", 3, "error"),
    Kind("reset", 2, UNKNOWN),
    Kind("cut", 1, UNKNOWN),
    Kind("500", 2, UNKNOWN),
    Kind("503", 1, UNKNOWN),
    Kind("garbage", 1, UNKNOWN),
    Kind("other id", 1, UNKNOWN),
    Kind("oversized", 0.3, UNKNOWN),
    Kind("429", 2, TURNED_AWAY),
    Kind("401", 1, TURNED_AWAY),
    Kind("silent", 2, cancelled=True),
    Kind("leisurely", 2, cancelled=True),
    Kind("scarce", 3, tool=SCARCE),
    Kind("paced", 3, tool=PACED),
    Kind("own", 2, tool=OWN),
    Kind("closed", 2, tool=CLOSED, refused=True),
    Kind("guarded", 2, tool=GUARDED, refused=True),
    Kind("nobody", 1, tool=NOBODY, refused=True),
)
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}
LIMITED = (SCARCE, PACED, OWN)

MALFORMED_ID = "m"
MALFORMED: Sequence[bytes] = (
    b"{",
    b"[]",
    b"\xff\xfe",
    b'[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"open"}}]',
    b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"open","arguments":{"n":-1}}}',
    b'{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"open","arguments":{"n":-1}}}',
    b'{"jsonrpc":"2.0","id":"m","id":"n","method":"tools/call","params":{"name":"open","arguments":{"n":-1}}}',
    b'{"jsonrpc":"2.0","id":"m","method":"tools/call","params":{"name":"open","arguments":{"n":NaN}}}',
    b'{"jsonrpc":"2.0","id":"m","method":"tools/call","params":{"name":"open","arguments":{"n":-1,"n":-1}}}',
    b'{"jsonrpc":"2.0","id":"m"' + b" " * (MAX_MESSAGE_BYTES + 1) + b"}",
)
"""Lines that are no messages: each gets an error (id `MALFORMED_ID` or null); none arrives anywhere."""


def policy(calls: int) -> Mapping[str, Json]:
    """Limits of every kind: most that nobody reaches, one that both gateways share, a pace, one of each session."""

    def limit(
        counter: str, most: int, window: str | int = "day", scope: str = "grant", **more: str
    ) -> Mapping[str, Json]:
        return {"counter": counter, "window": window, "max": most, "scope": scope, **more}

    return {
        "version": "1",
        "default": "deny",
        "hide": [CLOSED],
        "all_tools": {"limits": [limit("all", PLENTY)]},
        "tools": {
            OPEN: {
                "limits": [
                    limit("open", PLENTY),
                    limit("hourly", PLENTY, "hour", "session"),
                    limit("always", PLENTY, "session", "session"),
                    limit("all of us", PLENTY, "day", "server"),
                    limit("spent", PLENTY, increment_from="args.cost"),
                    limit("of each", PLENTY, per="args.who"),
                    limit("lately", PLENTY, 86_400, strategy="sliding"),
                ]
            },
            SCARCE: {"limits": [limit("scarce", most_scarce(calls))]},
            PACED: {"rate_limit": {"max": 20, "window": PACE_SECONDS}},
            OWN: {"limits": [limit("own", most_own(calls), scope="session")]},
            CLOSED: {},
            GUARDED: {"deny_if": [{"conditions": [{"path": "args.forbidden", "op": "exists", "value": True}]}]},
        },
    }


def most_scarce(calls: int) -> int:
    """What both gateways together may call: about half of what they try."""
    return max(2, calls // 70)


def most_own(calls: int) -> int:
    """What one session may call: about half of what it tries."""
    return max(2, calls // 200)


@dataclass(frozen=True, slots=True)
class Asked:
    """One call as it is made; `line` is the request."""

    n: int
    kind: Kind
    params: Mapping[str, Json]
    stateless: bool
    patience: float
    """Seconds until a call that is cancelled is cancelled."""

    @property
    def line(self) -> bytes:
        body = {"jsonrpc": "2.0", "id": self.n, "method": "tools/call", "params": self.params}
        return json.dumps(body, ensure_ascii=False).encode()


class Dice:
    """Draws one call after the other; the same seed draws the same calls."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - not a secret: a run can be repeated
        self._weights = [kind.weight for kind in KINDS]

    def call(self, n: int) -> Asked:
        draw = self._random
        kind = draw.choices(KINDS, self._weights)[0]
        stateless = not kind.handshake_only and draw.random() < 0.25
        arguments: dict[str, Json] = {"n": n, "fault": kind.name, "text": "é\u2028" * draw.choice((0, 1, 20, 2000))}
        arguments |= {"who": draw.choice(WHO), "cost": draw.choice(COSTS)}
        if draw.random() < 0.1:
            arguments |= {"big": 2**60 + n, "deep": [[[{"": None}]]]}
        if kind.tool == GUARDED:
            arguments["forbidden"] = 1
        params: dict[str, Json] = {"name": kind.tool, "arguments": arguments}
        if stateless:
            params["_meta"] = META
        return Asked(n, kind, params, stateless, draw.choice((0.0, 0.001, 0.01, 0.05)))

    def malformed(self) -> bytes | None:
        """A line that is no message, now and then."""
        return self._random.choice(MALFORMED) if self._random.random() < 0.03 else None
