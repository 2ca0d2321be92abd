"""*Saved views*: pages with their filters under a name, and the share links to pages."""

from typing import Annotated, Any

import msgspec

from analytics.web.answers import filled, labelled, means
from analytics.web.data import Data
from analytics.web.entries import views
from analytics.web.entries.collection import Entries
from analytics.web.entries.links import ShareLink
from analytics.web.entries.views import SavedView
from analytics.web.filters import Filters
from analytics.web.page import DashboardPage
from analytics.web.tables import Table
from analytics.web.translation import Translate, msg


class LinkRow(msgspec.Struct, frozen=True, kw_only=True):
    """A share link, without its address, which was shown when it was made."""

    id: str
    page: Annotated[str, labelled("Page", "text")]
    game: Annotated[str, labelled("Game", "text")]
    query: Annotated[dict[str, str], means("the frozen filter and options")]
    frames: Annotated[str, means("The origins whose pages may embed it.", "May embed it", "text")]
    by: Annotated[str, labelled("By", "text")]
    expires: Annotated[float, means("when it stops working, Unix seconds")]


class ViewsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The page *views*."""

    at: float
    views: Annotated[list[SavedView], means("yours and those that were saved for everyone, by name")]
    removable: Annotated[
        list[str],
        means(
            "ids of the views that you may remove: yours, and those for everyone of users who are gone, if you see everything"
        ),
    ]
    links: Annotated[
        list[LinkRow],
        means("share links that have not expired: yours or, if you see everything, all of them"),
    ]


def view(data: Data, filters: Filters) -> ViewsAnswer:
    """Return what the viewer saved and shared."""
    viewer, now = data.viewer, data.clock()
    saved = [
        one
        for one in Entries(data.store, SavedView).find()
        if (one.by == viewer.name or one.everyone) and (not one.game or viewer.sees(one.game))
    ]
    shared = [
        filled(LinkRow, one, frames=" ".join(one.frames))
        for one in Entries(data.store, ShareLink).find()
        if now < one.expires and (one.by == viewer.name or not viewer.is_limited)
    ]
    saved.sort(key=lambda one: (one.name.casefold(), one.at))
    shared.sort(key=lambda one: one.expires)
    users = data.config.dashboard.known_users
    removable = [one.id for one in saved if views.may_remove(one, viewer, users)]
    return ViewsAnswer(at=now, views=saved, removable=removable, links=shared)


def _context(answer: ViewsAnswer, t: Translate) -> dict[str, Any]:
    return {"filter_of": lambda query: " · ".join(f"{name} {value}" for name, value in query.items())}


VIEWS = Table("views", msg("Saved views"), SavedView, "name page game by")
LINKS = Table("links", msg("Share links"), LinkRow, "page game frames by")

PAGE = DashboardPage(
    name="views",
    title="Saved views",
    answer=ViewsAnswer,
    view=view,
    icon="M4 2h8v12l-4-3-4 3z",
    tables=(VIEWS, LINKS),
    template="views.html",
    context=_context,
    has_filter=False,
    every=60,
)
