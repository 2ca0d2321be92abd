"""Alerts that can't work are refused before the start, with the place and what would."""

import pytest

from analytics.config import load
from analytics.errors import ConfigError

CHANNEL = '[channels.ops]\nkind = "slack"\nurl_env = "HOOK"\n'
GAME = '[games.dl.areas.s1]\nplat = "1"\n[funnels.week]\nsteps = ["signup", "createrole"]\n'


def fault(tmp_path, text):
    file = tmp_path / "analytics.toml"
    file.write_text(GAME + text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    return str(caught.value).removeprefix(f"{file}: ")


def test_what_works_is_taken(tmp_path):
    file = tmp_path / "analytics.toml"
    file.write_text(
        GAME + CHANNEL
        + '[alerts.few]\ncollection = "kpi"\nvalue = "percent(payers, dau)"\nfalls = 30\nto = ["ops"]\n'
        + '[alerts.silent]\ncollection = "loginhour"\nvalue = "count"\nscope = "area"\nareas = ["s1"]\nbelow = 1\nto = ["ops"]\n'
        + '[alerts.roles]\ncollection = "funnel"\nfunnel = "week"\nstep = 2\nvalue = "percent(count, reg)"\nfalls = 10\nto = ["ops"]\n'
        + '[digest]\nat = "08:30"\nto = ["ops"]\n'
    )  # fmt: skip
    assert set(load(file).alerts) == {"few", "silent", "roles"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('collection = "kip"\nvalue = "dau"\nbelow = 1', 'alerts.few.collection: expected one with documents by hour or day, got "kip"; did you mean kpi?'),
        ('collection = "userpay"\nvalue = "pay_count"\nbelow = 1', 'alerts.few.collection: expected one with documents by hour or day, got "userpay"'),
        ('collection = "kpi"\nvalue = "dau +"\nbelow = 1', "alerts.few.value: column 1: expected an expression"),
        ('collection = "kpi"\nvalue = "open(dau)"\nbelow = 1', "alerts.few.value: column 1"),
        ('collection = "kpi"\nvalue = "1"\nbelow = 1', "alerts.few.value: expected fields of kpi"),
        ('collection = "funnel"\nfunnel = "week"\nstep = 2\nvalue = "rates"\nbelow = 1', 'alerts.few.value: expected numbers of funnel: count, rate, reg, got "rates"'),
        ('collection = "funnel"\nfunnel = "weak"\nstep = 2\nvalue = "rate"\nbelow = 1', 'alerts.few.funnel: expected one of [funnels]: week, got "weak"'),
        ('collection = "funnel"\nfunnel = "week"\nvalue = "rate"\nbelow = 1', "alerts.few.step: expected a step of week, from 1 to 2, got 0"),
        ('collection = "funnel"\nfunnel = "week"\nstep = 3\nvalue = "rate"\nbelow = 1', "alerts.few.step: expected a step of week, from 1 to 2, got 3"),
        ('collection = "kpi"\nfunnel = "week"\nstep = 2\nvalue = "dau"\nbelow = 1', 'alerts.few.funnel: expected collection = "funnel" with it, got "kpi"'),
        ('collection = "kpi"\nvalue = "daus"\nbelow = 1', "alerts.few.value: expected numbers of kpi: dau, wau, mau"),
        ('collection = "loginretention"\nvalue = "retention"\nbelow = 1', 'alerts.few.value: expected numbers of loginretention: reg, got "retention"'),
        ('collection = "activeweek"\nvalue = "active"\nbelow = 1', 'alerts.few.collection: expected one with documents by hour or day, got "activeweek"'),
        ('collection = "kpi"\nvalue = "dau > 3"\nbelow = 1', "alerts.few.value: expected a number, got a flag"),
        ('collection = "kpi"\nvalue = "[dau]"\nbelow = 1', "alerts.few.value: column 1: expected a list only after `in`"),
        ('collection = "kpi"\nvalue = "dau"\nbelow = nan', "alerts.few.below: expected a number, got nan"),
        ('collection = "kpi"\nvalue = "dau"', "alerts.few.below: expected one of below, above, falls and rises"),
        ('collection = "loginday"\nvalue = "count"\nbelow = 1', 'alerts.few.scope: expected "area", since loginday has no totals'),
        ('collection = "cointype"\nvalue = "users"\nabove = 1', "alerts.few.value: expected numbers of cointype that can be added up"),
        ('collection = "kpi"\nvalue = "dau"\nbelow = 1\ngames = ["other"]', 'alerts.few.games: expected one of dl, got "other"'),
        ('collection = "kpi"\nvalue = "dau"\nbelow = 1\nareas = ["s1"]', 'alerts.few.areas: expected scope = "area" with it'),
        ('collection = "kpi"\nvalue = "dau"\nbelow = 1\nscope = "area"\nareas = ["s2"]', 'alerts.few.areas: expected a configured area, got "s2"'),
        ('collection = "kpi"\nvalue = "dau"\nfalls = 101', "alerts.few.falls: expected"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_work_is_refused(tmp_path, keys, message):
    assert message in fault(tmp_path, CHANNEL + f'[alerts.few]\n{keys}\nto = ["ops"]\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[alerts.few]\ncollection = "kpi"\nvalue = "dau"\nbelow = 1\nto = ["ops"]', 'alerts.few.to: expected one of [channels]: none, got "ops"'),
        (CHANNEL + '[alerts.few]\ncollection = "kpi"\nvalue = "dau"\nbelow = 1', "alerts.few.to: expected names of [channels], found none; there are: ops"),
        ('[channels.a]\nkind = "slack"', "channels.a.url: expected the webhook's address"),
        ('[channels.a]\nkind = "slack"\nurl = "http://example.org/secret"', "channels.a.url: expected https://"),
        ('[channels.a]\nkind = "mail"\nserver = "smtp"\nsender = "a@b.c"\nrecipients = ["a@b.c"]', 'channels.a.server: expected host and port'),
        ('[channels.a]\nkind = "mail"\nserver = "smtp:25"\nsender = "a@b.c"', 'channels.a.recipients: expected an address'),
        ('[channels.a]\nkind = "mail"\nserver = "smtp:25"', 'channels.a.recipients: expected an address'),
        ('[channels.a]\nkind = "mail"\nserver = "s:25"\nsender = "a@b.c"\nrecipients = ["a@b.c"]\nuser = "u"\nsecurity = "none"', 'channels.a.security: expected "tls"'),
        ('[digest]\nfont = "nowhere.ttf"', 'digest.font: expected a font file, as wqy-microhei.ttc, found none at "'),
        ('[digest]\ndays = 1', "digest.days"),
        ('[digest]\nat = "9:00"', 'digest.at: expected a time of day as "09:00", got "9:00"'),
    ],
)  # fmt: skip
def test_a_channel_or_digest_that_cannot_work_is_refused(tmp_path, text, message):
    found = fault(tmp_path, text)
    assert message in found
    assert "secret" not in found
