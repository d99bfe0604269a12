"""What persons are asked about calls: the shapes. The store is made of them below."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.jsonrpc import Json

Verdict: TypeAlias = Literal["approve", "deny"]


@dataclass(frozen=True, slots=True)
class Covering:
    """What an approval covers besides the call itself: later calls of the tool with the same values at `paths`.

    They are covered for so many `seconds` after the answer.
    """

    paths: tuple[str, ...]
    seconds: int


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked: whether this one call may be made. Moments are seconds since the epoch.

    `id` is short, so that it can be typed, and no secret. `rule` is what obliges to ask, `reason` why. What stands
    here comes from a model, a client and a server: whoever shows it must not trust a character of it.
    """

    id: str
    tool: str
    arguments: Mapping[str, Json]
    rule: str
    reason: str
    grant: str
    server: str
    session: str
    client_name: str
    client_version: str
    asked_at: float
    expires_at: float
    remember: tuple[Covering, ...] = ()
