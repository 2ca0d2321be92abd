"""What the tasks of an engine need, wherever they run."""

from dataclasses import dataclass
from typing import Any

from analytics.config import Config


@dataclass(frozen=True, slots=True)
class Context:
    """What travels to every process that runs tasks: it can be pickled.

    Attributes:
        config: the configuration, with its own bolts.
        shared: the folder of the journals, as every process reaches it.
        uri: the store's URI, with user and password.
        log: the engine's identity, which documents keep in ``_at``: ``engine:<id>``.
    """

    config: Config
    shared: str
    uri: str
    log: str

    def process(self) -> "TaskProcess":
        """Return what this process has made of the context: it is made once, and kept."""
        raise NotImplementedError


class TaskProcess:
    """One process that runs tasks: bolts, areas, folder, store, writer, made when they are first needed."""

    context: Context
    bolts: Any
