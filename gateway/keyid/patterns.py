"""The patterns of the recommended pack (RE2: unanchored, `$` is the end of the text), each with what it is for."""

from typing import Final

SOMETHING: Final = r"\S"
"""Agents fill what they leave out with `""`: that is nothing. What is no text cannot be judged, and is refused."""

NO_DATE: Final = (
    r"(?s)^.{0,9}$|^([^2]|2[^0]|20[^23]|20.[^0-9]|.{4}[^-]|.{5}([^01]|0[^1-9]|1[^0-2])|.{7}[^-]"
    r"|.{8}([^0-3]|0[^1-9]|[12][^0-9]|3[^01])|.{10}[^T ]|.{10}.*[^0-9TZ:.+ -])"
)
"""What does not begin like `2026-01-31`, until 2039, or goes on otherwise than with a time of day: no end."""

ONE_ADDRESS: Final = r"^[A-Za-z0-9._+'-]+@[A-Za-z0-9.-]+$"
"""Only letters, digits and what is usual: nothing that separates, quotes, routes (`%`, `!`) or cannot be seen, so that
whatever the upstream splits at, no second address can be in it. Letters of other alphabets are refused as well."""

NO_PLAIN_ADDRESS: Final = r"[^A-Za-z0-9._+'@-]|^@|^[^@]*$|@$|@[^@]*[@_+']"
"""The exact opposite, for an element of a list that may be absent."""

LINE_BREAK: Final = r"[\x00-\x08\x0a-\x1f\x7f\x{85}\x{2028}\x{2029}]"
"""What could end a line of a header and begin another, such as `Bcc:`; and other characters that control."""

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

_FIELD: Final = r"(\*|[0-9]{1,2}(-[0-9]{1,2})?)(/[0-9]{1,2})?"
ONCE_AN_HOUR: Final = (
    rf"^([0-5]?[0-9]( +{_FIELD}(,{_FIELD})*){{4}}|@(hourly|daily|midnight|weekly|monthly|yearly|annually))$"
)
"""Five fields of numbers, the first (minutes) a single one: with six fields it could be seconds."""

MORE_THAN_HOURLY: Final = (
    r"^[^0-9@]|^[0-9]+[^0-9 ]|^[0-9]{3}|^[6-9][0-9]|^[0-9].*[^0-9*,/ -]|^\S+( +\S+){5}|^[^@ ]+( +[^ ]+){0,3} *$"
    r"|[^ -~]|^@[^hdmwya]|^@.*[^a-z]"
)
"""The other way round, for a schedule that may be absent: a little wider, as far as a pattern can say it."""
