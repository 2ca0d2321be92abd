"""Rights: what a user, API token or share link may see. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from analytics.web.translation import TranslatableError, msg

LINK = "share link"
ACCT_FIELDS = frozenset({"acct", "acctid", "uid", "userlist"})
"""Fields of documents and rows that name accts or their roles."""

OF_ALL = msg("this is about all games and shows accts by name; you may not see all of them")
BY_NAME = msg("this shows accts by name, which you may not see")


class NotAllowed(TranslatableError):
    """The viewer may not see this."""


@dataclass(frozen=True)
class Viewer:
    """The origin of a request: a user, a token, or a share link.

    Attributes:
        name: the user's; "token NAME" of an API token; "" where nobody has to log in.
        games: the games that are shown; None: all.
        lists: whether accts are shown by name.
        annotates: whether it may enter and remove annotations.
        is_user: whether it is a person in a browser, who may save and share.
    """

    name: str = ""
    games: frozenset[str] | None = None
    lists: bool = True
    is_user: bool = True
    annotates: bool = True

    @property
    def is_limited(self) -> bool:
        """Whether anything is kept from it, so that it may not see what is about the whole suite."""
        return self.games is not None or not self.lists

    def sees(self, game: str) -> bool:
        """Whether a game is shown."""
        return self.games is None or game in self.games


UNLIMITED = Viewer()
"""The viewer where nobody has to log in."""


def of_link(game: str) -> Viewer:
    """Return what a share link may see: one game, and no accts by name."""
    return Viewer(LINK, frozenset([game]), lists=False, is_user=False, annotates=False)


def is_still_user(users: Collection[str], name: str) -> bool:
    """Whether the user who made something still is one."""
    return name in users if users else not name
