"""Rules: which periods they look at, what they compare them with, and when they apply."""

import pytest

from analytics.alerts.rules import SETTLE_SECONDS, Rule
from analytics.config.alert_sections import AlertSection
from analytics.core.periods import zone

SHANGHAI, NEW_YORK = zone("Asia/Shanghai"), zone("America/New_York")


def rule(period="day", value="dau", **section):
    return Rule("few", AlertSection(collection="kpi", value=value, **section), period)


def day(text, there=SHANGHAI):
    return there.day_of(text)


def test_a_day_is_judged_when_it_has_ended_and_its_documents_had_time():
    noon = day("2026-03-10") + 12 * 3600
    assert rule(below=1).judged(SHANGHAI, noon) == [day("2026-03-09")]
    assert rule(below=1).judged(SHANGHAI, day("2026-03-10") + SETTLE_SECONDS - 1) == [day("2026-03-08")]
    assert rule(below=1).judged(SHANGHAI, day("2026-03-10") + SETTLE_SECONDS) == [day("2026-03-09")]


def test_hours_are_the_zones_own_where_clocks_change():
    # On that day 2 o'clock does not exist there: 3 o'clock follows 1 o'clock.
    three = day("2026-03-08", NEW_YORK) + 2 * 3600
    assert NEW_YORK.local(three).hour == 3
    found = rule("hour", below=1, periods=2).judged(NEW_YORK, three + 3600 + SETTLE_SECONDS)
    assert [NEW_YORK.local(one).hour for one in found] == [3, 1]


def test_what_is_compared_is_the_same_weekday_and_hour_across_a_clock_change():
    monday = day("2026-03-09", NEW_YORK)
    before = rule(falls=10, weeks=3).compared(NEW_YORK, monday)
    assert [NEW_YORK.local(one).strftime("%a %F %H") for one in before] == [
        "Mon 2026-03-02 00",
        "Mon 2026-02-23 00",
        "Mon 2026-02-16 00",
    ]
    assert rule(below=1).compared(NEW_YORK, monday) == []


@pytest.mark.parametrize("changed", ["2026-03-08", "2026-11-01"], ids=["23 hours", "25 hours"])
def test_an_hour_of_a_day_with_a_clock_change_is_compared_with_those_that_the_clock_shows_the_same(
    changed: str,
) -> None:
    for hour in NEW_YORK.starts(
        "hour", day(changed, NEW_YORK), NEW_YORK.day_after(day(changed, NEW_YORK), 1) - 1
    ):
        before = rule("hour", falls=10, weeks=2).compared(NEW_YORK, hour)
        shown = f"{NEW_YORK.local(hour):%a %H:%M}"
        assert [f"{NEW_YORK.local(one):%a %H:%M}" for one in before] == [shown, shown]
        monday_week = NEW_YORK.day_after(day(changed, NEW_YORK), 7)
        at = next(
            one
            for one in NEW_YORK.starts("hour", monday_week, monday_week + 90_000)
            if shown == f"{NEW_YORK.local(one):%a %H:%M}"
        )
        assert (
            f"{NEW_YORK.local(rule('hour', falls=10, weeks=1).compared(NEW_YORK, at)[0]):%a %H:%M}" == shown
        )


@pytest.mark.parametrize(
    ("section", "value", "applies"),
    [
        ({"below": 100}, 99.9, True),
        ({"below": 100}, 100, False),
        ({"above": 100}, 100.1, True),
        ({"above": 100}, 100, False),
        ({"falls": 30}, 139, True),
        ({"falls": 30}, 141, False),
        ({"rises": 50}, 301, True),
        ({"rises": 50}, 299, False),
        ({"below": 10, "rises": 50}, 301, True),
    ],
)
def test_bounds_and_changes_against_the_median(section, value, applies):
    one = rule(weeks=3, **section)
    now = day("2026-03-10") + 3600
    (judged,) = one.judged(SHANGHAI, now)
    before = dict(zip(one.compared(SHANGHAI, judged), (100, 200, 5000), strict=False))
    found = one.judge(SHANGHAI, {**before, judged: value}, now)
    assert found.applies is applies
    assert found.value == value


def test_nothing_is_said_while_a_number_is_missing_or_has_nothing_beside_it():
    now = day("2026-03-10") + 3600
    one = rule(falls=30)
    (judged,) = one.judged(SHANGHAI, now)
    assert one.judge(SHANGHAI, {judged: None}, now) is None
    assert not one.judge(SHANGHAI, {judged: 0.0}, now).applies
    assert rule(value="payers / dau", below=1).value({"payers": 0, "dau": 0}) is None


def test_all_of_several_periods_have_to_be_so():
    one = rule(below=10, periods=3)
    now = day("2026-03-10") + 3600
    starts = one.judged(SHANGHAI, now)
    assert one.judge(SHANGHAI, dict.fromkeys(starts, 1.0), now).applies
    assert not one.judge(SHANGHAI, {**dict.fromkeys(starts, 1.0), starts[1]: 11.0}, now).applies
