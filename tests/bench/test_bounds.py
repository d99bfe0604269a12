"""Verdicts of the benchmark: what is compared with whom, and what is neither met nor not met."""

import pytest

from scripts.bench_lib.bounds import (
    ALONE,
    GATEWAY,
    NO_PEER,
    NOT_RUN,
    SDK,
    SDK_GATEWAY,
    Measured,
    Series,
    Verdict,
    quickest,
    verdicts,
)


def _series(call: float, burst: float, resident: int | None = None) -> Series:
    return Series([[call], [call]], [burst, burst], resident)


def _measured(gateway: float = 1.0) -> Measured:
    series = {
        SDK: _series(1.25, 0.5),
        SDK_GATEWAY: _series(1.5, 0.5),
        GATEWAY: _series(gateway, 0.2, 40),
        "slow-but-lean": _series(4.0, 0.1, 50),
        "quick": _series(2.0, 0.4, 100),
    }
    return Measured({"sse": series}, {GATEWAY: [0.3], "quick": [1.0]}, {}, ("slow-but-lean", "quick"))


def _found(measured: Measured, what: str) -> Verdict:
    [verdict] = [verdict for verdict in verdicts(measured) if verdict.what == what]
    return verdict


@pytest.mark.parametrize(
    ("what", "value", "met"),
    [
        ("sse: call p50, SDK through the gateway / SDK directly", 1.2, False),
        ("sse: call p50, gateway (raw lines) / SDK directly", 0.8, True),
        ("sse: call p50, gateway / quick", 0.5, True),
        ("sse: 200 pipelined, gateway / slow-but-lean", 2.0, False),
        ("spawn → answer to `initialize`, gateway / quick", 0.3, True),
        ("sse: resident memory, gateway / slow-but-lean", 0.8, True),
    ],
)
def test_each_bound_is_against_the_peer_that_is_best_at_it(what: str, value: float, met: bool) -> None:
    verdict = _found(_measured(), what)
    assert verdict.value == pytest.approx(value)
    assert verdict.met is met


def test_a_value_that_is_the_limit_itself_meets_it() -> None:
    assert _found(_measured(gateway=1.25), "sse: call p50, gateway (raw lines) / SDK directly").met is True


def test_without_a_peer_a_bound_is_neither_met_nor_not_met_and_says_why() -> None:
    measured = _measured()
    measured.peers = ()
    assert _found(measured, "sse: call p50, gateway / fastest peer") == Verdict(
        "sse: call p50, gateway / fastest peer", None, 0.7, "x", None, NO_PEER
    )


def test_what_was_left_out_says_so() -> None:
    measured = _measured()
    del measured.modes["sse"][SDK]
    verdict = _found(measured, "sse: call p50, gateway (raw lines) / SDK directly")
    assert (verdict.met, verdict.note) == (None, NOT_RUN)


def test_the_range_of_the_rounds_stands_beside_a_ratio() -> None:
    measured = _measured()
    measured.modes["sse"][GATEWAY].calls = [[1.0], [3.0]]
    verdict = _found(measured, "sse: call p50, gateway / quick")
    assert (verdict.value, verdict.note) == (1.0, "rounds 0.50 to 1.50")


@pytest.mark.parametrize(
    ("name", "value", "met"),
    [
        ("decide_64", 20.0, True),
        ("decide_64", 20.1, False),
        ("decide_10000", 0.7, False),
        ("decide_10000", 1.0, True),
        ("decide_10000", 1.3, False),
        ("edit", 0.6, False),
    ],
)
def test_bounds_on_the_gateway_alone(name: str, value: float, met: bool) -> None:
    assert _found(Measured(alone={name: value}), ALONE[name].what).met is met


def test_an_empty_run_judges_nothing() -> None:
    assert {verdict.met for verdict in verdicts(Measured())} == {None}


def test_the_quickest_is_sought_among_those_that_have_a_value() -> None:
    assert quickest({"a": 2.0, "b": None, "c": 1.0, "d": 0.5}, ["a", "b", "c"]) == "c"
    assert quickest({"a": None}, ["a"]) is None
