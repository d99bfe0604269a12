"""Whatever does not fit is said: each account of a call is doctored in one place, and found out."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.state import Record
from scripts.soak_lib.accounts import Seen, audit, expected_usage, limits
from scripts.soak_lib.kinds import BY_NAME, OPEN, PACED, SCARCE, TURNED_AWAY, Asked, most_scarce

Json = Any
NOON = 86_400 * 20_000 + 43_200.0
DENIED = {"id": 3, "result": {"isError": True, "_meta": {"keyid-gateway/decision": {"decision_id": "d3"}}}}


def asked(n: int, kind: str) -> Asked:
    tool = BY_NAME[kind].tool
    return Asked(
        n,
        BY_NAME[kind],
        {"name": tool, "arguments": {"n": n, "fault": kind, "cost": 0.1, "who": "a"}},
        stateless=False,
        patience=0.0,
    )


def record(n: int, kind: Any, tool: str = OPEN, *, outcome: str | None = None, at: float = NOON) -> Record:
    return Record(
        kind=kind,
        decision_id=f"d{n}",
        at=at,
        grant="soak",
        session="s",
        client_name="soak",
        client_version="1",
        server="http://127.0.0.1/mcp",
        method="tools/call",
        tool=tool,
        policy_revision="r",
        effect="deny" if kind == "refused" else "allow",
        rule="rule",
        reason="reason",
        message="",
        argument_digest=str(n),
        outcome=outcome,
    )


def run(n: int, outcome: str, tool: str = OPEN) -> tuple[Record, Record]:
    return record(n, "decided", tool), record(n, "settled", tool, outcome=outcome)


CALLS = {1: asked(1, "plain"), 2: asked(2, "reset"), 3: asked(3, "closed"), 4: asked(4, "429"), 5: asked(5, "silent")}
SOUND = Seen(
    calls=100,
    asked=CALLS,
    answers={1: {"id": 1, "result": {}}, 2: {"id": 2, "error": {}}, 3: DENIED, 4: {"id": 4, "error": {}}},
    knocked={1: 1, 2: 1, 4: 1, 5: 1},
    let_in={1: 1, 2: 1, 5: 1},
    arrived={1: CALLS[1].params, 2: CALLS[2].params, 5: CALLS[5].params},
    records=(
        *run(1, "ok"),
        *run(2, "no answer: unknown"),
        record(3, "refused"),
        *run(4, TURNED_AWAY),
        *run(5, "cancelled"),
    ),
    digest=lambda arguments: str(arguments["n"]),
)


def test_what_fits_is_sound() -> None:
    found = audit(SOUND)
    assert found.violations == limits(SOUND).violations == []
    assert found.outcomes["plain", "ok"] == found.outcomes["closed", "refused rule"] == 1


def settled(n: int, outcome: str) -> tuple[Record, ...]:
    """The records, of which call `n` was settled otherwise."""
    return tuple(
        one._replace(outcome=outcome) if (one.decision_id, one.kind) == (f"d{n}", "settled") else one
        for one in SOUND.records
    )


DOCTORED: Mapping[str, tuple[dict[str, Json], str]] = {
    "twice": ({"let_in": {1: 2, 2: 1, 5: 1}}, "call 1 (plain) was let in 2 times"),
    "changed": ({"arrived": {1: {}}}, "call 1 (plain) did not arrive as it was sent"),
    "no answer": ({"answers": {**SOUND.answers, 1: None}}, "call 1 (plain) was not answered"),
    "unrecorded": ({"records": SOUND.records[2:]}, "call 1 (plain) left no record"),
    "unsettled": ({"records": (SOUND.records[0], *SOUND.records[2:])}, "has the records ('decided',)"),
    "refused, and knocked": ({"knocked": {**SOUND.knocked, 3: 1}}, "call 3 (closed) was refused, and knocked"),
    "told otherwise": ({"answers": {**SOUND.answers, 3: {"result": {}}}}, "was refused otherwise than told"),
    "given back, and ran": ({"records": settled(1, TURNED_AWAY)}, "ran, and was settled as `no answer: refused`"),
    "ok, and did not run": ({"records": settled(4, "ok")}, "did not run, and is `ok`"),
    "another outcome": ({"records": settled(2, "ok")}, "call 2 (reset) was settled as `ok`"),
    "another answer": ({"answers": {**SOUND.answers, 1: {"error": {}}}}, "is `ok`, and is answered with `error`"),
    "in our name": ({"answers": {**SOUND.answers, 1: DENIED}}, "is answered in the gateway's name"),
    "out of nowhere": ({"knocked": {**SOUND.knocked, 9: 1}}, "call 9 arrived, and nobody made it"),
    "of nobody": ({"records": (*SOUND.records, record(9, "refused"))}, "records are of calls that nobody made"),
    "cancelled unseen": ({"records": SOUND.records[:-2]}, "call 5 (silent) left no record, and knocked"),
}


@pytest.mark.parametrize(("changes", "words"), DOCTORED.values(), ids=DOCTORED)
def test_what_does_not_fit_is_found(changes: dict[str, Json], words: str) -> None:
    assert any(words in violation for violation in audit(replace(SOUND, **changes)).violations)


def test_counters_hold_what_was_decided_and_not_given_back() -> None:
    by_digest = {str(n): one for n, one in CALLS.items()}
    assert expected_usage(SOUND.records, NOON, by_digest) == {
        ("all", "soak", None): 3,
        ("open", "soak", None): 3,
        ("all of us", "", None): 3,
        ("spent", "soak", None): Decimal("0.3"),
        ("of each", "soak", "a"): 3,
        ("always", "s", None): 3,
        ("lately", "soak", None): 3,
        ("hourly", "s", None): 3,
    }
    later = expected_usage(SOUND.records, NOON + 86_401, by_digest)
    assert later == {("always", "s", None): 3, ("lately", "soak", None): 0}


def test_a_limit_that_is_passed_or_not_used_is_found() -> None:
    most = most_scarce(100)
    ran = tuple(one for n in range(most + 1) for one in run(n, "ok", SCARCE))
    over: Callable[..., Seen] = lambda records: replace(SOUND, records=records)  # noqa: E731 - a short name for two lines
    assert limits(over(ran)).violations == [f"`scarce` ran {most + 1} times, {most} a day"]
    early = (*run(1, "ok", SCARCE), record(2, "refused", SCARCE))
    assert limits(over(early)).violations == [f"`scarce` was refused after 1 of {most}"]


def test_a_pace_that_is_not_kept_is_found() -> None:
    ran = tuple(record(n, "decided", PACED, at=NOON + n / 100) for n in range(21))
    assert limits(replace(SOUND, records=ran)).violations == ["`paced` ran more than 20 times in 2 s"]
