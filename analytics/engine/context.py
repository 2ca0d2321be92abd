"""What the tasks of an engine need, wherever they run."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from secrets import token_hex

from msgspec.structs import replace

from analytics.config import Catalogue, Config, WorkerSection, areas, catalogue, groups
from analytics.core.fold import Folder
from analytics.core.writing import Writer
from analytics.engine.rules import CountingRules
from analytics.runtime.horizons import KeptPeriods
from analytics.runtime.lost_writes import older_documents
from analytics.spouts.gamelog import rules_of
from analytics.spouts.rules import Rules
from analytics.store import Store, open_store, store_uri


@dataclass(frozen=True)
class Context:
    """What travels to every process that runs tasks: it can be pickled.

    Attributes:
        config: what tasks need of the configuration, with its own bolts.
        shared: the folder of the journals, as every process reaches it.
        log: the engine's identity, which documents keep in ``_at``: ``engine:<id>``.
        uri: the store's URI, with user and password; "" where each process finds it as the configuration says.
        token: tells this context from others: random.
    """

    config: Config
    shared: Path
    log: str
    uri: str = ""
    token: str = ""

    def process(self) -> "TaskProcess":
        """Return what this process has made of the context: it is made once, and kept for the next tasks."""
        found = _kept.get(self.token)
        if found is None:
            _kept.clear()
            found = _kept[self.token] = TaskProcess(self)
        return found


def task_context(config: Config, shared: Path, log: str, rules: CountingRules | None = None) -> Context:
    """Return the context of tasks that follow a configuration, or other rules. Of secrets it has the store's address alone.

    Raise ConfigError or Unavailable if that is not known.
    """
    mongodb, uri = config.mongodb, ""
    if config.engine.kind == "spark":
        # Executors know neither the environment of this process nor its data folder.
        mongodb, uri = replace(mongodb, uri="", uri_env=""), store_uri(config)
    needed = Config(
        file=config.file, data=config.data, mongodb=mongodb, store=config.store,
        worker=WorkerSection(max_known_accts=config.worker.max_known_accts), documents=config.documents,
    )  # fmt: skip
    counting = rules or CountingRules.of(config)
    return Context(counting.applied_to(needed), shared, log, uri, token_hex(8))


class TaskProcess:
    """One process that runs tasks. What it needs is made when it is first needed. ``store``: the store, if it is open already."""

    def __init__(self, context: Context, store: Store | None = None) -> None:
        self.context = context
        self.areas = areas(context.config)
        self.bolts = running_bolts(context.config)
        self._store = store
        self._begun = 0
        self._elections = 0
        self._in_doubt = True

    @cached_property
    def folder(self) -> Folder:
        """Folds for all bolts."""
        return Folder(self.bolts.values(), self.areas)

    @cached_property
    def rules(self) -> Rules:
        """What lines of journals are read by."""
        return rules_of(self.context.config)

    @cached_property
    def store(self) -> Store:
        """The documents."""
        return self._store or _open(self.context)

    @cached_property
    def writer(self) -> Writer:
        """Keeps documents between batches: it does no harm if another process has written them meanwhile."""
        limit = self.context.config.worker.max_known_accts
        kept = KeptPeriods(self.store, self.areas, self.bolts.keys(), self.context.config.documents.keep_days)
        return Writer(self.store, self.areas, limit, partial(datetime.now, UTC), retention=kept)

    def begin(self, batch: int) -> None:
        """Have every earlier write decided, once a batch and after trouble, and see that nothing acknowledged is gone.

        Raise Unavailable if the store does not answer, LostWrites if it holds less than it had acknowledged.
        """
        elections = self.store.elections
        if self._in_doubt or (batch, elections) != (self._begun, self._elections):
            self.store.barrier()
            for bolt, written in self.writer.latest.items():
                if lost := older_documents(self.store, bolt, written, self.context.log):
                    raise lost
        self._begun, self._elections, self._in_doubt = batch, elections, True

    def end(self) -> None:
        """Note that all that :meth:`begin` was called for is written."""
        self._in_doubt = False


_kept: dict[str, TaskProcess] = {}


def running_bolts(config: Config) -> Catalogue:
    """Return the bolts that the configuration does not leave out, each after those whose tuples it reads."""
    members = {bolt for some in groups(config).values() for bolt in some}
    return {name: bolt for name, bolt in catalogue(config).items() if name in members}


def _open(context: Context) -> Store:
    config = context.config
    if not context.uri:
        return open_store(config)
    return open_store(replace(config, mongodb=replace(config.mongodb, uri=context.uri, uri_env="")))
