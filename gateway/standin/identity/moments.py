"""Moments as the tools show them: ISO 8601 in UTC (RFC 3339), seconds since the epoch inside."""

from datetime import UTC, datetime

from gateway.standin.identity.failure import ToolFailure


def shown(moment: float) -> str:
    """`1970-01-01T00:00:00Z` for 0.0; fractions of a second are kept as milliseconds."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(name: str, text: str) -> float:
    """Seconds since the epoch; a moment without an offset counts as UTC. Raises `ToolFailure` for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ToolFailure(f"`{name}` is not a moment: `{text}`") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
