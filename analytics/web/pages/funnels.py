"""*Funnels*: how many of the accts that signed up reached each step of a configured funnel in time, and how long that took."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Annotated, Any

import msgspec
from msgspec import structs

from analytics.core.rates import percent
from analytics.store.store import Document
from analytics.web.answers import Date, Final, PageAnswer, Percent, RowName, labelled, means
from analytics.web.charts import Chart, Series
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.page import DashboardPage, Panel
from analytics.web.tables import Table
from analytics.web.translation import Translate

COUNT = means("Those of them that reached the step and all before it in time.", "Reached")
RATE = means("The share of the accts that reached the step and all before it in time.", "Share")


class FunnelStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a funnel, of all days of the scope together."""

    funnel: Annotated[str, means("The name of the funnel in the configuration.", "Funnel")]
    n: Annotated[RowName, means("The number of the step, from 1.", "No.")]
    step: Annotated[str, means("The step, as the configuration writes it.", "Step")]
    size: Annotated[int, means("The accts that signed up.", "Sign-ups")]
    count: Annotated[int, COUNT]
    rate: Annotated[Percent, RATE]


class FunnelCohort(FunnelStep, frozen=True, kw_only=True):
    """A step of a funnel, of the accts that signed up on one day."""

    day: Annotated[Date, labelled("Cohort")]
    median_minutes: Annotated[float | None, means("The median time from the sign-up to the step, of those who reached it; nothing for several areas together.", "Median minutes", "decimal")]  # fmt: skip
    final: Final


class FunnelsAnswer(PageAnswer, frozen=True, kw_only=True):
    """The page *funnels*."""

    steps: Annotated[list[FunnelStep], means("all cohorts of the scope together, by funnel and step")]
    cohorts: Annotated[list[FunnelCohort], means("one for each day with sign-ups, funnel and step")]


def view(data: Data, filters: Filters) -> FunnelsAnswer:
    look = Look(data, data.place(filters))
    by_day: dict[date, list[Document]] = {}
    for document, day in look.documents("funnel", ["reg", "steps"]):
        by_day.setdefault(day, []).append(document)
    everything = [one for some in by_day.values() for one in some]
    return FunnelsAnswer(
        steps=[FunnelStep(**fields) for fields in _steps(everything)],
        cohorts=[one for day in sorted(by_day) for one in _cohort(day, by_day[day])],
        scope=look.place.scope(),
        at=look.at,
    )


def _steps(documents: Iterable[Document]) -> Iterator[dict[str, Any]]:
    """Yield each step of some documents, by funnel and number, added up over those that have the funnel."""
    sizes, counts = Counter[str](), Counter[str]()
    names: dict[str, str] = {}
    for document in documents:
        for key, one in document["steps"].items():
            names[key] = one["step"]
            counts[key] += one["count"]
            sizes[key] += document["reg"]
    for key in sorted(names):
        funnel, _, n = key.partition("-")
        rate = percent(counts[key], sizes[key])
        yield {"funnel": funnel, "n": int(n), "step": names[key], "size": sizes[key], "count": counts[key], "rate": rate}  # fmt: skip


def _cohort(day: date, documents: list[Document]) -> Iterator[FunnelCohort]:
    final = all(one["final"] for one in documents)
    for fields in _steps(documents):
        median = None
        if len(documents) == 1:
            seconds = documents[0]["steps"][f"{fields['funnel']}-{fields['n']}"]["median_seconds"]
            median = None if seconds is None else round(seconds / 60, 1)
        if fields["size"]:
            yield FunnelCohort(day=str(day), median_minutes=median, final=final, **fields)


def _note(answer: FunnelsAnswer, t: Translate) -> str:
    if not answer.steps:
        return t(
            "nothing here yet: declare funnels in the configuration under [funnels]; earlier days need `bin/analytics rebuild --bolt acctstep`"
        )
    return t("all days of sign-up together; accts of the newest days may still reach further steps")


def _chart_rows(answer: FunnelsAnswer) -> list[FunnelStep]:
    """Return the steps; where several funnels may have the same, with their funnel's name."""
    several = len({one.funnel for one in answer.steps}) > 1
    return [
        structs.replace(one, step=f"{one.funnel}: {one.step}") if several else one for one in answer.steps
    ]


STEPS = Table("steps", "Funnels", FunnelStep, "funnel n step count rate size")
COHORTS = Table(
    "cohorts",
    "Funnels by day of sign-up",
    FunnelCohort,
    "day funnel n step count rate size median_minutes",
    has_final=True,
)
SHARES = Chart(
    "funnel_steps",
    "Share of sign-ups that reached each step",
    "step",
    (Series("rate", "Share", 1, "percent"),),
    form="stacked",
    unit="percent",
    rows=_chart_rows,
)

PAGE = DashboardPage(
    name="funnels",
    title="Funnels",
    answer=FunnelsAnswer,
    view=view,
    has_segments=True,
    icon="M2 3.5h12M4 8h8M6.5 12.5h3",
    tables=(STEPS, COHORTS),
    panels=(Panel(STEPS, SHARES, note=_note, open=True), Panel(COHORTS)),
)
