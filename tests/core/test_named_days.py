"""A payment counts on the day that it names, whatever zone its area has by now; one that names none on the day of its moment."""

import json
from typing import Any

import msgspec
import pytest
from reference_run import run

from analytics.bolts import BOLTS
from analytics.bolts.excluded import excluded
from analytics.core.areas import Area, Areas
from analytics.core.exchange import Exchange
from analytics.core.exclusion import Exclusion
from analytics.core.payment_days import moment_of, named_day, on_named_days
from analytics.core.periods import zone
from analytics.core.tuples import Payment

AREA = "549140c8dbdb67794fc0fa3b"
SHANGHAI, ZONES = (
    zone("Asia/Shanghai"),
    ["Asia/Shanghai", "Europe/London", "Pacific/Honolulu", "Pacific/Kiritimati", "America/Sao_Paulo"],
)
DATES = ["2015-01-08", "2018-11-04", "2024-02-29"]


def areas(name: str, **more: Any) -> Areas:
    return Areas([Area(AREA, "dl", "2001", zone(name), **more)])


def paid(date: str, **more: Any) -> dict[str, Any]:
    """Return a payment as the spout journaled it while the area was in Shanghai."""
    users = {"ann": {"times": 1, "amount": 6}, "bob": {"times": 1, "amount": 4, "currency": "USD"}}
    day = {"day": date}
    return {
        "id": "payment/dl@1:1",
        "area": AREA,
        "ts": SHANGHAI.day_of(date),
        **day,
        "at": 1,
        "users": users,
        **more,
    }


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("date", DATES)
def test_a_payment_counts_on_the_day_that_it_names(name: str, date: str) -> None:
    for record in (paid(date), paid(date, ts=SHANGHAI.day_of(date) + 80_000)):
        runner = run(BOLTS.values(), areas(name), [("payment", record)])
        for bolt in ("paysummary", "payorderdetail", "revenueday", "server"):
            documents = runner.documents(bolt).values()
            assert {one["ts"] for one in documents} == {zone(name).day_of(date)}
        assert {one["first_pay"] for one in runner.documents("userpay").values()} == {zone(name).day_of(date)}


@pytest.mark.parametrize("name", ZONES)
def test_rates_and_excluded_accts_go_by_that_day(name: str) -> None:
    rates = {"USD": [("2015-01-07", "5"), ("2015-01-08", "7"), ("2015-01-09", "9")]}
    rated = areas(name, exchange=Exchange("dl", "CNY", "CNY", rates), excluded=Exclusion(frozenset({"ann"})))
    runner = run([*BOLTS.values(), excluded(("payment",))], rated, [("payment", paid("2015-01-08"))])
    (summary,) = runner.documents("paysummary").values()
    assert (summary["ts"], summary["pay_amout"]) == (zone(name).day_of("2015-01-08"), 28)
    (left_out,) = runner.documents("excluded").values()
    assert left_out["ts"] == summary["ts"]


def test_one_that_names_no_day_counts_as_before() -> None:
    record = paid("2015-01-08")
    del record["day"]
    (summary,) = (
        run(BOLTS.values(), areas("Europe/London"), [("payment", record)]).documents("paysummary").values()
    )
    assert summary["ts"] == zone("Europe/London").day_of("2015-01-07")


def test_what_needs_no_change_stays_byte_by_byte() -> None:
    there = areas("Asia/Shanghai")
    lines = [msgspec.json.encode(paid(date)) for date in DATES]
    odd = [
        b'{"day"',
        b"",
        msgspec.json.encode(paid(DATES[0], area="nowhere")),
        msgspec.json.encode(paid(DATES[0], day=None)),
    ]
    for line in (*lines, *odd):
        assert on_named_days(line, there) is line or on_named_days(line, there) == line
    body = b"\n".join([*lines, *odd])
    assert on_named_days(body, there) == body
    moved = on_named_days(lines[0].replace(b'"amount":6', b'"amount":6.10'), areas("Europe/London"))
    assert b'"amount":6.10' in moved and json.loads(moved)["ts"] == zone("Europe/London").day_of(DATES[0])


@pytest.mark.parametrize("day", ["2015-01-32", "2015-01-20", "20150108", "", 7, "２015-01-08", "2015-01-08 "])
def test_a_day_that_is_none_or_is_not_that_of_the_moment_is_refused(day: Any) -> None:
    line = msgspec.json.encode(paid("2015-01-08", day=day))
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(line, type=Payment)
    assert on_named_days(line, areas("Europe/London")) == line
    assert named_day(line, areas("Europe/London")) is None


def test_only_payments_name_days() -> None:
    line = msgspec.json.encode(paid("2015-01-08"))
    there = areas("Europe/London")
    assert moment_of("payment", line, 5, there) == zone("Europe/London").day_of("2015-01-08")
    assert moment_of("gamelog.login_logcount", line, 5, there) == 5
    assert moment_of("payment", line.replace(b'"day"', b'"dye"'), 5, there) == 5
