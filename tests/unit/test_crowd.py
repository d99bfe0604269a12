"""Who waits when too much is in flight, in which order they go, and when the input is read no further."""

from gateway.crowd import Crowd
from gateway.jsonrpc import Message


def request(number: int, method: str = "ping", size: int = 1) -> Message:
    return Message("request", number, method, {}, b"x" * size)


class Room:
    """A crowd and what it did with the input; requests are named by their number."""

    def __init__(self, **bounds: int) -> None:
        self.held: list[bool] = []
        self.crowd = Crowd(self.held.append, **bounds)

    def enter(self, *messages: Message) -> list[bool]:
        return [self.crowd.enters(message, message.id or 0) for message in messages]

    def leave(self, message: Message) -> list[object]:
        return [following.id for following in self.crowd.leaves(message)]


def test_requests_beyond_the_bound_wait_and_go_in_the_order_in_which_they_came() -> None:
    room = Room(most=2)
    assert room.enter(*map(request, range(5))) == [True, True, False, False, False]
    assert room.leave(request(1)) == [2]
    assert room.leave(request(0)) == [3]
    assert room.leave(request(2)) == [4]
    assert room.leave(request(3)) == []


def test_nobody_overtakes_who_waits() -> None:
    room = Room(most_bytes=10)
    assert room.enter(request(1, size=6), request(2, size=6), request(3, size=1)) == [True, False, False]
    assert room.leave(request(1, size=6)) == [2, 3]


def test_one_alone_goes_whatever_its_size() -> None:
    room = Room(most_bytes=10)
    assert room.enter(request(1, size=100), request(2)) == [True, False]
    assert room.leave(request(1, size=100)) == [2]


def test_who_is_cancelled_waits_no_more_and_is_never_let_go() -> None:
    room = Room(most=1)
    room.enter(*map(request, range(3)))
    assert 1 in room.crowd
    assert [room.crowd.cancelled(number) for number in (1, 1, 0)] == [request(1), None, None]
    assert 1 not in room.crowd
    assert room.leave(request(0)) == [2]


def test_a_handshake_never_waits() -> None:
    room = Room(most=1)
    assert room.enter(request(0), request(1), request(2, "initialize")) == [True, False, True]


def test_the_input_is_read_no_further_where_much_is_said_to_who_does_not_listen() -> None:
    room = Room(most_said=2, most_bytes=10)
    small, large = request(1), request(2, size=11)
    room.crowd.says(small)
    assert (room.held, room.crowd.says_much) == ([], False)
    room.crowd.says(small)
    assert (room.held, room.crowd.says_much) == ([True], True)
    room.crowd.has_said(small)
    room.crowd.has_said(small)
    assert (room.held, room.crowd.says_much) == ([True, False], False)
    room.crowd.says(large)
    assert room.held == [True, False, True]
    room.crowd.has_said(large)
    assert room.held == [True, False, True, False]


def test_the_input_is_read_no_further_where_the_waiting_room_is_full_and_goes_on_where_it_is_not() -> None:
    room = Room(most=1, most_waiting=2)
    room.enter(*map(request, range(3)))
    assert room.held == [True]
    room.enter(request(3))
    assert room.held == [True]
    room.leave(request(0))
    assert room.held == [True]
    room.crowd.cancelled(2)
    assert room.held == [True, False]


def test_few_that_are_large_fill_the_waiting_room_too() -> None:
    room = Room(most=1, most_bytes=10)
    room.enter(request(0), request(1, size=10))
    assert room.held == []
    room.enter(request(2))
    assert room.held == [True]
    room.leave(request(0))
    assert room.held == [True, False]


def test_where_it_is_over_nobody_is_let_go() -> None:
    room = Room(most=1)
    room.enter(*map(request, range(3)))
    room.crowd.dismiss()
    assert room.leave(request(0)) == []
