"""The rules of a configuration that timer bolts and totals count by."""

from collections.abc import Mapping

from analytics.config import Config, funnels, segments
from analytics.core.areas import Areas
from analytics.runtime.timers.assigned import described
from analytics.timers import TIMERS
from analytics.timers.facts import TIERS
from analytics.timers.funnel import funnel, funnel_of
from analytics.timers.lifecycle import lifecycle, lifecycle_after
from analytics.timers.payers import payers
from analytics.timers.sessions import sessionday
from analytics.timers.timer import Timer

SEGMENTS, UNITED = "segments", "united"
"""Among the rules: what divides accts, and which areas are united."""


def timers_of(config: Config) -> Mapping[str, Timer]:
    """Return the timer bolts, by name, with the rules of a configuration; ``funnel`` only if it has funnels."""
    timers = {**TIMERS, lifecycle.name: lifecycle_after(config.timers.absent_days)}
    if configured := funnels(config):
        timers[funnel.name] = funnel_of(configured)
    else:
        del timers[funnel.name]
    return timers


def tiers(config: Config) -> dict[str, tuple[int, int]]:
    """Return, by game, from how many cents in a month on a payer is a dolphin and a whale."""
    return {
        name: (round(100 * game.tiers.dolphin), round(100 * game.tiers.whale))
        for name, game in config.games.items()
    }


def session_rule(config: Config) -> tuple[int, int]:
    """Return after which gap a login still continues a session, and when a lost logout ends one, in seconds."""
    return round(60 * config.timers.session_gap_minutes), round(3600 * config.timers.session_limit_hours)


def rules(config: Config, areas: Areas) -> dict[str, str]:
    """Return, by timer bolt, a text that changes with the rules that its documents depend on; and the same of segments and united areas,
    "" where there are none."""
    others = sorted((game, bounds) for game, bounds in tiers(config).items() if bounds != TIERS)
    configured = [(one.name, one.steps, one.within) for one in funnels(config)]
    united = sorted((area.game, area.united, area.id) for area in areas.values() if area.united)
    return {
        lifecycle.name: f"absent_days {config.timers.absent_days}",
        payers.name: f"tiers {others}",
        sessionday.name: "gap {} limit {}".format(*session_rule(config)),
        **({funnel.name: f"funnels {configured}"} if configured else {}),
        SEGMENTS: described(segments(config)),
        UNITED: repr(united) if united else "",
    }
