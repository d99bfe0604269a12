"""The patterns of the recommended pack (RE2: unanchored, `$` is the end of the text), each with what it is for."""

from typing import Final

SOMETHING: Final = r"\S"
"""Agents fill what they leave out with `""`: that is nothing. What is no text cannot be judged, and is refused."""

NOTHING: Final = r"^\s*$"
"""The other way round, for what must not be blank."""

ONE_ADDRESS: Final = r"^[^@,;<>\s]+@[^@,;<>\s]+$"
"""Exactly one `@`, nothing that separates: whatever the upstream splits at, no second address can be in it."""

SEVERAL_ADDRESSES: Final = r"@[^@]*@|[,;<>]"
"""The other way round, for an element of a list that may be absent."""

KEY_MATERIAL: Final = r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY|(?i:otpauth://)"
"""The head of a private key in any of its formats, or the address that carries a TOTP seed."""

PUBLIC_HOST: Final = r"(?i)^https://([a-z0-9_-]+\.)+([a-z]{2,63}|xn--[a-z0-9-]{2,59})(:443)?([/?#]|$)"
"""A name with a dot and a top level of letters: no user, no odd port, no IP address in any spelling, no `localhost`."""

PRIVATE_HOST: Final = (
    r"(?i)^https://([^/?#:]*\.)?"
    r"(internal|intranet|local|localhost|localdomain|lan|home|corp|private|arpa|localtest\.me|lvh\.me|(nip|sslip|xip)\.io)"
    r"(:|[/?#]|$)"
)
"""Names of networks that are not public, and the public ones that stand for any address one likes."""

ONCE_AN_HOUR: Final = r"^([0-5]?[0-9]( +[!-~]+){4}|@(hourly|daily|midnight|weekly|monthly|yearly|annually))$"
"""Five fields, the first (minutes) a single number: with six fields it could be seconds."""

MORE_THAN_HOURLY: Final = r"^\s*([^0-9@\s]|[0-9]+[^0-9\s]|@(every|reboot)|\S+(\s+\S+){5})|[^ -~]"
"""The other way round, for a schedule that may be absent."""
