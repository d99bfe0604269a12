"""How a person is asked, and how a call waits for the answer.

A question stands in the state file (`gateway.state.approvals`), where anybody at a terminal of this user can answer it
(`keyid-gateway approvals`). A channel is another way of asking: in the client, on the desktop. All that can ask do it
at once, and the first answer is written to the state file, which is the only place where an approval counts: no channel
lets a call pass by itself.
"""

from dataclasses import dataclass
from typing import Protocol

from gateway.jsonrpc import Message
from gateway.state.approvals import Covering, Question, Verdict

__all__ = ["Channel", "Covering", "Question", "Resumed", "Verdict"]


@dataclass(frozen=True, slots=True)
class Resumed:
    """A request that brings the answer to a question which ended an earlier one (`Channel.suspend`).

    `request` is the call as the client meant it, without what the channel had added. `verdict` is None where the person
    gave no answer: the question stays open.
    """

    request: Message
    question: str
    verdict: Verdict | None


class Channel(Protocol):
    """One way of asking a person, for as long as a call waits."""

    @property
    def name(self) -> str:
        """What the log calls it, in a word or two: where the answer came from."""
        ...

    def can_ask(self, request: Message) -> bool:
        """Whether somebody can be asked on behalf of this request, by `ask` or by `suspend`."""
        ...

    async def ask(self, question: Question, request: Message) -> Verdict | None:
        """Ask, and wait for the answer; None: nobody answers here.

        Cancelled when another channel was answered first, when the time is over, and when the call is taken back: then
        whatever is on a screen must go.
        """
        ...

    def suspend(self, question: Question, request: Message) -> bytes | None:
        """The line that answers `request` and asks for its continuation; None: this channel waits (`ask`)."""
        ...

    def resumed(self, request: Message) -> Resumed | None:
        """What `request` brings, if it continues one that this channel has ended; None: it is like any other.

        Nothing of it is trusted but what the channel itself has sealed. The answer counts only if the question is open
        and was asked about exactly this call.
        """
        ...
