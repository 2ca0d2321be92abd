"""The funnels that a configuration names: what they mean, and what is wrong with them."""

import re
from collections.abc import Iterator

from analytics.config.sections import Config, FunnelSection
from analytics.core.funnels import DAY_SECONDS, SIGNUP, STEP, Funnel

MOST_FUNNELS = 8
MOST_STEPS = 9
"""One digit, so that texts sort as the steps follow each other."""

MOST_DAYS = 30

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
WITHIN = re.compile(r"(?P<number>[1-9][0-9]{0,5})(?P<unit>[mhd])")
SECONDS = {"m": 60, "h": 3600, "d": DAY_SECONDS}
EXAMPLE = 'steps = ["signup", "createrole", "task:5 finish", "level:10", "first payment"], within = "7d"'


def funnels(config: Config) -> tuple[Funnel, ...]:
    """Return the funnels, by name. Those with faults are left out."""
    return tuple(
        Funnel(name, tuple(section.steps), seconds)
        for name, section in sorted(config.funnels.items())
        if (seconds := _seconds(section.within)) and not any(_faults(section))
    )


def funnel_faults(config: Config) -> Iterator[str]:
    """Yield every fault of a funnel as ``key: expected …, got …``, with an example that would work."""
    if len(config.funnels) > MOST_FUNNELS:
        yield f"funnels: expected at most {MOST_FUNNELS} funnels, got {len(config.funnels)}"
    for name, section in config.funnels.items():
        if not NAME.fullmatch(name):
            yield f'funnels.{name}: expected a name of a lower-case letter and up to 31 of a-z, 0-9 and "_", got "{name}"'
        for fault in _faults(section):
            yield f"funnels.{name}.{fault}; for example: {EXAMPLE}"


def _faults(section: FunnelSection) -> Iterator[str]:
    if not 2 <= len(section.steps) <= MOST_STEPS:
        yield f"steps: expected 2 to {MOST_STEPS} steps, got {len(section.steps)}"
    elif section.steps[0] != SIGNUP:
        yield f'steps[0]: expected "{SIGNUP}", as a funnel counts the accts that signed up on a day, got "{section.steps[0]}"'
    for index, step in enumerate(section.steps):
        if not STEP.fullmatch(step):
            yield (
                f'steps[{index}]: expected "signup", "createrole", "task:<number> accept", "task:<number> finish", "level:<number>" '
                f'or "first payment", got "{step}"'
            )
        elif step in section.steps[:index]:
            yield f'steps[{index}]: expected each step once, got "{step}" again'
    if not 0 < _seconds(section.within) <= MOST_DAYS * DAY_SECONDS:
        yield f'within: expected a time after the sign-up, such as "30m", "12h" or "7d", at most {MOST_DAYS}d, got "{section.within}"'


def _seconds(within: str) -> int:
    """Return how many seconds a text says; 0: it says none."""
    match = WITHIN.fullmatch(within)
    return int(match["number"]) * SECONDS[match["unit"]] if match else 0
