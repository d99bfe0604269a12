"""What Intercept takes for equal: two numbers as doubles, anything else by the text that Go's `%v` makes of it.

So the text "5" is equal to the number 5 there, and the text "true" to the boolean. A condition of ours compares values
of one JSON type, so an operand is given its twin of the other type beside it. Where Go's text can come from more than
one twin, or from a container, there is none, and the caller refuses.
"""

import re
from decimal import Decimal
from typing import Final

from gateway.jsonrpc import Json, Number

_CONTAINER: Final = re.compile(r"\[.*\]|map\[.*\]|<nil>|[+-]?(Inf|NaN)", re.DOTALL)
_FLOAT: Final = re.compile(r"-?([0-9]+(\.[0-9]+)?|[0-9](\.[0-9]+)?e[+-][0-9]{2,3})")
_EXACT: Final = 2**53


def number_text(number: int | Decimal) -> str:
    """`%v` of a double in Go (strconv, format `g`): the shortest digits, an exponent from 1e6 on and below 0.0001."""
    value = float(number)
    if value == 0:
        return "-0" if str(value).startswith("-") else "0"
    digits, _, exponent = f"{Decimal(repr(value)):e}".lower().partition("e")
    mantissa = digits.rstrip("0").rstrip(".") if "." in digits else digits
    power = int(exponent)
    if power < -4 or power >= 6:
        return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    text = f"{Decimal(repr(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_double(number: int | Decimal) -> bool:
    """Whether a number is the same to whoever reads doubles."""
    return abs(number) <= _EXACT if isinstance(number, int) else Decimal(repr(float(number))) == number


def twins(operand: Json) -> list[Json] | None:
    """Every scalar that is equal to the operand there, itself first; None where that cannot be written down."""
    match operand:
        case bool():
            return [operand, "true" if operand else "false"]
        case int():  # Go reads it as an integer, whose text has no exponent; a call's numbers are doubles
            return [operand, str(operand)] if is_double(operand) else None
        case Decimal():
            return [operand, number_text(operand)] if is_double(operand) and operand != 0 else None
        case str():
            return _of_text(operand)
        case _:
            return None


def _of_text(text: str) -> list[Json] | None:
    if text in ("true", "false"):
        return [text, text == "true"]
    if _CONTAINER.fullmatch(text):
        return None
    if not _FLOAT.fullmatch(text):
        return [text]
    number = Number(text)
    if number_text(number) != text:
        return [text]
    if text in ("0", "-0"):
        return None if text == "-0" else [text, 0]
    return [text, int(text) if text.lstrip("-").isdigit() else number] if is_double(number) else None
