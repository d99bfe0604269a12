"""Whatever lines a client sends: each is answered, and what arrives is unchanged, and allowed by what arrived."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.jsonrpc import Message, Refusal, parse
from tests.e2e.arena import ERAS, GOOD, Arena, exact, open_arena
from tests.fuzz.messages import lines

POLICY = {
    "version": "1",
    "default": "deny",
    "hide": ["delete_file"],
    "tools": {
        GOOD: {"deny_if": [{"conditions": [{"path": "args.key", "op": "eq", "value": "root"}]}]},
        "send_email": {
            "require": [{"conditions": [{"path": "args.to", "op": "regex", "value": "^[^@]+@example\\.com$"}]}],
            "deny_if": [{"conditions": [{"path": "args.cc", "op": "exists", "value": True}]}],
        },
        "get_secret": {"require": [{"conditions": [{"path": "args.amount", "op": "lte", "value": 1}]}]},
    },
}


@pytest.fixture(scope="module", params=ERAS)
def arena(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with open_arena(tmp_path_factory.mktemp("home"), POLICY, request.param) as opened:
        yield opened


@settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(st.lists(lines(), min_size=5, max_size=15))
def test_every_line_is_answered_and_only_what_the_policy_allows_arrives(arena: Arena, sent: list[bytes]) -> None:
    before = arena.mark()
    arena.gateway.send(b"\n".join(sent) + b"\n")
    pieces = [piece for line in sent for piece in line.split(b"\n") if piece.strip()]
    messages = [parse(piece) for piece in pieces]
    due = [one for one in messages if isinstance(one, Refusal) or one.kind == "request"]
    answers = [arena.gateway.receive() for _ in due]
    assert all(("result" in answer) != ("error" in answer) for answer in answers)
    known = [one.id for one in messages if isinstance(one, Message) and one.kind == "request"]
    assert sorted(map(repr, known + [one.id for one in messages if isinstance(one, Refusal)])) == sorted(
        repr(answer["id"]) for answer in answers
    )
    read = [exact(one.raw.decode()) for one in messages if isinstance(one, Message)]
    for body in arena.arrivals(before):
        assert exact(body) in read


def test_the_gateway_is_as_it_was(arena: Arena) -> None:
    assert arena.good_call()
    assert arena.denies("delete_file")
