"""The one source of timestamps: naive UTC in the database, `…Z` over HTTP."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current time in UTC, without a time zone: DuckDB's TIMESTAMP knows none, and an aware
    value bound to it would be stored in local time."""
    return datetime.now(UTC).replace(tzinfo=None)
