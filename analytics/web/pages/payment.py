"""*Payment*: what was paid, by how many, and what a cohort is worth."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from operator import itemgetter
from typing import Annotated

import msgspec
import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from analytics.core.periods import Zone
from analytics.store.reading import Query
from analytics.store.store import Document
from analytics.timers.ltv import THROUGH
from analytics.web.answers import Date, Final, Money, PageAnswer, PerHead, Quotient, filled, labelled, means
from analytics.web.charts import Chart, Curve, Series
from analytics.web.csvs import Row
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.page import DashboardPage, Panel
from analytics.web.place import ONE_DAY, Place, date_of, start_of
from analytics.web.reading.arithmetic import money
from analytics.web.reading.curves import by_days, joined
from analytics.web.reading.figures import NOTHING, Figures, figures
from analytics.web.reading.forecast import Forecast, forecasts
from analytics.web.reading.revenue import CurrencySum, RevenueDay, by_currency, revenue_days, with_signs
from analytics.web.tables import ACCTS, Column, Table
from analytics.web.translation import Translate

WORTH_MEANS = "What the cohort paid from its sign-up day to the n-th day after, divided by its accts."


class PayDay(msgspec.Struct, frozen=True, kw_only=True):
    """What was paid on one day."""

    day: Date
    ts: Annotated[int, means("the start of the day in the scope's time zone, Unix seconds")]
    revenue: Annotated[Money, means("All money that was paid on the day, less refunds.", "Revenue")]
    payers: Annotated[int, means("The accts that paid on the day, each counted once.", "Payers")]
    dau: Annotated[int, means("The accts that logged in on the day, each counted once.", "DAU")]
    pay_rate: Annotated[
        Quotient,
        means(
            "Payers divided by active accts. Accts may pay without logging in, so it can exceed 100%.",
            "Pay rate",
        ),
    ]
    arpu: Annotated[PerHead, means("The day's revenue divided by its active accts.", "ARPU")]
    arppu: Annotated[PerHead, means("The day's revenue divided by its payers.", "ARPPU")]
    reg: Annotated[int, means("The accts that signed up on the day, each counted once.", "Sign-ups")]
    new_payers: Annotated[int, means("Those of the day's sign-ups that paid on the same day.", "New payers")]
    new_pay_rate: Annotated[Quotient, means("New payers divided by sign-ups.", "New pay rate")]
    final: Final


class LtvPoint(msgspec.Struct, frozen=True):
    """A cohort's worth by its n-th day."""

    n: Annotated[int, means("days after the sign-up day: 0 to 30, 60 and 90")]
    value: Annotated[Money, means(WORTH_MEANS)]


class LtvCohort(msgspec.Struct, frozen=True):
    """The curve of who signed up on one day. Only days that have ended are in it."""

    day: Annotated[Date, labelled("Cohort")]
    size: Annotated[int, means("The accts that signed up on the day.", "Accts")]
    points: list[LtvPoint]
    final: Final


class LtvAverage(msgspec.Struct, frozen=True):
    """All cohorts as one: what is added by the n-th day is the mean of those whose n-th day has ended, weighted by size."""

    n: int
    cohorts: Annotated[int, means("cohorts whose n-th day has ended")]
    size: Annotated[int, means("accts: these cohorts together")]
    value: Annotated[Money, means("currency units an acct, four decimals")]


class Payer(msgspec.Struct, frozen=True, kw_only=True):
    """One acct in one area, since the beginning, not only in the days of the scope."""

    acct: Annotated[str, labelled("Acct")]
    area: Annotated[str, labelled("Area")]
    plat: str
    pay_amout: Annotated[Money, means("All money that the acct has paid so far, less refunds.", "Paid")]
    pay_count: Annotated[int, means("How often the acct has paid so far.", "Payments")]
    pay_days: Annotated[int, means("On how many days the acct has paid.", "Days with payments")]
    first_pay: Annotated[Date | None, means("The day of the acct's first payment, in the area's time zone.", "First payment")]  # fmt: skip
    last_pay: Annotated[Date | None, means("The day of the acct's last payment, in the area's time zone.", "Last payment")]  # fmt: skip
    rest_yuanbao: Annotated[int, means("The coins that the acct's roles have left.", "Coins left")]
    used_yuanbao: Annotated[int, means("The coins that the acct has spent so far.", "Coins spent")]


class PaymentAnswer(PageAnswer, frozen=True, kw_only=True):
    """The page *payment*. ``days`` has every day of the scope."""

    days: list[PayDay]
    total: Annotated[Money, means("All money that was paid on the days shown, less refunds.")]
    refunds: Annotated[list[RevenueDay], means("every day of the scope; none where a segment is asked for")]
    currencies: Annotated[list[CurrencySum], means("none for games with one currency, and where a segment is asked for")]  # fmt: skip
    ltv: Annotated[list[LtvCohort], means("one curve for each day of the scope with sign-ups")]
    ltv_average: list[LtvAverage]
    forecast: Annotated[
        list[Forecast],
        means("lifetime value that nobody has observed yet; none for several areas or too little history"),
    ]
    top: Annotated[
        list[Payer],
        means(
            "who paid most, ever, in these areas: 20 of them; the CSV has all. None where a segment is asked for"
        ),
    ]


TOP = 20
"""Rows of the table; the CSV has all of them."""

LAST_DAY = 90
"""The last day of a cohort that `ltv` shows."""

_THROUGH = tuple(map(str, THROUGH))
"""As documents name them: written once, not for each of tens of thousands."""

FLOORS = (10_000, 3_000, 1_000, 300, 100, 30, 10, 3, 1, 0.01)
"""Amounts to look for the top accts above: the first of these that enough accts have paid."""

ACCT_FIELDS = Payer.__struct_fields__


def view(data: Data, filters: Filters) -> PaymentAnswer:
    place = data.place(filters)
    look = Look(data, place)
    by_day = figures(look)
    days = [_pay_day(place, day, by_day.get(day, NOTHING)) for day in place.days()]
    cohorts = list(ltv(look))
    return PaymentAnswer(
        scope=place.scope(),
        at=look.at,
        days=days,
        total=money(sum(day.revenue for day in days)),
        refunds=[] if place.value else revenue_days(look),
        currencies=[] if place.value else by_currency(look),
        ltv=cohorts,
        ltv_average=list(_average(cohorts)),
        forecast=list(forecasts(look)),
        top=[] if place.value else top(look),
    )


def _pay_day(place: Place, day: date, one: Figures) -> PayDay:
    return filled(PayDay, one, day=str(day), ts=start_of(place.local, day), final=place.ended(day))


def ltv(look: Look) -> Iterator[LtvCohort]:
    """Yield the curve of each day with sign-ups."""
    place = look.place
    if place.basis != "sum":
        found = look.own("ltv", ["reg", "ltv"])
        curves = {
            day: (one["reg"], {int(n): value for n, value in one["ltv"].items()})
            for day, one in found.items()
        }
    else:
        rows: dict[date, list[list[float]]] = defaultdict(list)
        for document, day in look.documents("ltv", ["reg", "ltv"]):
            curve = (document["ltv"].get(n, math.nan) for n in _THROUGH)
            rows[day].append([document["reg"], *curve])
        curves = {day: _added(np.array(some)) for day, some in rows.items()}
    for day, (size, values) in sorted(curves.items()):
        if size:
            points = [LtvPoint(n, money(values[n], 4)) for n in sorted(values)]
            yield LtvCohort(str(day), size, points, final=place.ended(day + LAST_DAY * ONE_DAY))


def _added(rows: NDArray[np.float64]) -> tuple[int, dict[int, float]]:
    """Return the size of all areas' cohorts of a day together, and what a head of those whose n-th day has come paid by it."""
    sizes, values = rows[:, :1], rows[:, 1:]
    curve = {n: round(value, 4) for n, (_, _, value) in zip(THROUGH, joined(sizes, values), strict=False)}
    return int(sizes.sum()), curve


def _average(cohorts: list[LtvCohort]) -> Iterator[LtvAverage]:
    by_n = [{point.n: point.value for point in cohort.points} for cohort in cohorts]
    values = np.array([[points.get(n, math.nan) for n in THROUGH] for points in by_n]).reshape(
        -1, len(THROUGH)
    )
    sizes = np.array([[cohort.size] for cohort in cohorts]).reshape(-1, 1)
    for n, (count, heads, value) in zip(THROUGH, joined(sizes, values), strict=False):
        yield LtvAverage(n, count, heads, money(value, 4))


def top(look: Look) -> list[Payer]:
    """Return who paid most, ever; of equal ones the order is open."""
    place, found = look.place, list[Document]()
    for floor in FLOORS:
        query = Query("userpay", place.game, place.plat, place.named, at_least=("pay_amout", floor))
        found = list(look.data.reader.find(query, ACCT_FIELDS, by="pay_amout", descending=True, limit=TOP))
        if len(found) >= TOP:
            break
    return [Payer(**dict(zip(ACCT_FIELDS, row, strict=True))) for row in _dated(place, found)]


def every_payer(data: Data, filters: Filters) -> Iterator[Row]:
    """Yield the CSV of all payers of these areas, those who paid most first (in each area, where areas were named)."""
    place = data.place(filters)
    yield ACCT_FIELDS
    for area in place.named or ("",):
        query = Query(
            "userpay", place.game, place.plat, (area,) if area else (), at_least=("pay_amout", FLOORS[-1])
        )
        found = data.reader.find(query, ACCT_FIELDS, by="pay_amout", descending=True)
        yield from _dated(place, found)


class _Dates(dict[int | None, str | None]):
    """By the start of a day in a zone (Unix seconds) its date, made when it is first asked for."""

    def __init__(self, local: Zone) -> None:
        self._local = local
        self[None] = None

    def __missing__(self, ts: int) -> str:
        self[ts] = day = str(date_of(self._local, ts))
        return day


def _dated(place: Place, found: Iterable[Document]) -> Iterator[Row]:
    """Yield accts as rows of ``ACCT_FIELDS``, with their days as dates, each of its area's zone."""
    of_zones = {local: _Dates(local) for local in (place.local, *place.zones)}
    of_areas = {area.id: of_zones[area.zone] for area in place.members}
    # A CSV has all accts: rows as tuples take half the time of documents that are changed.
    elsewhere = of_zones[place.local]
    for acct, area, plat, amount, times, days, first, last, rest, used in map(
        itemgetter(*ACCT_FIELDS), found
    ):
        dates = of_areas.get(area, elsewhere)
        yield acct, area, plat, amount, times, days, dates[first], dates[last], rest, used


def _ltv_rows(data: Data, filters: Filters) -> Iterator[Row]:
    cohorts = view(data, filters).ltv
    yield ["day", "size", "n", "value", "final"]
    for one in cohorts:
        for point in one.points:
            yield [one.day, one.size, *astuple(point), one.final]


def _worth_note(answer: PaymentAnswer, t: Translate) -> str:
    counts = ", ".join(f"{one.n}: {one.cohorts}" for one in answer.ltv_average if one.n in LTV_DAYS)
    by_day = t("cohorts in the average by day: {counts}", counts=counts)
    return t("what a cohort has paid by its n-th day, per head") + "; " + by_day


def _curves(answer: PaymentAnswer) -> list[Curve]:
    return [(one.day, [(point.n, point.value) for point in one.points]) for one in answer.ltv]


DAYS = Table(
    "days",
    "Days",
    PayDay,
    "day revenue payers pay_rate arpu arppu dau reg new_payers new_pay_rate",
    has_final=True,
    lists=ACCTS,
)
REFUNDS = Table(
    "refunds", "Gross and refunds", RevenueDay, "day gross refunds refund_rate net", has_final=True
)
CURRENCIES = Table(
    "currencies",
    "By currency",
    CurrencySum,
    "currency gross refunds net converted",
    rows=lambda answer: with_signs(answer.currencies),
)
TOP_ACCTS = Table(
    "top",
    "Top payers",
    Payer,
    "acct area pay_amout pay_count pay_days first_pay last_pay used_yuanbao rest_yuanbao",
    bars="pay_amout",
)
LTV_DAYS = (0, 1, 3, 7, 14, 30, 60, 90)
LTV = Table(
    "ltv",
    "Lifetime value",
    LtvCohort,
    "day size",
    has_final=True,
    rows=lambda answer: by_days(answer.ltv, ("day", "size", "final"), "value", LTV_DAYS),
    more=tuple(Column(f"day{n}", f"LTV {n}", "money", WORTH_MEANS) for n in LTV_DAYS),
)


def _forecast_note(answer: PaymentAnswer, t: Translate) -> str:
    return t(
        "an estimate from all cohorts of the last year, not a count"
        if answer.forecast
        else "needs one area, plat or game, and 5 cohorts that have reached their 14th day"
    )


FORECAST = Table("forecast", "Forecast of lifetime value", Forecast, "n value from_n cohorts error")
INCOME = Chart("income", "Revenue", "day", (Series("revenue", "Revenue", 1, "money"),), form="stacked")
PAYERS = Chart("payers", "Payers", "day", (Series("payers", "Payers", 2),), form="stacked")
PAY_RATE = Chart(
    "pay_rate",
    "Pay rate",
    "day",
    (
        Series("pay_rate", "All", 1, "quotient"),
        Series("new_pay_rate", "Of those who signed up that day", 3, "quotient"),
    ),
    unit="quotient",
)
HEADS = Chart(
    "heads",
    "Revenue per head",
    "day",
    (Series("arppu", "ARPPU", 5, "money"), Series("arpu", "ARPU", 1, "money")),
    unit="money",
)
WORTH = Chart(
    "worth",
    "Lifetime value",
    "n",
    (Series("value", "Weighted average", 1, "money"),),
    unit="money",
    x_title="Days after sign-up",
    cohorts=_curves,
    rows=lambda answer: answer.ltv_average,
)

PAGE = DashboardPage(
    name="payment",
    title="Payment",
    answer=PaymentAnswer,
    view=view,
    has_segments=True,
    icon="M2 4h12v8H2zM2 7h12M5 10h2",
    tables=(DAYS, REFUNDS, CURRENCIES, TOP_ACCTS, LTV, FORECAST),
    panels=(
        Panel(DAYS.only("revenue"), INCOME, "two-thirds"),
        Panel(DAYS.only("payers", "new_payers"), PAYERS, "third"),
        Panel(DAYS.only("pay_rate", "new_pay_rate", "payers", "dau"), PAY_RATE, "half"),
        Panel(DAYS.only("arpu", "arppu", "revenue", "payers", "dau"), HEADS, "half"),
        Panel(REFUNDS, of_all=True, note="refunds count on the day of the payment"),
        Panel(CURRENCIES, of_all=True, optional=True, note="all days together"),
        Panel(LTV, WORTH, note=_worth_note),
        Panel(FORECAST, note=_forecast_note),
        Panel(TOP_ACCTS, of_all=True, note="since the beginning, in these areas"),
    ),
    csvs={"top": every_payer, "ltv": _ltv_rows},
    template="payment.html",
)
