"""What a halt says to whoever calls: the switch of `state` in the words of `policy`."""

from gateway.policy import Decision, refuse_revoked, refuse_stopped
from gateway.state import Halt


def halted(halt: Halt, *, ended: bool = False) -> Decision:
    """The refusal of a call; `ended`: of one that was running."""
    if halt.of_everyone:
        return refuse_stopped(halt.since, halt.reason, ended=ended)
    return refuse_revoked(halt.grant, halt.since, halt.reason, ended=ended)
