"""The policy room: a document becomes a compiled `Policy`; `decide` says what it says of one call. Pure.

What is exported here is light: neither pydantic nor RE2 is imported until a document is loaded, so that the gateway can
answer `initialize` first. `load` imports them when it is called.
"""

from gateway.policy.compiled import Policy
from gateway.policy.decision import (
    Circumstances,
    Decision,
    Effect,
    Facts,
    Layer,
    Limit,
    Reason,
    Scope,
    Strategy,
    ToolCall,
)
from gateway.policy.judge import callable_, decide, visible
from gateway.policy.layers import compose
from gateway.policy.problem import PolicyError, Problem
from gateway.policy.refusals import (
    concealed,
    refuse_limit,
    refuse_no_policy,
    refuse_revoked,
    refuse_state,
    refuse_stopped,
)
from gateway.policy.requests import HOUSEKEEPING, LISTS, decide_request, permits
from gateway.policy.schemas import InputSchema

__all__ = [
    "HOUSEKEEPING",
    "LISTS",
    "Circumstances",
    "Decision",
    "Effect",
    "Facts",
    "InputSchema",
    "Layer",
    "Limit",
    "Policy",
    "PolicyError",
    "Problem",
    "Reason",
    "Scope",
    "Strategy",
    "ToolCall",
    "callable_",
    "compose",
    "concealed",
    "decide",
    "decide_request",
    "load",
    "permits",
    "refuse_limit",
    "refuse_no_policy",
    "refuse_revoked",
    "refuse_state",
    "refuse_stopped",
    "visible",
]


def load(data: bytes, *, name: str, layer: Layer = "user") -> Policy:
    """The policy that a document says. Raises `PolicyError` with everything that is wrong with it."""
    from gateway.policy.loader import load as load_document  # here, because it imports pydantic and RE2

    return load_document(data, name=name, layer=layer)
