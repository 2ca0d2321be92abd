"""The queries that a reader gets, and the plans by which a server would answer them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING
from pymongo.collection import Collection

from analytics.store.reading import Query, Reader
from analytics.store.store import Document


@dataclass(frozen=True)
class RecordedQuery:
    """A search: for documents sorted by ``by``, the first ``limit`` of them (0: all), or for their sums."""

    query: Query
    by: str = ""
    descending: bool = False
    limit: int = 0
    summed: bool = False

    def shape(self) -> str:
        """Return what decides about the plan: the collection and which fields are asked for how, not their values."""
        wanted = {
            field: sorted(bound) if isinstance(bound, dict) else "="
            for field, bound in self.query.indexed().items()
        }
        return f"{self.query.collection} {wanted} by {self.by or 'nothing'}"

    def plan(self, collection: Collection[Document]) -> dict[str, Any]:
        """Return the server's plan for finding the documents."""
        cursor = collection.find(self.query.indexed())
        if self.by:
            cursor = cursor.sort(self.by, -ASCENDING if self.descending else ASCENDING)
        plan: dict[str, Any] = cursor.explain()["queryPlanner"]["winningPlan"]
        return plan

    @property
    def bounded(self) -> bool:
        """Whether its result is bounded, however long a game goes on: it has two ends in time, a limit, or a floor."""
        query = self.query
        in_time = query.since is not None and query.until is not None
        return in_time or bool(self.limit) or query.at_least is not None


class RecordingReader(Reader):
    """Records queries and passes them to another reader; without one, nothing is found."""

    def __init__(self, reader: Reader | None = None) -> None:
        self._reader = reader
        self.asked: list[RecordedQuery] = []
        self.found = 0
        """How many documents and sums came back."""

    def find(
        self,
        query: Query,
        fields: Sequence[str],
        *,
        by: str = "",
        descending: bool = False,
        limit: int = 0,
        skip: int = 0,
    ) -> Iterator[Document]:
        self.asked.append(RecordedQuery(query, by, descending, limit))
        if self._reader is not None:
            for document in self._reader.find(
                query, fields, by=by, descending=descending, limit=limit, skip=skip
            ):
                self.found += 1
                yield document

    def sums(
        self, query: Query, keys: Sequence[str], fields: Sequence[str], *, most: int = 0
    ) -> Iterator[tuple[tuple[Any, ...], tuple[float, ...]]]:
        self.asked.append(RecordedQuery(query, summed=True))
        if self._reader is not None:
            for one in self._reader.sums(query, keys, fields, most=most):
                self.found += 1
                yield one

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
