"""How long documents are kept, by collection: which of them may be dropped, and what is wrong with what a configuration says."""

from collections.abc import Iterator, Mapping

from analytics.config.sections import Config
from analytics.core.bolt import Bolt
from analytics.core.funnels import STEPS
from analytics.core.measures import Distinct
from analytics.core.segments import PROPERTIES
from analytics.core.timer_sources import SOURCES

LEAST_DAYS = 60
"""Pages, alerts and comparisons of weeks look at documents of some weeks."""

NEVER_DROPPED = (*SOURCES, PROPERTIES, STEPS)
"""Timer bolts compute from these for ever: who paid first, and when, say all days before."""


def droppable(bolts: Mapping[str, Bolt]) -> list[str]:
    """Return the bolts from whose documents nothing else is computed, or only which accts there are, once."""
    return [
        name
        for name, bolt in bolts.items()
        if bolt.period is not None
        and name not in NEVER_DROPPED
        and all(_unites(one) for one in bolts.values() if name in one.reads)
    ]


def kept_faults(config: Config, bolts: Mapping[str, Bolt]) -> Iterator[str]:
    """Yield every fault as ``key: expected …, got …``."""
    may = droppable(bolts)
    for name, days in config.documents.keep_days.items():
        key = f"documents.keep_days.{name}"
        if name not in may:
            yield (
                f"{key}: expected a bolt with periods from whose documents no other number is computed again, one of {', '.join(may)}, "
                f'got "{name}"'
            )
        if days < LEAST_DAYS:
            yield f"{key}: expected at least {LEAST_DAYS} days, as pages and alerts look at some weeks, got {days}"
    if config.documents.keep_days and not config.timers.every_seconds:
        yield "documents.keep_days: expected timers.every_seconds above 0, as the node timers drops documents, got 0"


def _unites(bolt: Bolt) -> bool:
    """Whether a bolt only unites the lists of those that it reads: a tuple of few accts is as right as one of all."""
    return all(isinstance(measure, Distinct) for measure in bolt.measures.values())
