"""The driver: one batch after the other, as spouts write their journals."""

from typing import Any

from analytics.config import Config
from analytics.engine.engines import BatchEngine
from analytics.store import Store


class EngineDriver:
    """Plans, freezes and commits batches, and has an engine fold and settle them. One at a time may; a second one is refused.

    Args:
        shared: the folder of the journals.
        block_bytes, batch_bytes: how much of the journals is folded by one task, and by one batch at most.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        engine: BatchEngine,
        shared: str,
        block_bytes: int,
        batch_bytes: int,
    ) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Read the saved position, make one where there is none, and start the engine.

        Raises:
            Unavailable: store or engine do not answer. Call again.
        """

    def step(self) -> bool:
        """Do the next batch, or one that another driver has left frozen. Return whether there was anything to do.

        Raises:
            Unavailable: store, engine or shared folder do not answer. Call again.
            DriverOvertaken: another driver has gone on. Call :meth:`start` again once this one is elected.
            LostWrites, JournalGone: see there; this driver can't go on.
        """
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Return what ``status`` shows: ``batch``, ``batch_at`` (when it was committed, Unix seconds), ``records`` per topic, ``waiting_bytes`` that are
        durable and not planned, ``oldest`` (the journal and byte not planned), ``error``, and the engine's state."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the engine."""
