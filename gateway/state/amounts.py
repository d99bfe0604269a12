"""Exact decimals: sums that would have to be rounded are refused, not rounded.

A thousand digits hold the sum of any two numbers that a double can hold (1.8e308 and 5e-324 together need 650).
"""

from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow
from typing import Final

from gateway.errors import StateError
from gateway.state.failures import damaged

_EXACT: Final = Context(prec=1000, traps=[Inexact, InvalidOperation, Overflow])


def parse(text: str) -> Decimal:
    """An amount as it stands in the file."""
    try:
        found = Decimal(text)
    except DecimalException as error:
        raise damaged(f"`{text}` is not an amount") from error
    if not found.is_finite():
        raise damaged(f"`{text}` is not an amount")
    return found


def plus(left: Decimal, right: Decimal) -> Decimal:
    """The exact sum; `StateError` where it would take more than a thousand digits."""
    try:
        return _EXACT.add(left, right)
    except DecimalException as error:
        raise _too_long(right) from error


def minus(left: Decimal, right: Decimal) -> Decimal:
    """The exact difference; `StateError` where it would take more than a thousand digits."""
    try:
        return _EXACT.subtract(left, right)
    except DecimalException as error:
        raise _too_long(right) from error


def _too_long(amount: Decimal) -> StateError:
    return StateError(f"`{amount:.3E}` cannot be counted exactly", "use amounts of fewer digits")
