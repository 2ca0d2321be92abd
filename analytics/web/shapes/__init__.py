"""What the views return, one module a page: the JSON API serves it, the pages draw it, OpenAPI describes it."""

from analytics.web.shapes.areas import AreaRow, Areas
from analytics.web.shapes.common import Scope, View, definition
from analytics.web.shapes.economy import CoinsDay, CoinsHour, Economy, Item, Reason
from analytics.web.shapes.overview import Day, Hour, Overview, Tile
from analytics.web.shapes.payment import Acct, LtvAverage, LtvCohort, LtvPoint, PayDay, Payment
from analytics.web.shapes.progress import Dungeon, Level, Progress, Quest
from analytics.web.shapes.retention import Average, Cell, Cohort, Retention
from analytics.web.shapes.system import JournalFile, RejectedKind, System

__all__ = [
    "Acct",
    "AreaRow",
    "Areas",
    "Average",
    "Cell",
    "Cohort",
    "CoinsDay",
    "CoinsHour",
    "Day",
    "Dungeon",
    "Economy",
    "Hour",
    "Item",
    "JournalFile",
    "Level",
    "LtvAverage",
    "LtvCohort",
    "LtvPoint",
    "Overview",
    "PayDay",
    "Payment",
    "Progress",
    "Quest",
    "Reason",
    "RejectedKind",
    "Retention",
    "Scope",
    "System",
    "Tile",
    "View",
    "definition",
]  # fmt: skip
