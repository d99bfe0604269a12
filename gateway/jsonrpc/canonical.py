"""One text for all ways to write one value: the order of keys, and how a number is spelt, make no difference.

Members are in the order of their keys, numbers are by their exact value (`1`, `1.0` and `1e0` are one, and so are the
zeros). Two values have one text exactly where they are equal; a text that only looks like a number is none.

The text is for comparing, never for relaying: half a surrogate pair, which no text of a client holds, marks numbers
that are not whole.
"""

from decimal import Decimal
from typing import Final, NoReturn

from gateway.jsonrpc.text import Json, encoder

_MARK: Final = "\ud800"


def canonical(value: Json) -> bytes:
    """The bytes that stand for a value, ASCII."""
    return _encode(value).encode("ascii")


def _plain(value: object) -> int | str:
    """What stands for a `Decimal`: the encoder writes everything else by itself."""
    if not isinstance(value, Decimal):
        return _unknown(value)
    sign, digits, exponent = value.as_tuple()
    if not value or not isinstance(exponent, int):
        return 0 if not value else _unknown(value)
    if exponent >= 0:
        return int(value)
    text = "".join(map(str, digits))
    short = text.rstrip("0")
    exponent += len(text) - len(short)
    number = f"{'-' if sign else ''}{short}"
    return int(number) * 10**exponent if exponent >= 0 else f"{_MARK}{number}e{exponent}"


def _unknown(value: object) -> NoReturn:
    raise TypeError(f"not a JSON value: {type(value).__name__}")


_encode: Final = encoder(ascii_only=True, default=_plain, sort_keys=True)
