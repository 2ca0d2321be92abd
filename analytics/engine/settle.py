"""The second half of a batch: what changes in an area becomes documents, bolt by bolt, each after those that it reads."""

from dataclasses import dataclass, field

from analytics.engine.context import TaskProcess
from analytics.engine.fold import AreaDeltas


@dataclass(slots=True)
class AreaSettled:
    """What settling an area's part of a batch came to.

    Attributes:
        area: its id.
        changed: per bolt that ``timers`` needs to know of, the starts of the periods whose documents were written or may have been.
        documents: how many documents were settled.
        written: per bolt, the ids and versions of some documents that were written last.
    """

    area: str
    changed: dict[str, list[int]] = field(default_factory=dict)
    documents: int = 0
    written: dict[str, list[tuple[str, int]]] = field(default_factory=dict)


def settle_area(process: TaskProcess, area: str, deltas: AreaDeltas, number: int) -> AreaSettled:
    """Bring an area's part of batch ``number`` into the store. Any number of processes may do so at once, and again.

    Raises:
        Unavailable: the store does not answer. Call again with the same arguments.
        LostWrites: the store holds less than it had acknowledged.
    """
    raise NotImplementedError
