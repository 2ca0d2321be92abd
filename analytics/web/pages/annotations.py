"""*Annotations*: what happened on which day; charts by day and hour mark it."""

from typing import Annotated, Any

from analytics.web.answers import PageAnswer, means
from analytics.web.data import Data
from analytics.web.entries.annotations import KINDS, Annotation, of_place
from analytics.web.filters import Filters
from analytics.web.page import DashboardPage
from analytics.web.tables import Table
from analytics.web.translation import Translate


class AnnotationsAnswer(PageAnswer, frozen=True, kw_only=True):
    """The page *annotations*: those that concern all of the scope's game, or areas or plats of the scope."""

    annotations: Annotated[list[Annotation], means("in order of their days")]


def view(data: Data, filters: Filters) -> AnnotationsAnswer:
    """Return the annotations of a place."""
    place = data.place(filters)
    found = of_place(data.store, place)
    return AnnotationsAnswer(scope=place.scope(), at=data.clock(), annotations=found)


def _context(answer: AnnotationsAnswer, t: Translate) -> dict[str, Any]:
    return {"kinds": {name: t(label) for name, label in KINDS.items()}}


ANNOTATIONS = Table("annotations", "Annotations", Annotation, "day time kind text area by")

PAGE = DashboardPage(
    name="annotations",
    title="Annotations",
    answer=AnnotationsAnswer,
    view=view,
    icon="M4 14V2M4 3h8l-2 3 2 3H4",
    tables=(ANNOTATIONS,),
    template="annotations.html",
    context=_context,
)
