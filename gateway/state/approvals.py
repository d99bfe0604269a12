"""What persons are asked about calls, and what they said. Shared by all gateways of a user (threats B21 to B23).

| state | from there |
|---|---|
| pending | approved, denied, withdrawn (nobody waits for it any more), expired |
| approved | used: by one call, once; expired |
| denied | expired: until then the same call is denied without asking |
| used, withdrawn, expired | nowhere |

What must stay true:

- A question is about one call: its `identity` is a digest of everything that the answer is bound to. As long as it is
  open (pending, approved, denied), there is no other of that identity, whoever asks again. Who waits for it is counted.
- An approval is used once: the state moves in the transaction in which the call is let through.
- The arguments, which somebody must see to answer, are kept for no longer: whatever ends a question erases them.
- Time never goes back. It is the newest moment at which anybody looked, or wrote to the log; small steps back (another
  process, a clock that is being set right) stand still. Where the clock went back by more than `STEP`, nobody knows how
  much time has passed, and everything that is open expires: it is asked anew.
- The numbers are bounded: how many questions are open, how many of one session, how large they are, how many that are
  over are remembered.

An approval may cover later calls with the same values at some paths: a row of `covers`, by a digest of all of that.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from gateway.jsonrpc import Json

Verdict: TypeAlias = Literal["approve", "deny"]
Status: TypeAlias = Literal["pending", "approved", "denied", "used", "withdrawn", "expired"]

LARGEST: Final = 2**20
"""Bytes of the arguments of one question: what is larger, no person reads."""
MOST_PENDING: Final = 4096
MOST_OF_SESSION: Final = 512
MOST_BYTES: Final = 2**26
MOST_BYTES_OF_SESSION: Final = 2**24
STEP: Final = 60.0
"""Seconds that a clock may go back without being taken for one that was set back."""


@dataclass(frozen=True, slots=True)
class Covering:
    """What an approval covers besides the call itself: later calls of the tool with the same values at `paths`.

    They are covered for so many `seconds` after the answer. `key` stands for the rule and the values.
    """

    paths: tuple[str, ...]
    seconds: int
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked: whether this one call may be made. Moments are seconds since the epoch.

    `id` is short, so that it can be typed, and no secret. `rule` is what obliges to ask, `reason` why. What stands
    here comes from a model, a client and a server: whoever shows it must not trust a character of it. An answer is
    worth something for `timeout` seconds. The arguments of a question that is over are gone.
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
    timeout: int = 600
    policy_revision: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A question as it stands. `answered_by` is where the answer came from, `note` what the person added."""

    question: Question
    status: Status
    answered_at: float | None = None
    answered_by: str = ""
    note: str = ""
    waiters: int = 0


@dataclass(frozen=True, slots=True)
class Full:
    """No more can be asked: why."""

    why: str


class Approvals(Protocol):
    """The questions within one transaction. `now` is in seconds since the epoch. Failures are `StateError`."""

    def sweep(self, now: float) -> Sequence[Question]:
        """Let time pass: what has expired, which the log has to be told. To be called before anything else here."""
        ...

    def open(self, identity: str) -> Standing | None:
        """The question of this identity that is open."""
        ...

    def ask(self, question: Question, identity: str, now: float) -> Standing | Full:
        """Ask; the question as it stands from now on, with an id of its own. Nobody waits for it yet."""
        ...

    def join(self, number: str) -> None:
        """One more waits for an open question."""
        ...

    def leave(self, number: str) -> int:
        """One waits no more; how many are left."""
        ...

    def withdraw(self, number: str) -> Question | None:
        """Nobody wants to know any more; the question, if it was pending."""
        ...

    def answer(
        self, number: str, verdict: Verdict, now: float, *, by: str, note: str = "", seconds: float | None = None
    ) -> Standing | None:
        """Write an answer down; None where the question is not pending. `seconds`: how long a denial holds."""
        ...

    def use(self, number: str) -> bool:
        """Whether this was an approval; from now on it is none."""
        ...

    def covered(self, keys: Collection[str], now: float) -> frozenset[str]:
        """Those of `keys` that an approval covers."""
        ...

    def statuses(self, numbers: Collection[str]) -> Mapping[str, Status]:
        """How questions stand. Can be asked outside of a transaction."""
        ...

    def pending(self, now: float) -> Sequence[Standing]:
        """All that wait for an answer, oldest first. Can be asked outside of a transaction."""
        ...

    def count_pending(self, now: float) -> int:
        """How many wait for an answer."""
        ...

    def named(self, beginning: str) -> Sequence[Standing]:
        """The questions whose ids begin so, open or over, newest first."""
        ...
