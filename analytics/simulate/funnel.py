"""The funnel that the suite counts of a simulated game."""

from typing import Any

NAME = "first_week"
QUEST, GRADE = 5, 5
WITHIN_DAYS = 7
STEPS = ("signup", "createrole", f"task:{QUEST} finish", f"level:{GRADE}", "first payment")
SECTION: dict[str, Any] = {"steps": list(STEPS), "within": f"{WITHIN_DAYS}d"}
"""The funnel, as a configuration says it."""
