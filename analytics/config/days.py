"""Days as the configuration writes them."""

from datetime import date

FIRST_DAY = "2000-01-01"


def is_day(text: str) -> bool:
    """Whether this is a day as YYYY-MM-DD, from 2000-01-01 on."""
    try:
        return date.fromisoformat(text).isoformat() == text >= FIRST_DAY
    except ValueError:
        return False
