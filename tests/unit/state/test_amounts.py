from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import StateError
from gateway.state.amounts import minus, parse, plus

doubles = st.floats(allow_nan=False, allow_infinity=False).map(lambda found: Decimal(repr(found)))


@given(doubles, doubles)
def test_what_any_two_doubles_say_is_added_exactly(left: Decimal, right: Decimal) -> None:
    assert minus(plus(left, right), right) == left


@given(st.decimals(allow_nan=False, allow_infinity=False, places=40))
def test_an_amount_survives_the_file(amount: Decimal) -> None:
    assert parse(str(amount)) == amount


@pytest.mark.parametrize("operation", [plus, minus])
def test_a_sum_that_would_be_rounded_is_refused(operation: Callable[[Decimal, Decimal], Decimal]) -> None:
    with pytest.raises(StateError) as raised:
        operation(Decimal("1E+2000"), Decimal("1E-2000"))
    assert str(raised.value) == "`1.000E-2000` cannot be counted exactly\nhint: use amounts of fewer digits"


@pytest.mark.parametrize("text", ["", "x", "NaN", "Infinity", "-Infinity", "sNaN"])
def test_what_was_never_an_amount_is_damage(text: str) -> None:
    with pytest.raises(StateError) as raised:
        parse(text)
    assert raised.value.message == f"the state file is damaged: `{text}` is not an amount"
