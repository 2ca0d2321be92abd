"""First days of simulated games that are played near today."""

from datetime import date, datetime, timedelta

SATURDAY = 5


def saturday(days_ago: int) -> date:
    """Return the last Saturday that is at least so many days ago.

    More is played at weekends, so a small game that began on another day of the week might be one in which nobody pays:
    from the same day of the week, the same game is played whenever the tests run.
    """
    latest = (datetime.now() - timedelta(days=days_ago)).date()
    return latest - timedelta(days=(latest.weekday() - SATURDAY) % 7)
