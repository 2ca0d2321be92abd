"""The accts behind a number: all of an area and a day, as CSV, read list by list and piece by piece."""

from collections.abc import Iterator

from analytics.bolts import BOLTS
from analytics.store.store import PARTS_AT_ONCE
from analytics.web.csvs import Row
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.options import Args
from analytics.web.place import Place, start_of
from analytics.web.rights import BY_NAME, NotAllowed

HEADINGS = ("day", "area", "plat", "acct")

LISTS = {
    "active": ("loginday", "who logged in"),
    "signups": ("signupday", "who signed up"),
    "roles": ("createroleday", "who created a role"),
    "payers": ("paysummary", "who paid"),
}
"""By the name of the CSV: the collection that has the list, and which accts are in it, once for each area and day."""


def rows(name: str, data: Data, args: Args) -> Iterator[Row]:
    """Yield the rows of one of ``LISTS``, headings first."""
    if not data.viewer.lists:
        raise NotAllowed(BY_NAME)
    place = data.place(Filters.parse(args).of_all_accts())
    yield HEADINGS
    yield from every_acct(data, place, LISTS[name][0])


def every_acct(data: Data, place: Place, collection: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield day, area, plat and acct, in the order of days and areas. However many there are, a few parts are in memory.

    Each list is of one version of its document.
    """
    bolt = BOLTS[collection]
    for day in filter(place.begun, place.days()):
        ids = [(bolt.id_of((area.id, start_of(area.zone, day))), area) for area in place.members]
        for start in range(0, len(ids), PARTS_AT_ONCE):
            some = ids[start : start + PARTS_AT_ONCE]
            found = data.store.load(collection, [id for id, _ in some])
            for id, area in some:
                document = found.pop(id, None)
                if document is not None:
                    for accts in data.store.items(collection, document, "userlist"):
                        yield from ((str(day), area.id, area.plat, acct) for acct in accts)
