"""Moments and sizes as people write them: `7d`, `2026-01-31`, `2026-01-31 14:00`; `200MB`."""

import re
from datetime import datetime
from typing import Final, overload

from gateway.cli.words import shown
from gateway.errors import UsageError

_SPAN: Final = re.compile(r"([0-9]{1,6})\s*(s|min|m|h|d|w)")
_SECONDS: Final = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SIZE: Final = re.compile(r"([0-9]{1,9})\s*(kB|KB|MB|GB|KiB|MiB|GiB|B)?")
_BYTES: Final = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def seconds(text: str, flag: str) -> float:
    """A length of time in seconds. Raises `UsageError`."""
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(
            f"`{flag}`: `{shown(text, 40)}` is no length of time", "write it like `45s`, `30min`, `12h`, `7d`"
        )
    return float(int(found[1]) * _SECONDS[found[2]])


@overload
def moment(text: str, flag: str, now: float) -> float: ...
@overload
def moment(text: str | None, flag: str, now: float) -> float | None: ...
def moment(text: str | None, flag: str, now: float) -> float | None:
    """A moment in seconds since the epoch: so long ago, or a date of this machine's time zone. Raises `UsageError`.

    A date that names a time zone (`2026-01-31T14:00Z`) is one of that.
    """
    if text is None:
        return None
    if _SPAN.fullmatch(text.strip().lower()):
        return now - seconds(text, flag)
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        hint = "write it like `7d` (so long ago), `2026-01-31` or `2026-01-31T14:00`"
        raise UsageError(f"`{flag}`: `{shown(text, 40)}` is no moment", hint) from None


def size(text: str, flag: str) -> int:
    """A number of bytes. Raises `UsageError`."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"`{flag}`: `{shown(text, 40)}` is no size", "write it like `200MB` or `1GiB`")
    return int(found[1]) * _BYTES[(found[2] or "").upper()]
