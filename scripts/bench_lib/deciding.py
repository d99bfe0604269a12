"""The decision by itself, where a document or a call is large: it costs no more than in proportion to what it reads."""

import json
from collections.abc import Mapping, Sequence
from statistics import median
from time import perf_counter

from gateway.policy import Facts, Policy, ToolCall, decide, load
from scripts.bench_lib.policies import Document, patterned, ruled

_PATTERNS, _RULES, _SMALL, _LARGE = 1000, 1000, 10_000, 100_000
_BATCH, _BATCHES, _FEW = 200, 100, 5


def measure_large(document: Document, tool: str, arguments: Mapping[str, object]) -> dict[str, float]:
    """A decision with 1 000 patterns beside / without; 1 000 rules over 100 kB of an argument / over 10 kB."""
    asked = ToolCall(tool, json.loads(json.dumps(arguments)))
    plain = load(json.dumps(document).encode(), name="plain")
    beside = load(json.dumps(patterned(document, _PATTERNS)).encode(), name="patterns")
    pairs = [(_time(plain, [asked] * _BATCH), _time(beside, [asked] * _BATCH)) for _ in range(_BATCHES)]
    rules = load(json.dumps(ruled(_RULES)).encode(), name="rules")
    sizes = [[ToolCall("t", {"body": "y" * size})] for size in (_SMALL, _LARGE)]
    grown = [_time(rules, sizes[1]) / _time(rules, sizes[0]) for _ in range(_FEW)]
    return {"decide_patterns": median(pair[1] / pair[0] for pair in pairs), "decide_large": median(grown)}


def _time(policy: Policy, calls: Sequence[ToolCall]) -> float:
    began = perf_counter()
    for call in calls:
        decide(policy, call, Facts(mirrored=True))
    return (perf_counter() - began) / len(calls)
