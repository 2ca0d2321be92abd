"""Findings of a probe of MongoDB."""

from dataclasses import dataclass
from enum import StrEnum

from analytics.errors import AnalyticsError


class Grade(StrEnum):
    """The severity of a finding. Only an ERROR keeps the suite from counting exactly."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence: what was found and, if it is a fault, what was expected and what to do."""

    grade: Grade
    text: str


class ProbeStopped(AnalyticsError):
    """A fault after which nothing more can be probed. The message becomes the last finding."""
