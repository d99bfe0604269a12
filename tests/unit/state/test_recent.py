from gateway.jsonrpc import loads
from gateway.policy import ToolCall
from gateway.state.recent import MOST, RecentCalls, identity_of


def call(arguments: str, tool: str = "t") -> bytes:
    value = loads(arguments)
    assert isinstance(value, dict)
    return identity_of(ToolCall(tool, value))


def test_a_call_is_the_same_however_its_arguments_are_written() -> None:
    assert call('{"a": 1, "b": [2.0]}') == call('{"b":[2],"a":1e0}')
    texts = ("{}", '{"a": "1"}', '{"a": 1}', '{"a": 2}', '{"b": 1}')
    assert len({*map(call, texts), call('{"a": 1}', tool="u")}) == len(texts) + 1


def test_the_ages_of_a_call_begin_with_the_youngest() -> None:
    recent = RecentCalls()
    assert recent.ages(b"a", 5.0) == []
    for moment in (1.0, 2.5, 4.0):
        recent.let_through(b"a", moment)
    recent.let_through(b"b", 4.5)
    assert recent.ages(b"a", 5.0) == [1.0, 2.5, 4.0]
    assert recent.ages(b"a", 5.0, 2) == [1.0, 2.5]
    assert recent.ages(b"b", 5.0) == [0.5]
    assert recent.ages(b"b", 4.0) == [0.0]


def test_what_is_forgotten_was_never_counted() -> None:
    recent = RecentCalls(most=3)
    for number, name in enumerate((b"a", b"b", b"a", b"c")):
        recent.let_through(name, float(number))
    assert (recent.ages(b"a", 4.0), recent.ages(b"b", 4.0), recent.ages(b"c", 4.0)) == ([2.0], [3.0], [1.0])
    recent.let_through(b"c", 4.0)
    assert recent.ages(b"b", 4.0) == []


def test_a_session_that_never_ends_remembers_no_more_than_it_says() -> None:
    recent = RecentCalls()
    for number in range(MOST + 500):
        recent.let_through(number.to_bytes(4), float(number))
    now = float(MOST + 500)
    remembered = [number for number in range(MOST + 500) if recent.ages(number.to_bytes(4), now)]
    assert (len(remembered), remembered[0]) == (MOST, 500)
