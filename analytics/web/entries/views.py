"""Saved views: a page with its filter under a name, for oneself or for everyone."""

from collections.abc import Collection
from typing import Annotated

import msgspec
from msgspec import Meta

from analytics.web.answers import labelled, means
from analytics.web.entries.collection import UserEntry
from analytics.web.filters import BadFilter
from analytics.web.rights import Viewer, is_still_user

MOST_NAME = 60


class SavedView(UserEntry, frozen=True, kw_only=True):
    """A page with its filter under a name."""

    collection = "saved_views"
    name: Annotated[str, labelled("Name", "text")]
    page: Annotated[str, labelled("Page", "text")]
    game: Annotated[str, labelled("Game", "text")] = ""
    query: Annotated[dict[str, str], means("its filter and options, as in its address")] = {}
    everyone: Annotated[bool, means("whether all users see it")] = False
    by: Annotated[str, labelled("By", "text")] = ""
    at: Annotated[float, means("when it was saved, Unix seconds")] = 0.0


class ViewDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A view to save, as the API takes it."""

    name: Annotated[str, Meta(min_length=1, max_length=MOST_NAME, description="its name, one line")]
    page: Annotated[str, means("the name of the page")]
    query: Annotated[dict[str, str], means("its filter and options, as in its address")] = {}
    everyone: Annotated[bool, means("whether all users see it")] = False


def may_remove(view: SavedView, viewer: Viewer, users: Collection[str]) -> bool:
    """Whether a viewer may remove a view: an own one, and one for everyone whose maker is gone, if the viewer sees everything.

    Args:
        users: everyone who may log in.
    """
    if view.by == viewer.name:
        return True
    return view.everyone and not viewer.is_limited and not is_still_user(users, view.by)


def checked_name(name: str) -> str:
    """Return a view's name. Raise BadFilter where it can't be one."""
    name = name.strip()
    if not 0 < len(name) <= MOST_NAME or not name.isprintable():
        raise BadFilter(
            "name: expected 1 to {most} characters in one line, got {n}", most=MOST_NAME, n=len(name)
        )
    return name
