"""Every error the suite raises on purpose, under one root."""


class AnalyticsError(Exception):
    """Root of all errors of the suite. The message says what was found, expected, and what to do next."""


class ConfigError(AnalyticsError):
    """The configuration can't be used: raised at start, before anything runs."""


class Unavailable(AnalyticsError):
    """A peer (store, broker, registry, interface) does not answer now. Retrying later may work."""


class RecordError(AnalyticsError):
    """One record can't be used. The message names the field: ``$.data.amount: expected int, got "abc"``."""


class LogError(AnalyticsError):
    """The Queue's log on disk can't be read or written in a way that retrying would not mend."""


class Refused(AnalyticsError):
    """The broker will never take this batch, or never answer this request: it is not well formed."""
