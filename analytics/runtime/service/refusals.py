"""What a start refuses, as far as it is known before anything is stopped or started."""

from contextlib import closing

from analytics.config import Config
from analytics.config.checks import unset_variables
from analytics.errors import AnalyticsError, ConfigError
from analytics.runtime.nodes import needed, readers
from analytics.runtime.rate_notes import RateNotes
from analytics.store import open_store

STORE_SECONDS = 5.0
"""For the store to answer before a command goes on without what it would say."""


def refuse_unset(config: Config) -> None:
    """Raise ConfigError where a variable that the configuration names is not set."""
    unset = list(unset_variables(config))
    if unset:
        raise ConfigError("\n".join(f"{config.file}: {fault}" for fault in unset))


def refuse_lost_rates(config: Config, running: bool = True) -> None:
    """Raise ConfigError where rates are gone that payments need.

    That a store is away is reported elsewhere, and workers refuse to count then.

    ``running``: whether the suite runs, and its embedded store with it.
    """
    if "store" in needed(config) and not running:
        return
    try:
        with closing(open_store(config, STORE_SECONDS)) as store:
            RateNotes(config, store).refuse_lost(readers(config))
    except ConfigError:
        raise
    except AnalyticsError:
        return
