"""Every timer bolt equals its formula written down naively, over random small worlds."""

import calendar
import math
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from random import Random

import pytest
from forms import examples
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from worlds import EPOCH, FUNNELS, World

from analytics.core.funnels import steps_of_bolt
from analytics.timers import TIMERS as PLAIN
from analytics.timers.funnel import funnel_of
from analytics.timers.lifecycle import lifecycle_after
from analytics.timers.sessions import UPTO
from analytics.timers.timer import last_of

TIMERS = {**PLAIN, "funnel": funnel_of(FUNNELS)}
DAY = date(2024, 2, 1).toordinal()
"""Near the end of a February of 29 days, some days before the Monday of a week."""
SPAN = 100
law = settings(max_examples=examples(30))
law_of_each = settings(max_examples=examples(30, of_many=True))
"""Of every timer bolt, whose formula is looked at on more worlds."""
ACCTS = "abcdefg"
VALUES = 4


@st.composite
def worlds(draw):
    """Worlds that are quiet or busy: dense enough that what a formula looks at seldom is nothing."""
    random = Random(draw(st.integers(0, 2**32)))
    busy = draw(st.sampled_from([0.02, 0.3, 1]))
    days = [day for day in range(DAY, DAY + SPAN + 1) if random.random() < busy]
    begun = DAY + draw(st.integers(-1, SPAN + 1))
    signs_up = {day: some(random) for day in days}
    return World(
        begun=begun,
        ended=begun - draw(st.integers(1, 3)),
        signs_up=signs_up,
        logs_in={day: some(random) for day in days},
        pays={day: {acct: random.randint(-300, 100_000) for acct in some(random)} for day in days},
        tiers=(20_000, 90_000),
        start_day=draw(st.none() | st.integers(DAY - 5, DAY + 5)),
        online={area: counted(random, days) for area in ("one", "two")},
        sessions={day: played(random) for day in days},
        reached=stepped(random, signs_up),
    )


def counted(random, days):
    """Return head counts of some minutes of some days, some of them within ten minutes."""
    hours = [(day - EPOCH) * 1440 + 60 * random.randrange(24) for day in days if random.random() < 0.5]
    minutes = {hour + random.randrange(-5, 40) for hour in hours for _ in range(4)}
    return [(minute, random.randrange(5)) for minute in sorted(minutes)]


def played(random):
    """Return some sessions: acct, seconds, and how each ended."""
    lengths = [0, 59, 60, 61, 3600, 3601, 86_400, 90_001]
    return [
        (random.choice(ACCTS), random.choice(lengths), random.randrange(4))
        for _ in range(random.randrange(4))
    ]


def stepped(random, signs_up):
    """Return when accts reached steps: most sign-ups are known, many steps follow soon, some on a later day."""
    found = {}
    for day, accts in signs_up.items():
        for acct in sorted(accts):
            at = (day - EPOCH) * 86_400 + random.randrange(86_400)
            for step in steps_of_bolt(FUNNELS):
                ts = at + (
                    random.choice([-99, 0, 60, 3600, 3601, 86_400, 172_801]) if step != "signup" else 0
                )
                # An area may be behind the one of the sign-up, so that its calendar shows an earlier day.
                behind = random.choice([0, 0, 26 * 3600]) if step != "signup" else 0
                if random.random() < 0.8:
                    found.setdefault((step, (ts - behind) // 86_400 + EPOCH), []).append((acct, ts))
    return found


@st.composite
def divisions(draw):
    """Since when some accts have which value."""
    accts = draw(st.lists(st.sampled_from(ACCTS), unique=True))
    return {acct: (DAY + draw(st.integers(-3, SPAN)), draw(st.integers(0, VALUES - 1))) for acct in accts}


def some(random):
    return {acct for acct in ACCTS if random.random() < 0.3}


def everybody(by_day, first, last):
    return {acct for day in range(first, last + 1) for acct in by_day.get(day, ())}


def percent(part, whole):
    return round(100 * part / whole, 2) if whole else 0


def quotient(part, whole):
    return round(part / whole, 4) if whole else 0


def activity(world, first, last):
    active, signed_up = everybody(world.logs_in, first, last), everybody(world.signs_up, first, last)
    new = active & signed_up
    said = {
        "ac_user": len(active),
        "new_ac_user": len(new),
        "new_ac_rate": percent(len(new), len(active)),
        "old_ac_user": len(active - new),
        "old_ac_rate": percent(len(active - new), len(active)),
        "final": last <= world.ended,
    }
    return said if active or signed_up else None


def activeday(world, day):
    return activity(world, day, day)


def activeweek(world, monday):
    return activity(world, monday, monday + 6)


def activemonth(world, first):
    one = date.fromordinal(first)
    return activity(world, first, first + calendar.monthrange(one.year, one.month)[1] - 1)


def lifecycle(world, day, absent=7):
    active, before = (everybody(world.logs_in, last - absent + 1, last) for last in (day, day - 1))
    came, lost = active - before, before - active
    new = came & everybody(world.signs_up, day - absent + 1, day)
    said = {
        "active": len(active),
        "before": len(before),
        "new": len(new),
        "retained": len(active & before),
        "returned": len(came - new),
        "lost": len(lost),
        "final": day <= world.ended,
    }
    assert said["active"] == said["before"] + said["new"] + said["returned"] - said["lost"]
    return said if day <= world.begun and (active or before) else None


def onlineday(world, day):
    known = {}
    for counts in world.online.values():
        for minute, online in counts:
            later = [other for other, _ in counts if other > minute]
            for one in range(minute, min([minute + 10, *later])):
                known[one] = known.get(one, 0) + online
    hours = [
        [(one, known[one]) for one in known if one // 60 == (day - EPOCH) * 24 + hour] for hour in range(24)
    ]
    minutes = sorted(pair for hour in hours for pair in hour)
    if day > world.begun or not minutes:
        return None
    peak = max(online for _, online in minutes)
    return {
        "acu": round(sum(online for _, online in minutes) / len(minutes), 2),
        "pcu": peak,
        "pcu_ts": 60 * min(minute for minute, online in minutes if online == peak),
        "minutes": len(minutes),
        "hours": {
            str(some[0][0] // 60 * 3600): {
                "acu": round(sum(online for _, online in some) / len(some), 2),
                "pcu": max(online for _, online in some),
            }
            for some in hours
            if some
        },
        "final": day <= world.ended,
    }


def sessionday(world, day):
    some = world.sessions.get(day, [])
    over = sorted((seconds, acct, way) for acct, seconds, way in some if way != 3)
    total, accts = sum(seconds for seconds, _, _ in over), {acct for acct, _, _ in some}
    upto = [min(n for n in UPTO if seconds <= 60 * n) for seconds, _, _ in over]
    return {
        "sessions": len(some),
        "accts": len(accts),
        "open": len(some) - len(over),
        "seconds": total,
        "playtime": round(total / len(accts), 2) if accts else 0,
        "median_minutes": upto[(len(upto) - 1) // 2] if upto else None,
        "ended_by_login": sum(way == 1 for _, _, way in over),
        "ended_by_limit": sum(way == 2 for _, _, way in over),
        "lengths": {str(n): upto.count(n) for n in sorted(set(upto))},
        "final": day < world.ended,
    } if day <= world.begun and some else None  # fmt: skip


def returning(size, world, cohort, active, day):
    retention = {}
    for n in range(1, 31):
        if day + n <= world.begun:
            count = len(cohort & set(active.get(day + n, ())))
            later = len(cohort & everybody(active, day + n, min(day + 30, world.begun)))
            retention[str(n)] = {"count": count, "rate": percent(count, len(cohort))}
            retention[str(n)] |= {"rolling": later, "rolling_rate": percent(later, len(cohort))}
    said = {size: len(cohort), "retention": retention, "final": day + 30 <= world.ended}
    return said if cohort else None


def loginretention(world, day):
    return returning("reg", world, world.signs_up.get(day, set()), world.logs_in, day)


def paytraceday(world, day):
    before = {acct for other, paid in world.pays.items() if other < day for acct in paid}
    return returning("pay_user", world, set(world.pays.get(day, ())) - before, world.pays, day)


def periods_after(size, world, first, after, next_first, joined, there):
    """Return what a document says of the cohort of a period: who was there in the n-th period after it."""
    last = next_first(first) - 1
    cohort = set().union(*(joined(world, day) for day in range(first, last + 1)))
    retention = {}
    then = first
    for n in range(1, max(after) + 1):
        then = next_first(then)
        if n in after and then <= world.begun:
            count = len(cohort & everybody(there, then, next_first(then) - 1))
            retention[str(n)] = {"count": count, "rate": percent(count, len(cohort))}
    final = next_first(then) - 1 <= world.ended
    return {size: len(cohort), "retention": retention, "final": final} if cohort else None


def signed_up(world, day):
    return world.signs_up.get(day, set())


def first_paid(world, day):
    before = {acct for other, paid in world.pays.items() if other < day for acct in paid}
    return set(world.pays.get(day, ())) - before


def next_month(first):
    one = date.fromordinal(first)
    return first + calendar.monthrange(one.year, one.month)[1]


def loginlong(world, day):
    said = periods_after("reg", world, day, (45, 60, 90), lambda one: one + 1, signed_up, world.logs_in)
    return said if day + 45 <= world.begun else None


def paylong(world, day):
    said = periods_after("pay_user", world, day, (45, 60, 90), lambda one: one + 1, first_paid, world.pays)
    return said if day + 45 <= world.begun else None


def loginweek(world, day):
    return periods_after("reg", world, day, range(1, 9), lambda one: one + 7, signed_up, world.logs_in)


def payweek(world, day):
    return periods_after("pay_user", world, day, range(1, 9), lambda one: one + 7, first_paid, world.pays)


def loginmonth(world, day):
    return periods_after("reg", world, day, (1, 2, 3), next_month, signed_up, world.logs_in)


def paymonth(world, day):
    return periods_after("pay_user", world, day, (1, 2, 3), next_month, first_paid, world.pays)


def kpi(world, day):
    dau, wau, mau = (len(everybody(world.logs_in, day - back, day)) for back in (0, 6, 29))
    signed_up, paid = world.signs_up.get(day, set()), world.pays.get(day, {})
    revenue = sum(paid.values())
    said = {
        "dau": dau,
        "wau": wau,
        "mau": mau,
        "stickiness": quotient(dau, mau),
        "payers": len(paid),
        "revenue": revenue / 100,
        "pay_rate": quotient(len(paid), dau),
        "arpu": quotient(revenue, 100 * dau),
        "arppu": quotient(revenue, 100 * len(paid)),
        "reg": len(signed_up),
        "new_payers": len(signed_up & set(paid)),
        "new_pay_rate": quotient(len(signed_up & set(paid)), len(signed_up)),
        "open_day": None if world.start_day is None else day - world.start_day,
        "final": day <= world.ended,
    }
    return said if day <= world.begun and (mau or paid or signed_up) else None


def payers(world, first):
    last = next_month(first) - 1
    paid, days_paid = totals(world, first, last)
    before, _ = totals(world, date.fromordinal(first - 1).replace(day=1).toordinal(), first - 1)
    active, lost = everybody(world.logs_in, first, last), set(before) - set(paid)
    dolphin, whale = world.tiers
    tiers = {
        "minnow": [cents for cents in paid.values() if cents < dolphin],
        "dolphin": [cents for cents in paid.values() if dolphin <= cents < whale],
        "whale": [cents for cents in paid.values() if cents >= whale],
    }
    revenue, highest = sum(paid.values()), sorted(paid.values(), reverse=True)
    again = [acct for acct, times in days_paid.items() if times > 1]
    said = {
        "payers": len(paid),
        "revenue": revenue / 100,
        **{f"{tier}s": len(cents) for tier, cents in tiers.items()},
        **{f"{tier}_revenue": sum(cents) / 100 for tier, cents in tiers.items()},
        "repeat_payers": len(again),
        "repeat_rate": percent(len(again), len(paid)),
        "non_payers": len(active - set(paid)),
        "before": len(before),
        "lost_payers": len(lost),
        "churn_rate": percent(len(lost), len(before)),
        "final": last <= world.ended,
    }
    for top in (1, 5, 10):
        most = sum(highest[: math.ceil(Fraction(len(paid) * top, 100))])
        said |= {f"top{top}_revenue": most / 100, f"top{top}_rate": percent(most, max(0, revenue))}
    return said if first <= world.begun and (paid or before or active) else None


def totals(world, first, last):
    """Return what each payer paid on some days, and on how many of them."""
    paid, times = {}, {}
    for day in range(first, last + 1):
        for acct, cents in world.pays.get(day, {}).items():
            paid[acct], times[acct] = paid.get(acct, 0) + cents, times.get(acct, 0) + 1
    return paid, times


def firstpay(world, day):
    cohort = world.signs_up.get(day, set())
    waited = sorted(
        min(n for n in range(91) if acct in world.pays.get(day + n, {}))
        for acct in cohort
        if any(acct in world.pays.get(day + n, {}) for n in range(91))
    )
    waited = [n for n in waited if day + n <= world.ended]
    table = {}
    for n in [*range(31), 60, 90]:
        if day + n <= world.ended:
            count = len([one for one in waited if one <= n])
            table[str(n)] = {"count": count, "rate": percent(count, len(cohort))}
    return {
        "reg": len(cohort),
        "paid": table,
        "median_days": waited[(len(waited) - 1) // 2] if waited else None,
        "final": day + 90 <= world.ended,
    } if cohort else None  # fmt: skip


def ltv(world, day):
    cohort = world.signs_up.get(day, set())
    worth = {}
    for n in [*range(31), 60, 90]:
        if day + n <= world.ended:
            cents = sum(
                world.pays.get(other, {}).get(acct, 0) for other in range(day, day + n + 1) for acct in cohort
            )
            worth[str(n)] = quotient(cents, 100 * len(cohort))
    return {"reg": len(cohort), "ltv": worth, "final": day + 90 <= world.ended} if cohort else None


def funnel(world, day):
    cohort, table = world.signs_up.get(day, set()), {}
    if all(took(world, ["signup"], acct, day) for acct in cohort):
        return None
    for one in FUNNELS:
        for n, step in enumerate(one.steps, 1):
            every = sorted(took(world, one.steps[:n], acct, day) for acct in cohort)
            waited = [seconds for seconds in every if seconds <= one.within]
            table[f"{one.name}-{n}"] = {
                "step": step,
                "count": len(waited),
                "rate": percent(len(waited), len(cohort)),
                "median_seconds": waited[(len(waited) - 1) // 2] if waited else None,
            }
    return {"reg": len(cohort), "steps": table, "final": day + 4 <= world.ended}


def took(world, steps, acct, day):
    """Return how long after its sign-up an acct had reached all of these steps; infinite: it had not, or when it signed up is unknown."""

    def times(step, days):
        return [ts for one in days for who, ts in world.steps(step, one) if who == acct]

    began = min(times("signup", [day]), default=math.inf)
    waited = [0 if began < math.inf else math.inf]
    for step in steps[1:]:
        before = [ts for ts in times(step, range(day - 8, day)) if ts >= began]
        waited.append(max(0, min(before + times(step, range(day, day + 8)), default=math.inf) - began))
    return math.inf if math.inf in waited or began == math.inf else max(waited)


NAIVE = [
    activeday, activeweek, activemonth, lifecycle, onlineday, sessionday, loginretention, loginlong, loginweek, loginmonth, paytraceday, paylong,
    payweek, paymonth, kpi, payers, ltv, firstpay, funnel,
]  # fmt: skip


def periods(timer, first=DAY - 3, last=DAY + SPAN + 3):
    every = range(first, last + 1)
    if timer.period == "week":
        return [day for day in every if date.fromordinal(day).weekday() == 0]
    if timer.period == "month":
        return [day for day in every if date.fromordinal(day).day == 1]
    return list(every)


def said(timer, world, firsts, strangers=0):
    """Return what the timer says, by day: of each period at most one document, in any order."""
    documents = list(timer.documents(world.facts(strangers), firsts))
    assert len({one.first for one in documents}) == len(documents)
    return {one.first: one.fields for one in documents if not one.empty}


def test_every_timer_is_written_down_naively():
    assert [naive.__name__ for naive in NAIVE] == list(TIMERS)


@pytest.mark.parametrize("naive", NAIVE, ids=lambda naive: naive.__name__)
@law
@given(world=worlds(), strangers=st.integers(0, 3))
def test_a_timer_says_what_its_formula_says(naive, world, strangers):
    timer = TIMERS[naive.__name__]
    expected = {first: naive(world, first) for first in periods(timer)}
    assert said(timer, world, periods(timer), strangers) == {
        first: one for first, one in expected.items() if one is not None
    }


@pytest.mark.parametrize(
    "naive",
    [naive for naive in NAIVE if TIMERS[naive.__name__].of_segments],
    ids=lambda naive: naive.__name__,
)
@law_of_each
@given(world=worlds(), values=divisions(), strangers=st.integers(0, 3))
def test_of_each_value_a_timer_says_what_its_formula_says_of_the_accts_with_it(
    naive, world, values, strangers
):
    timer = TIMERS[naive.__name__]
    world.values, world.many = values, VALUES
    documents = list(timer.documents(world.facts(strangers), periods(timer)))
    found = {(one.first, one.part): one.fields for one in documents if not one.empty}
    assert len({(one.first, one.part) for one in documents}) == len(documents)
    expected = {
        (first, part): naive(of_value(world, part, last_of(timer.period, first)), first)
        for first in periods(timer)
        for part in range(VALUES)
    }
    assert found == {key: one for key, one in expected.items() if one is not None}


@pytest.mark.parametrize("timer", TIMERS.values(), ids=lambda timer: timer.name)
@law_of_each
@given(world=worlds(), values=divisions(), data=st.data())
def test_what_a_value_changes_is_among_what_its_day_divides(timer, world, values, data):
    world.values, world.many = values, VALUES
    before = divided(timer, world)
    acct, since = data.draw(st.sampled_from(ACCTS)), data.draw(st.integers(DAY - 3, DAY + SPAN))
    known = values.get(acct, (since, VALUES - 1))[0]
    values[acct] = since, data.draw(st.integers(0, VALUES - 1))
    after = divided(timer, world)
    differ = {
        first for first, part in before | after if before.get((first, part)) != after.get((first, part))
    }
    assert differ <= set(timer.divided_since(min(since, known), DAY + SPAN + 3))


def divided(timer, world):
    return {(one.first, one.part): one.fields for one in timer.documents(world.facts(), periods(timer))}


def of_value(world, part, day):
    """Return what those did that have a value on a day."""

    def has(acct):
        since, place = world.values.get(acct, (day + 1, 0))
        return part == (place if since <= day else VALUES - 1)

    def only(by_day):
        return {one: {acct for acct in accts if has(acct)} for one, accts in by_day.items()}

    pays = {
        one: {acct: cents for acct, cents in paid.items() if has(acct)} for one, paid in world.pays.items()
    }
    sessions = {one: [each for each in some if has(each[0])] for one, some in world.sessions.items()}
    return replace(
        world, signs_up=only(world.signs_up), logs_in=only(world.logs_in), pays=pays, sessions=sessions
    )


@pytest.mark.parametrize("timer", TIMERS.values(), ids=lambda timer: timer.name)
@law_of_each
@given(world=worlds(), data=st.data())
def test_asked_for_some_days_in_any_order_it_says_the_same(timer, world, data):
    every = said(timer, world, periods(timer))
    asked = data.draw(st.lists(st.sampled_from(periods(timer)), unique=True, max_size=5))
    assert said(timer, world, asked) == {first: every[first] for first in asked if first in every}


@pytest.mark.parametrize("timer", TIMERS.values(), ids=lambda timer: timer.name)
@law_of_each
@given(world=worlds(), values=divisions(), many=st.sampled_from([0, VALUES]), strangers=st.integers(0, 70))
def test_of_accts_that_are_a_bit_each_it_says_the_same(timer, world, values, many, strangers):
    world.values, world.many = values, many
    of_numbers, of_bits = (
        list(timer.documents(world.facts(strangers, as_bits), periods(timer))) for as_bits in (False, True)
    )
    assert of_bits == of_numbers


@pytest.mark.parametrize("timer", TIMERS.values(), ids=lambda timer: timer.name)
def test_a_document_of_nothing_says_it_in_zeros(timer):
    """So that a document which loses what it spoke of is rewritten whole."""
    (first, *_) = periods(timer, DAY, DAY + 40)
    nothing = World(begun=DAY + 60, ended=DAY + 59, start_day=DAY)
    counts, sessions = {"one": [((first - EPOCH) * 1440, 1)]}, {first: [("a", 9, 0)]}
    happened = {first: {"a"}}, {first: {"a"}}, {first: {"a": 100}}, DAY
    reached = {("signup", first): [("a", (first - EPOCH) * 86_400)]}
    thing = World(DAY + 60, DAY + 59, *happened, online=counts, sessions=sessions, reached=reached)
    (of_nothing,) = timer.documents(nothing.facts(), [first])
    (of_some,) = timer.documents(thing.facts(), [first])
    assert (of_nothing.empty, of_some.empty) == (True, False)
    assert list(of_nothing.fields) == list(of_some.fields)
    assert not any(
        value
        for name, value in of_nothing.fields.items()
        if name not in ("final", "retention", "ltv", "paid", "hours", "lengths", "steps")
    )


@law
@given(world=worlds(), absent=st.integers(1, 40))
def test_an_acct_is_lost_after_as_many_days_as_are_configured(world, absent):
    timer = lifecycle_after(absent)
    expected = {day: lifecycle(world, day, absent) for day in periods(timer)}
    assert said(timer, world, periods(timer)) == {
        day: one for day, one in expected.items() if one is not None
    }


ADDED = {"login": "logs_in", "signup": "signs_up", "pay": "pays"}


@pytest.mark.parametrize("timer", TIMERS.values(), ids=lambda timer: timer.name)
@law_of_each
@given(world=worlds(), kind=st.sampled_from(["login", "signup", "pay"]), data=st.data())
def test_what_a_change_changes_is_among_what_it_affects(timer, world, kind, data):
    day = data.draw(st.integers(DAY, DAY + SPAN))
    acct = data.draw(st.sampled_from(ACCTS))
    before, paid_first = said(timer, world, periods(timer)), first_payments(world)
    assume(acct not in getattr(world, ADDED[kind]).get(day, ()))
    add(world, kind, day, acct)
    affected = set(timer.affected(kind, day))
    for changed in {one for _, one in paid_first ^ first_payments(world)}:
        affected |= set(timer.affected("first_pay", changed))
    after = said(timer, world, periods(timer))
    differ = {first for first in before | after if before.get(first) != after.get(first)}
    assert differ <= affected


@law
@given(world=worlds(), data=st.data())
def test_what_a_step_changes_is_among_what_it_affects(world, data):
    timer, day = TIMERS["funnel"], data.draw(st.integers(DAY, DAY + SPAN))
    before = said(timer, world, periods(timer))
    step = data.draw(st.sampled_from(steps_of_bolt(FUNNELS)))
    ts = (day - EPOCH) * 86_400 + data.draw(st.integers(0, 36 * 3600))
    world.reached.setdefault((step, day), []).append((data.draw(st.sampled_from(ACCTS)), ts))
    after = said(timer, world, periods(timer))
    differ = {first for first in before | after if before.get(first) != after.get(first)}
    assert differ <= set(timer.affected("step", day))


@pytest.mark.parametrize("kind", ["login", "signup", "pay"])
@pytest.mark.parametrize(
    "name",
    [
        "activeday",
        "lifecycle",
        "loginretention",
        "loginlong",
        "paytraceday",
        "kpi",
        "ltv",
        "firstpay",
    ],
)
def test_a_document_looks_at_the_days_that_it_says_and_no_others(name, kind):
    timer = TIMERS[name]
    changing = set()
    for offset in range(-61, 93):
        for acct in ("signed up, logged in and paid", "logged in", "signed up", "nothing yet"):
            world = lively()
            before = said(timer, world, [DAY])
            add(world, kind, DAY + offset, acct)
            if said(timer, world, [DAY]) != before:
                changing.add(offset)
    if "first_pay" in timer.looks and kind == "pay":
        assert changing >= set(range(-61, 1))
        changing -= set(range(-61, 1))
    assert changing == set(timer.looks.get(kind, ()))


def lively():
    accts = ["signed up, logged in and paid", "logged in"]
    return World(
        DAY + 200,
        DAY + 200,
        {DAY: {accts[0], "signed up"}},
        {DAY: set(accts)},
        {DAY: {accts[0]: 100}},
        start_day=DAY,
    )


def add(world, kind, day, acct):
    at = getattr(world, ADDED[kind]).setdefault(day, {} if kind == "pay" else set())
    at.update({acct: 500}) if kind == "pay" else at.add(acct)


def first_payments(world):
    accts = {acct for paid in world.pays.values() for acct in paid}
    return {(acct, min(day for day, paid in world.pays.items() if acct in paid)) for acct in accts}


@pytest.mark.parametrize("timer", TIMERS.values(), ids=lambda timer: timer.name)
@law_of_each
@given(world=worlds(), days_later=st.integers(1, 3))
def test_what_time_changes_is_among_what_it_ages(timer, world, days_later):
    before = said(timer, world, periods(timer))
    begun, ended = world.begun, world.ended
    world.begun, world.ended = begun + days_later, begun + days_later - 1
    after = said(timer, world, periods(timer))
    differ = {first for first in before | after if before.get(first) != after.get(first)}
    days_passed = {*range(begun + 1, world.begun + 1), *range(ended + 1, world.ended + 1)}
    assert differ <= {first for day in days_passed for first in timer.aged(day)}


@pytest.mark.parametrize("timer", TIMERS.values(), ids=lambda timer: timer.name)
@law_of_each
@given(world=worlds())
def test_what_is_final_does_not_change_with_time(timer, world):
    before = said(timer, world, periods(timer))
    world.begun, world.ended = world.begun + 300, world.ended + 300
    after = said(timer, world, periods(timer))
    assert {first: after[first] for first, one in before.items() if one["final"]} == {
        first: one for first, one in before.items() if one["final"]
    }
    assert all(one["final"] for one in after.values())


def test_weeks_and_months_are_calendar_ones():
    world = World(begun=DAY + 60, ended=DAY + 60, logs_in={DAY + n: {f"p{n}"} for n in range(40)})
    monday = DAY + 4
    assert date.fromordinal(monday).weekday() == 0
    weeks = said(TIMERS["activeweek"], world, [monday - 7, monday])
    assert [one["ac_user"] for one in weeks.values()] == [4, 7]
    months = said(TIMERS["activemonth"], world, [DAY, (date(2024, 3, 1)).toordinal()])
    assert [one["ac_user"] for one in months.values()] == [29, 11]
    assert date.fromordinal(DAY) + timedelta(29) == date(2024, 3, 1)
