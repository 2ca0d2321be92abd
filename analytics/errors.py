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
    """The Queue's log on disk can't be read or written in a way that a retry would not fix."""


class Refused(AnalyticsError):
    """The broker will never take this batch, or never answer this request: it is not well formed."""


class StateError(AnalyticsError):
    """A file in the data folder that says how far work has come is damaged, and so is the generation before it."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"{path} is damaged: {reason}. The generation before it can't be read either. `bin/analytics state` shows every "
            "such file, and with --repair moves damaged ones away where the suite can go on without"
        )
