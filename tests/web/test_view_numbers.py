"""What views say of an area, of several and of a plat, beside the books of a simulated month."""

from collections import defaultdict
from datetime import date, timedelta

import pytest
from month import DAYS, FIRST, LAST, Month, a_month, start

from analytics.web.filters import BadFilter, Filters
from analytics.web.pages import areas, economy, overview, payment, progress, retention
from analytics.web.pages.areas import AreasOptions
from analytics.web.pages.retention import RetentionOptions

WHOLE_MONTH = {"since": FIRST, "until": LAST}


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    return a_month(tmp_path_factory.mktemp("month"))


@pytest.fixture(scope="module")
def two(month: Month) -> tuple[str, ...]:
    """Two areas of one game."""
    by_game = defaultdict(list)
    for area in month.data.areas.values():
        by_game[area.game].append(area.id)
    return tuple(max(by_game.values(), key=len)[:2])


def added(month: Month, collection: str, ids: tuple[str, ...], field: str, day: date) -> float:
    found = (month.documents[collection].get(f"{id}:{start(day)}", {}) for id in ids)
    return sum(one.get(field, 0) for one in found)


def days() -> list[date]:
    return [FIRST + timedelta(days=n) for n in range(DAYS)]


@pytest.mark.parametrize("count", [1, 2])
def test_the_days_of_areas_are_added_up(month: Month, two: tuple[str, ...], count: int) -> None:
    ids = two[:count]
    shown = overview.view(month.data, Filters(areas=ids, **WHOLE_MONTH))
    assert shown.scope.basis == ("area" if count == 1 else "sum")
    assert [day.day for day in shown.days] == [str(day) for day in days()]
    for name, collection, field in (
        ("dau", "kpi", "dau"),
        ("new_users", "activeday", "new_ac_user"),
        ("reg", "signupday", "count"),
        ("payers", "paysummary", "count"),
        ("revenue", "paysummary", "pay_amout"),
    ):
        expected = [round(added(month, collection, ids, field, day), 2) for day in days()]
        assert [getattr(day, name) for day in shown.days] == expected, name
        assert any(expected), name
    assert [day.final for day in shown.days] == [True] * (DAYS - 1) + [False]


def test_hours_are_those_of_two_days_and_none_that_has_not_begun(month: Month, two: tuple[str, ...]) -> None:
    shown = overview.view(month.data, Filters(areas=two, **WHOLE_MONTH))
    assert len(shown.hours) == 24
    for n, hour in enumerate(shown.hours):
        of_yesterday = [f"{id}:{start(LAST) - 86_400 + n * 3600}" for id in two]
        counts = [month.documents["loginhour"].get(id, {"count": 0})["count"] for id in of_yesterday]
        assert (hour.hour, hour.logins_yesterday) == (f"{n:02}:00", sum(counts))
    assert [hour.logins_today is None for hour in shown.hours] == [False] * 18 + [True] * 6


@pytest.mark.parametrize("of", ["login", "payment"])
def test_cohorts_of_several_areas_are_added_up(month: Month, two: tuple[str, ...], of: str) -> None:
    collection, size = ("loginretention", "reg") if of == "login" else ("paytraceday", "pay_user")
    shown = retention.view(month.data, Filters(areas=two, **WHOLE_MONTH), RetentionOptions(of=of))  # type: ignore[arg-type]
    assert shown.cohorts
    counted: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for cohort in shown.cohorts:
        day = date.fromisoformat(str(cohort.day))
        assert cohort.size == added(month, collection, two, size, day)
        for cell in cohort.cells:
            stored = [month.documents[collection].get(f"{id}:{start(day)}", {"retention": {}}) for id in two]
            back = sum(one["retention"].get(str(cell.n), {"count": 0})["count"] for one in stored)
            assert (cell.count, cell.rate) == (back, round(100 * back / cohort.size, 2))
            assert cell.final == (day + timedelta(days=cell.n) < LAST)
            if cell.final:
                counted[cell.n][0] += back
                counted[cell.n][1] += cohort.size
    assert {one.n: [one.count, one.size] for one in shown.average} == counted


def test_rows_by_days_since_the_opening_hold_the_same_accts(month: Month, two: tuple[str, ...]) -> None:
    filters = Filters(areas=two, **WHOLE_MONTH)
    by_day = retention.view(month.data, filters)
    by_opening = retention.view(month.data, filters, RetentionOptions(axis="open_day"))
    assert sum(one.size for one in by_opening.cohorts) == sum(one.size for one in by_day.cohorts)
    first = by_opening.cohorts[0]
    opened = [month.documents["serverstarttime"][id]["day"] for id in two]
    sizes = [
        month.documents["loginretention"][f"{id}:{day}"]["reg"] for id, day in zip(two, opened, strict=True)
    ]
    assert (first.open_day, first.size) == (0, sum(sizes))


def test_what_cohorts_of_several_areas_are_worth(month: Month, two: tuple[str, ...]) -> None:
    shown = payment.view(month.data, Filters(areas=two, **WHOLE_MONTH))
    assert any(point.value for cohort in shown.ltv for point in cohort.points)
    for cohort in shown.ltv:
        stored = [month.documents["ltv"].get(f"{id}:{start(date.fromisoformat(cohort.day))}") for id in two]
        known = [one for one in stored if one]
        for point in cohort.points:
            paid = sum(one["ltv"][str(point.n)] * one["reg"] for one in known)
            assert point.value == pytest.approx(paid / cohort.size, abs=1e-4)


def test_the_top_accts_are_those_of_all_that_ever_paid(month: Month, two: tuple[str, ...]) -> None:
    payers = [one for one in month.documents["userpay"].values() if one["area"] in two]
    most = sorted((one["pay_amout"] for one in payers), reverse=True)[:20]
    shown = payment.view(month.data, Filters(areas=two)).top
    assert [one.pay_amout for one in shown] == [amount for amount in most if amount]


def test_a_plat_is_its_areas(month: Month, two: tuple[str, ...]) -> None:
    area = month.data.areas[two[0]]
    ids = tuple(one.id for one in month.data.areas.values() if (one.game, one.plat) == (area.game, area.plat))
    of_plat = Filters(area.game, area.plat, **WHOLE_MONTH)
    of_areas = Filters(area.game, areas=ids, **WHOLE_MONTH)
    for view in (economy.view, progress.view):
        plat, named = view(month.data, of_plat), view(month.data, of_areas)
        for name in set(plat.__struct_fields__) - {"scope", "at"}:
            assert getattr(plat, name) == getattr(named, name), name


def test_accts_of_a_plat_are_distinct(month: Month, two: tuple[str, ...]) -> None:
    area = month.data.areas[two[0]]
    shown = overview.view(month.data, Filters(area.game, area.plat, **WHOLE_MONTH))
    assert shown.scope.basis == "plat"
    stored = month.some("kpi_total", scope="plat", game=area.game, plat=area.plat)
    expected = {one["ts"]: (one["dau"], one["mau"], one["payers"]) for one in stored}
    assert {day.ts: (day.dau, day.mau, day.payers) for day in shown.days if day.mau} == expected


def test_coins_and_sales_are_those_of_all_areas(month: Month) -> None:
    shown = economy.view(month.data, Filters("dl", **WHOLE_MONTH))
    sold = month.some("shop", game="dl")
    assert sum(item.amount for item in economy_items(shown)) == sum(one["amount"] for one in sold)
    spent = month.some("cointype", game="dl")
    assert sum(reason.spent for reason in shown.reasons) == sum(one["amount"] for one in spent)
    assert sum(day.gained for day in shown.days) == sum(
        one["gain_amount"] for one in month.some("coinday", game="dl")
    )


def economy_items(shown: economy.EconomyAnswer) -> list[economy.Item]:
    assert shown.item_count == len(shown.items) <= economy.TOP
    return shown.items


def test_the_table_of_areas_is_sorted_by_what_is_asked(month: Month) -> None:
    first = areas.view(month.data, Filters("dl", **WHOLE_MONTH), AreasOptions(sort="revenue", size=1))
    every = areas.view(month.data, Filters("dl", **WHOLE_MONTH), AreasOptions(sort="revenue"))
    assert first.pages == first.found == len(every.rows) > 1
    amounts = [row.revenue for row in every.rows]
    assert amounts == sorted(amounts, reverse=True) and first.rows == every.rows[:1]
    for row in every.rows:
        expected = [added(month, "kpi", (row.area,), "dau", day) for day in days()]
        assert row.dau_days == expected and row.dau == expected[-1] and row.dau_before == expected[-2]


def test_areas_of_two_games_are_refused(month: Month, two: tuple[str, ...]) -> None:
    other = next(
        (one for one in month.data.areas.values() if one.game != month.data.areas[two[0]].game), None
    )
    if other is None:
        with pytest.raises(BadFilter, match="there is no game"):
            overview.view(month.data, Filters("nope"))
        return
    with pytest.raises(BadFilter, match="expected areas of"):
        overview.view(month.data, Filters(areas=(two[0], other.id)))
