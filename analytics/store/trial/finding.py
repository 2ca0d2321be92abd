"""What a trial of MongoDB found, and how it ends early."""

from dataclasses import dataclass
from enum import StrEnum

from analytics.errors import AnalyticsError


class Grade(StrEnum):
    """How serious a finding is. Only an ERROR keeps the suite from working exactly."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one thing: what was found and, where that is a fault, what was expected and what to do."""

    grade: Grade
    text: str


class TrialStopped(AnalyticsError):
    """A fault after which nothing more can be tried. The message becomes the last finding."""
