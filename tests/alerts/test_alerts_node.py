"""The node: what it reads of documents, when it sends, and what survives a restart."""

import logging

import msgspec
import pytest
from store_reader import StoreReader

from analytics.alerts import digest
from analytics.alerts import node as alerts_node
from analytics.alerts.node import Alerts
from analytics.alerts.rules import SETTLE_SECONDS
from analytics.config import AreaSection, Config, Game
from analytics.config.alert_sections import AlertSection, ChannelSection, DigestSection
from analytics.config.sections import FunnelSection
from analytics.core.periods import zone
from analytics.errors import Unavailable
from analytics.store import MemoryStore
from analytics.store.store import Write

SHANGHAI, NEW_YORK = zone("Asia/Shanghai"), zone("America/New_York")
DAY = SHANGHAI.day_of("2026-03-09")
NOW = DAY + 86_400 + 3_600
A, B = "a" * 24, "b" * 24


class Fixture:
    """A node over a store in memory, whose channels are a list, and refuse while ``away``."""

    def __init__(self, monkeypatch, alerts, section=DigestSection()):
        self.store, self.sent, self.away, self.now = MemoryStore(), [], set(), NOW
        self.pictures = []
        monkeypatch.setattr(self.store, "close", lambda: None)
        monkeypatch.setattr(alerts_node, "open_store", lambda config: self.store)
        monkeypatch.setattr(alerts_node, "open_reader", lambda config: StoreReader(self.store))
        areas = {A: AreaSection(plat="1", name="One"), B: AreaSection(plat="2")}
        self.config = Config(
            games={"dl": Game(timezone="Asia/Shanghai", currency="¥", areas=areas)},
            channels={
                "ops": ChannelSection(kind="json", url="https://example.org/"),
                "mail": ChannelSection(
                    kind="mail", server="example.org:25", sender="a@b", recipients=["a@b"]
                ),
            },
            alerts=alerts,
            digest=section,
        )
        self.restart()

    def restart(self):
        self.node = Alerts(self.config, now=lambda: self.now, send=self.send)
        self.node.start()

    def send(self, channel, text, facts, picture=None):
        if channel in self.away:
            raise Unavailable("the webhook does not answer")
        self.sent.append((channel, text, facts))
        self.pictures.append(picture)

    def put(self, collection, id_, **fields):
        stored = self.store.load(collection, [id_]).get(id_)
        version = stored["_v"] if stored else 0
        assert not self.store.write(collection, [Write(id_, {**fields, "_v": version + 1}, version)])

    def texts(self):
        self.node.look()
        found, self.sent = [text for _, text, _ in self.sent], []
        return found


def kpi(fixture, dau, start=DAY, final=True, **more):
    fixture.put(
        "kpi_total", f"dl::{start}", game="dl", scope="game", ts=start, dau=dau, payers=1, final=final, **more
    )


@pytest.fixture
def few(monkeypatch):
    return Fixture(monkeypatch, {"few": AlertSection(collection="kpi", value="dau", below=100, to=["ops"])})


def test_it_is_said_once_when_it_begins_and_once_when_it_is_over(few):
    kpi(few, 80)
    assert few.texts() == ["few, game dl: kpi: dau is 80 (2026-03-09), below 100."]
    assert few.texts() == []
    few.restart()
    assert few.texts() == [], "a restart repeats nothing"
    assert few.node.state()["firing"] == {"few:dl:game:": "below"}
    kpi(few, 120)  # late records
    assert few.texts() == ["Over: few, game dl. kpi: dau is 120 (2026-03-09); it had begun at 2026-03-09."]
    assert few.texts() == []
    assert few.node.state()["firing"] == {}


def test_a_merged_area_is_silent_without_an_alert(monkeypatch):
    section = AlertSection(collection="loginday", value="count", scope="area", areas=[B], below=1, to=["ops"])
    fixture = Fixture(monkeypatch, {"silent": section})
    assert len(fixture.texts()) == 1
    game = fixture.config.games["dl"]
    for merged_on in ("2026-03-10", "2026-03-09"):
        areas = game.areas | {B: AreaSection(plat="2", merged_into=A, merged_on=merged_on)}
        games = {"dl": msgspec.structs.replace(game, areas=areas)}
        fixture.config = msgspec.structs.replace(fixture.config, games=games)
        fixture.restart()
        assert [text[:5] for text in fixture.texts()] == ([] if merged_on == "2026-03-10" else ["Over:"])


def test_a_large_number_is_said_with_all_of_its_digits(monkeypatch):
    section = AlertSection(collection="kpi", value="dau / 3", above=1_000_000.5, to=["ops"])
    fixture = Fixture(monkeypatch, {"many": section})
    kpi(fixture, 12_345_678)
    assert fixture.texts() == ["many, game dl: kpi: dau / 3 is 4115226 (2026-03-09), above 1000000.5."]


def test_a_day_that_is_not_final_is_not_judged(few):
    kpi(few, 80, final=False)
    assert few.texts() == []
    kpi(few, 80)
    assert len(few.texts()) == 1


def test_what_a_channel_does_not_take_is_sent_again(few, caplog):
    kpi(few, 80)
    few.away = {"ops"}
    with caplog.at_level(logging.WARNING):
        assert few.texts() == []
    assert "few: the webhook does not answer" in few.node.state()["error"]
    few.away = set()
    assert len(few.texts()) == 1
    assert few.node.state()["error"] == ""


def test_one_channel_that_is_away_keeps_no_other_waiting(monkeypatch):
    section = AlertSection(collection="kpi", value="dau", below=100, to=["ops", "mail"])
    fixture = Fixture(monkeypatch, {"few": section}, DigestSection(at="00:00", to=["ops", "mail"]))
    kpi(fixture, 80)
    fixture.away = {"ops"}
    fixture.node.look()
    assert [channel for channel, _, _ in fixture.sent] == ["mail", "mail"]
    fixture.node.look()
    fixture.away = set()
    fixture.node.look()
    fixture.node.look()
    assert [channel for channel, _, _ in fixture.sent] == ["mail", "mail", "ops", "ops"]
    assert fixture.node.state()["sent"] == 2


def test_a_store_that_does_not_take_the_note_repeats_no_message(few, monkeypatch):
    def away(collection, writes):
        raise Unavailable("the store is away")

    kpi(few, 80)
    with monkeypatch.context() as at_first:
        at_first.setattr(few.store, "write", away)
        assert len(few.texts()) == 1
        assert few.texts() == []
        assert few.node.state()["error"] == "few: the store is away"
    assert few.texts() == []
    assert few.node.state()["error"] == ""
    kpi(few, 120)
    assert len(few.texts()) == 1
    assert few.node.state()["sent"] == 2


def test_a_field_that_documents_do_not_have_is_an_error(monkeypatch):
    fixture = Fixture(monkeypatch, {"odd": AlertSection(collection="kpi", value="dua", below=1, to=["ops"])})
    kpi(fixture, 80)
    assert fixture.texts() == []
    assert fixture.node.state()["error"] == "odd: kpi has no field dua; see docs/metrics.md"


def test_an_area_whose_hour_has_no_document_counted_nothing(monkeypatch):
    section = AlertSection(
        collection="loginhour", value="count", scope="area", below=1, periods=2, to=["ops"]
    )
    fixture = Fixture(monkeypatch, {"silent": section})
    for area, hours in ((A, (1, 2)), (B, (1,))):
        for hour in hours:
            ts = NOW - hour * 3600
            fixture.put("loginhour", f"{area}:{ts}", game="dl", plat="1", area=area, ts=ts, count=5)
    fixture.now = NOW + 600
    assert fixture.texts() == []
    fixture.now += 3600
    assert fixture.texts() == []
    fixture.now += 3600
    assert fixture.texts() == [
        "silent, area One of dl: loginhour: count is 0 (2026-03-10 02:00), below 1 for 2 hours.",
        f"silent, area {B} of dl: loginhour: count is 0 (2026-03-10 02:00), below 1 for 2 hours.",
    ]


def test_keys_of_a_collection_are_added_up(monkeypatch):
    section = AlertSection(collection="cointype", value="amount", scope="plat", above=100, to=["ops"])
    fixture = Fixture(monkeypatch, {"spent": section})
    for reason, plat, amount in (("shop", "1", 60), ("gift", "1", 50), ("shop", "2", 70)):
        fixture.put(
            "cointype_total",
            f"{plat}{reason}",
            game="dl",
            scope="plat",
            plat=plat,
            ts=DAY,
            reason=reason,
            amount=amount,
        )
    assert fixture.texts() == ["spent, plat 1 of dl: cointype: amount is 110 (2026-03-09), above 100."]


def test_a_day_of_a_game_is_judged_when_it_has_ended_in_all_of_its_areas(monkeypatch):
    section = AlertSection(collection="cointype", value="amount", below=100, to=["ops"])
    fixture = Fixture(monkeypatch, {"spent": section})
    late = AreaSection(plat="2", timezone="America/New_York")
    games = {
        "dl": msgspec.structs.replace(fixture.config.games["dl"], areas={A: AreaSection(plat="1"), B: late})
    }
    fixture.config = msgspec.structs.replace(fixture.config, games=games)
    fixture.restart()
    for day, amount in ((SHANGHAI.day_after(DAY, -1), 200), (DAY, 60)):
        fixture.put("cointype_total", f"{day}", game="dl", scope="game", ts=day, reason="shop", amount=amount)
    assert fixture.texts() == [], "it is 1 o'clock in Shanghai, and noon of the day before in New York"
    fixture.now = NEW_YORK.day_of("2026-03-10") + SETTLE_SECONDS - 1
    assert fixture.texts() == []
    fixture.now += 1
    assert fixture.texts() == ["spent, game dl: cointype: amount is 60 (2026-03-09), below 100."]


def test_the_share_of_a_funnels_step_is_judged_when_its_accts_had_their_time(monkeypatch):
    step = {"collection": "funnel", "funnel": "first_week", "step": 2, "to": ["ops"]}
    sections = {
        "few": AlertSection(value="rate", below=50, **step),
        "none": AlertSection(value="reg - count", above=60, scope="area", areas=[A], **step),
    }
    fixture = Fixture(monkeypatch, sections)
    long = FunnelSection(steps=["signup", "level:9"], within="30d")
    both = {"first_week": FunnelSection(steps=["signup", "level:2"], within="2d"), "long": long}
    fixture.config = msgspec.structs.replace(fixture.config, funnels=both)
    fixture.restart()
    days = 4  # within two days of the sign-up, whose day may be another one in an area's zone
    for n, rate in ((days, 40.0), (days - 1, 10.0), (0, 0.0)):
        ts = SHANGHAI.day_after(DAY, -n)
        steps = {"first_week-1": {"count": 100, "rate": 100.0}, "first_week-2": {"count": rate, "rate": rate}}
        document = {"game": "dl", "ts": ts, "reg": 100, "steps": steps, "final": False}
        fixture.put("funnel_total", f"dl:{ts}", scope="game", **document)
        fixture.put("funnel", f"{A}:{ts}", area=A, plat="1", **document)
    assert fixture.texts() == ["few, game dl: first_week, level:2: rate is 40 (2026-03-05), below 50."]
    fixture.now += 86_400
    assert fixture.texts() == [
        "none, area One of dl: first_week, level:2: reg - count is 90 (2026-03-06), above 60."
    ]
    fixture.now += 86_400
    assert fixture.texts() == [], "of that day there is no document"
    ts = SHANGHAI.day_after(DAY, 2 - days)
    fixture.put("funnel_total", f"dl:{ts}", game="dl", scope="game", ts=ts, reg=100, steps={}, final=False)
    assert fixture.texts() == [], "the funnel is newer than the document"


def test_a_fall_against_the_same_weekday(monkeypatch):
    section = AlertSection(collection="kpi", value="percent(payers, dau)", falls=50, weeks=2, to=["ops"])
    fixture = Fixture(monkeypatch, {"pay": section})
    kpi(fixture, 100)
    assert fixture.texts() == [], "there is nothing to compare it with"
    for week, dau in ((1, 10), (2, 20)):
        kpi(fixture, dau, SHANGHAI.day_after(DAY, -7 * week))
    assert fixture.texts() == [
        "pay, game dl: kpi: percent(payers, dau) is 1 (2026-03-09), more than 50 % below the usual 7.5."
    ]


def test_the_digest_is_sent_once_a_day_when_the_day_is_final(monkeypatch):
    fixture = Fixture(monkeypatch, {}, DigestSection(at="09:00", to=["ops"]))
    kpi(fixture, 80, reg=9, revenue=1234.5, arpu=15.43, arppu=1234.5)
    kpi(fixture, 100, SHANGHAI.day_after(DAY, -7), reg=9, revenue=617.25, arpu=0, arppu=617.25)
    assert fixture.texts() == [], "it is 1 o'clock"
    fixture.now = DAY + 86_400 + 9 * 3600
    (text,) = fixture.texts()
    assert text.splitlines() == [
        "dl, 2026-03-09",
        "active accounts: 80 (-20 % against a week before)",
        "new accounts: 9 (+0 % against a week before)",
        "payers: 1 (+0 % against a week before)",
        "revenue: ¥1,234.50 (+100 % against a week before)",
        "ARPU: ¥15.43",
        "ARPPU: ¥1,234.50 (+100 % against a week before)",
    ]
    fixture.restart()
    assert fixture.texts() == []
    fixture.now += 86_400
    assert fixture.texts() == [], "the next day is not final"


def test_the_digest_has_a_picture_of_the_same_documents_where_a_channel_takes_one(monkeypatch):
    fixture = Fixture(monkeypatch, {}, DigestSection(at="09:00", to=["ops", "mail"], days=4))
    kpi(fixture, 80, reg=9, revenue=1234.5, arpu=15.43, arppu=1234.5)
    kpi(fixture, 70, SHANGHAI.day_after(DAY, -1), final=False, reg=7, revenue=0)
    kpi(fixture, 60, SHANGHAI.day_after(DAY, -3), reg=6, revenue=10)
    kpi(fixture, 99, SHANGHAI.day_after(DAY, -4), reg=99, revenue=99)
    fixture.now = DAY + 86_400 + 9 * 3600
    fixture.node.look()
    assert [channel for channel, _, _ in fixture.sent] == ["ops", "mail"]
    picture = fixture.pictures[-1]
    assert picture.png.startswith(b"\x89PNG")
    assert picture.alt == (
        "Charts of active accounts, new accounts and revenue of dl, 2026-03-06 to 2026-03-09. "
        "On the last day: active accounts 80, new accounts 9, revenue ¥1,234.50"
    )
    assert picture.table.splitlines() == [
        "            active accounts  new accounts    revenue",
        "2026-03-09               80             9  ¥1,234.50",
        "2026-03-08               70             7      ¥0.00  so far",
        "2026-03-07                -             -          -",
        "2026-03-06               60             6     ¥10.00",
    ]
    assert fixture.sent[0][2]["days"] == [
        {"day": "2026-03-06", "final": True, "dau": 60, "reg": 6, "revenue": 10},
        {"day": "2026-03-07", "final": False, "dau": None, "reg": None, "revenue": None},
        {"day": "2026-03-08", "final": False, "dau": 70, "reg": 7, "revenue": 0},
        {"day": "2026-03-09", "final": True, "dau": 80, "reg": 9, "revenue": 1234.5},
    ]


def test_no_picture_is_drawn_where_no_channel_takes_one(monkeypatch):
    fixture = Fixture(monkeypatch, {}, DigestSection(at="09:00", to=["ops"]))
    kpi(fixture, 80)
    fixture.now = DAY + 86_400 + 9 * 3600
    assert len(fixture.texts()) == 1
    assert fixture.pictures == [None]


@pytest.mark.parametrize(
    "day", ["2026-03-29", "2026-10-25", "2026-06-01"], ids=["23 hours", "25 hours", "24 hours"]
)
@pytest.mark.parametrize("at", ["09:00", "23:30"])
def test_the_digest_is_due_by_the_clock_of_its_zone(day, at):
    config = Config(
        timezone="Europe/Berlin",
        games={"dl": Game(areas={A: AreaSection(plat="1")})},
        digest=DigestSection(at=at, to=["ops"]),
    )
    hour, minute = map(int, at.split(":"))
    berlin = zone("Europe/Berlin")
    due_at = berlin.day_after(berlin.day_of(day), 1) - (24 - hour) * 3600 + minute * 60
    assert list(digest.due(config, due_at - 1)) == []
    (found,) = digest.due(config, due_at)
    assert found.start == berlin.day_after(berlin.day_of(day), -1)
