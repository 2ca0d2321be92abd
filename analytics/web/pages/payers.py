"""*Payers*: how much the payers of a month paid, how uneven that is, who paid again, who no longer pays, and how soon accts pay."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec.structs import astuple

from analytics.core.rates import percent
from analytics.timers.ltv import THROUGH
from analytics.timers.payers import NUMBERS, TIERS, TOPS
from analytics.web.answers import Date, Final, Money, PageAnswer, Percent, RowName, labelled, means
from analytics.web.charts import Chart, Series
from analytics.web.csvs import Row
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.page import DashboardPage, Panel
from analytics.web.place import ONE_DAY, each_day
from analytics.web.reading.arithmetic import money
from analytics.web.reading.curves import by_days, together
from analytics.web.tables import Column, Table

TOP_MEANS = "The share of the revenue that this part of the payers paid, those who paid most."


class MonthOfPayers(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar month."""

    day: Annotated[Date, means("The first day of a calendar month, written YYYY-MM-DD.", "Month", "day")]
    payers: Annotated[int, means("The accts that paid in the month.", "Payers")]
    revenue: Annotated[Money, means("What they paid in the month.", "Revenue")]
    non_payers: Annotated[
        int, means("The accts that logged in in the month and did not pay in it.", "Non-payers")
    ]
    minnows: Annotated[int, means("Payers that paid less in the month than dolphins do.", "Minnows")]
    dolphins: Annotated[int, means("Payers that paid as much in the month as the configuration says, but less than whales.", "Dolphins")]  # fmt: skip
    whales: Annotated[int, means("Payers that paid most in the month: as much as the configuration says.", "Whales")]  # fmt: skip
    minnow_revenue: Annotated[Money, means("What the minnows paid in the month.", "From minnows")]
    dolphin_revenue: Annotated[Money, means("What the dolphins paid in the month.", "From dolphins")]
    whale_revenue: Annotated[Money, means("What the whales paid in the month.", "From whales")]
    top1_revenue: Annotated[Money, means("What the 1% of the payers paid who paid most.")]
    top5_revenue: Annotated[Money, means("What the 5% of the payers paid who paid most.")]
    top10_revenue: Annotated[Money, means("What the 10% of the payers paid who paid most.")]
    top1_rate: Annotated[Percent, means(TOP_MEANS, "Top 1%")]
    top5_rate: Annotated[Percent, means(TOP_MEANS, "Top 5%")]
    top10_rate: Annotated[Percent, means(TOP_MEANS, "Top 10%")]
    repeat_payers: Annotated[int, means("Payers that paid on two or more days of the month.", "Paid again")]
    repeat_rate: Annotated[Percent, means("Payers that paid on two or more days divided by payers.", "Repeat rate")]  # fmt: skip
    before: Annotated[int, means("The accts that paid in the month before.", "Payers before")]
    lost_payers: Annotated[int, means("Those of the payers before that did not pay in the month, so far.", "Lost payers")]  # fmt: skip
    churn_rate: Annotated[Percent, means("Lost payers divided by the payers before.", "Payer churn")]
    final: Final


class Conversion(msgspec.Struct, frozen=True):
    """How many of a cohort had paid by its n-th day."""

    n: Annotated[RowName, means("Days after the sign-up day: 0 to 30, 60 and 90.", "Days after")]
    count: Annotated[int, means("Those of the cohort that had paid by then.", "Had paid")]
    size: Annotated[int, means("The accts of the cohorts whose n-th day has ended.", "Accts in all")]
    rate: Annotated[Percent, means("The share of the cohort that had paid by then.", "Rate")]


class ConversionCohort(msgspec.Struct, frozen=True):
    """The accts that signed up on one day. Only days that have ended count."""

    day: Annotated[Date, labelled("Cohort")]
    size: Annotated[int, means("The accts that signed up on the day.", "Accts")]
    median_days: Annotated[
        int | None,
        means("Half of those who have paid had paid by this day; nothing for several areas together.", "Median days"),
    ]  # fmt: skip
    points: list[Conversion]
    final: Final


class PayersAnswer(PageAnswer, frozen=True, kw_only=True):
    """The page *payers*. ``months`` has every month that a day of the scope lies in."""

    months: list[MonthOfPayers]
    cohorts: Annotated[list[ConversionCohort], means("one for each day of the scope with sign-ups")]
    conversion: Annotated[
        list[Conversion], means("by n, all cohorts together whose n-th day has ended; so a later n counts fewer")
    ]  # fmt: skip


def view(data: Data, filters: Filters) -> PayersAnswer:
    look = Look(data, data.place(filters))
    months = list(_months(look))
    cohorts = list(_cohorts(look))
    return PayersAnswer(
        months=months,
        cohorts=cohorts,
        conversion=[Conversion(*one) for one in together(point for one in cohorts for point in one.points)],
        scope=look.place.scope(),
        at=look.at,
    )


def _months(look: Look) -> Iterator[MonthOfPayers]:
    added = [name for name in NUMBERS if not name.endswith("_rate")]
    place, sums_of = look.place, defaultdict[date, list[float]](lambda: [0.0] * len(added))
    first = place.first.replace(day=1)
    for document, day in look.documents("payers", added, first):
        sums_of[day] = [one + document[name] for one, name in zip(sums_of[day], added, strict=True)]
    for day in each_day(first, place.last):
        if day.day > 1:
            continue
        end = (day + timedelta(days=31)).replace(day=1) - ONE_DAY
        sums = dict(zip(added, sums_of[day], strict=True))
        values: dict[str, Any] = {
            name: money(value) if name.endswith("revenue") else int(value) for name, value in sums.items()
        }
        cents = {name: round(100 * sums[name]) for name in sums if name.endswith("revenue")}
        for top in TOPS:
            values[f"top{top}_rate"] = percent(cents[f"top{top}_revenue"], max(cents["revenue"], 0))
        values["repeat_rate"] = percent(values["repeat_payers"], values["payers"])
        values["churn_rate"] = percent(values["lost_payers"], values["before"])
        yield MonthOfPayers(day=str(day), final=place.ended(end), **values)


def _cohorts(look: Look) -> Iterator[ConversionCohort]:
    found: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for document, day in look.documents("firstpay", ["reg", "paid", "median_days"]):
        found[day].append(document)
    for day in sorted(found):
        size = sum(one["reg"] for one in found[day])
        if not size:
            continue
        points = []
        for n in THROUGH:
            reached = [one for one in found[day] if str(n) in one["paid"]]
            of = sum(one["reg"] for one in reached)
            if of:
                count = sum(one["paid"][str(n)]["count"] for one in reached)
                points.append(Conversion(n, count, of, percent(count, of)))
        median = found[day][0]["median_days"] if len(found[day]) == 1 else None
        final = look.place.ended(day + timedelta(days=THROUGH[-1]))
        yield ConversionCohort(str(day), size, median, points, final)


def _cohort_rows(data: Data, filters: Filters) -> Iterator[Row]:
    yield ["day", "size", "median_days", "n", "count", "of", "rate", "final"]
    for one in view(data, filters).cohorts:
        for point in one.points:
            yield [one.day, one.size, one.median_days, *astuple(point), one.final]


SHOWN = (0, 1, 3, 7, 14, 30, 60, 90)


CALENDAR = "by calendar month"
BY_THEN = "the share of a cohort that had paid by its n-th day; fewer cohorts have reached later days, so the line of all may fall"
MONTHS = Table(
    "months",
    "Payers by month",
    MonthOfPayers,
    "day payers revenue non_payers minnows dolphins whales minnow_revenue dolphin_revenue whale_revenue "
    "top1_rate top5_rate top10_rate repeat_payers repeat_rate before lost_payers churn_rate",
    has_final=True,
)
RATE = "The share of the cohort that had paid by then."
COHORTS = Table(
    "cohorts",
    "Time to the first payment",
    ConversionCohort,
    "day size median_days",
    has_final=True,
    rows=lambda answer: by_days(answer.cohorts, ("day", "size", "median_days", "final"), "rate", SHOWN),
    more=tuple(Column(f"day{n}", f"Day {n}", "percent", RATE) for n in SHOWN),
)
CONVERSION = Table("conversion", "All cohorts", Conversion, "n rate count size")
TIER_REVENUE = Chart(
    "tiers",
    "Revenue by spend tier",
    "day",
    tuple(
        Series(f"{tier}_revenue", label, colour, "money")
        for tier, label, colour in zip(TIERS, ("Minnows", "Dolphins", "Whales"), (6, 3, 1), strict=True)
    ),
    form="stacked",
    unit="money",
    rows=attrgetter("months"),
    months=True,
)
TOP = Chart(
    "concentration",
    "Share of revenue of the top payers",
    "day",
    (
        Series("top10_rate", "Top 10%", 6, "percent"),
        Series("top5_rate", "Top 5%", 3, "percent"),
        Series("top1_rate", "Top 1%", 1, "percent"),
    ),
    unit="percent",
    rows=attrgetter("months"),
    months=True,
)
LOYALTY = Chart(
    "loyalty",
    "Repeat rate and payer churn",
    "day",
    (Series("repeat_rate", "Repeat rate", 2, "percent"), Series("churn_rate", "Payer churn", 5, "percent")),
    unit="percent",
    rows=attrgetter("months"),
    months=True,
)
SPEED = Chart(
    "speed",
    "Accts that have paid",
    "n",
    (Series("rate", "All cohorts", 1, "percent"),),
    unit="percent",
    x_title="Days after sign-up",
    cohorts=lambda answer: [
        (one.day, [(cell.n, cell.rate) for cell in one.points]) for one in answer.cohorts
    ],
    rows=lambda answer: answer.conversion,
)

PAGE = DashboardPage(
    name="payers",
    title="Payers",
    answer=PayersAnswer,
    view=view,
    has_segments=True,
    icon="M5 8a2.5 2.5 0 1 0 0-5a2.5 2.5 0 0 0 0 5zM1 14c0-3 8-3 8 0M12 4v8M10 6h3M10 10h4",
    tables=(MONTHS, COHORTS, CONVERSION),
    panels=(
        Panel(
            MONTHS.only("payers", "revenue", "non_payers", "minnows", "dolphins", "whales", *(f"{tier}_revenue" for tier in TIERS)),
            TIER_REVENUE,
            note=CALENDAR,
        ),
        Panel(MONTHS.only("revenue", "payers", "top1_rate", "top5_rate", "top10_rate"), TOP, "half", note=CALENDAR),
        Panel(
            MONTHS.only("payers", "repeat_payers", "repeat_rate", "before", "lost_payers", "churn_rate"),
            LOYALTY,
            "half",
            note=CALENDAR,
        ),
        Panel(CONVERSION, SPEED, note=BY_THEN),
        Panel(COHORTS),
    ),
    csvs={"cohorts": _cohort_rows},
)  # fmt: skip
