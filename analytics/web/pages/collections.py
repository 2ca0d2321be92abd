"""*Collections*: what is counted, a row for each bolt; each has a page of its own."""

from typing import Annotated

import msgspec

from analytics.bolts import BOLTS
from analytics.core.bolt import Bolt
from analytics.core.exclusion import EXCLUDED
from analytics.core.fields import BoltFields
from analytics.core.funnels import STEPS
from analytics.core.segments import PROPERTIES
from analytics.web.answers import means
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.page import DashboardPage
from analytics.web.tables import Table

BUILT_IN = (*BOLTS, PROPERTIES, STEPS, EXCLUDED)


class CollectionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A collection of documents, and the bolt that writes it."""

    name: Annotated[str, means("The name of the bolt, and of the collection of its documents.", "Collection")]
    own: Annotated[bool, means("whether the bolt is yours: of the configuration or its folder")]
    documents: Annotated[str, means("What a document is about, beside its area.", "A document for each")]
    fields: Annotated[str, means("What a document says.", "Fields")]
    reads: Annotated[str, means("The topics that the bolt reads.", "Reads")]
    totals: Annotated[bool, means("whether there are totals of games and plats, too")]


class CollectionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The page *collections*. It is about all games."""

    collections: Annotated[list[CollectionRow], means("your own first, then the built-in ones")]
    at: Annotated[float, means("when this was read, in Unix seconds")]


def view(data: Data, filters: Filters) -> CollectionsAnswer:
    """Return what is counted."""
    rows = sorted(map(_row, data.bolts.values()), key=lambda row: not row.own)
    return CollectionsAnswer(collections=rows, at=data.clock())


def _row(bolt: Bolt) -> CollectionRow:
    fields = BoltFields(bolt)
    return CollectionRow(
        name=bolt.name,
        own=bolt.name not in BUILT_IN,
        documents=", ".join([*([bolt.period] if bolt.period else []), *bolt.by]),
        fields=", ".join((*fields.numbers, *fields.extremes, *fields.others)),
        reads=", ".join(topic.removeprefix("gamelog.") for topic in bolt.reads),
        totals=bolt.totals,
    )


COLLECTIONS = Table("collections", "Collections", CollectionRow, "name documents fields reads")

PAGE = DashboardPage(
    name="collections",
    title="Collections",
    answer=CollectionsAnswer,
    view=view,
    icon="M2 3h12M2 8h12M2 13h12",
    tables=(COLLECTIONS,),
    template="collections.html",
    every=60,
    has_filter=False,
)
