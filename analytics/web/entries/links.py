"""Share links: an address that shows one page with a frozen filter, without a log-in, until it expires or is revoked."""

import hashlib
import re
import secrets
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from analytics.web.answers import means
from analytics.web.entries.collection import Entries, UserEntry
from analytics.web.filters import BadFilter

MOST_DAYS_VALID = 366
MOST_FRAMES = 10
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?", re.ASCII)
"""What may stand in a Content-Security-Policy: no blank, comma or semicolon, and no wildcard."""


class ShareLink(UserEntry, frozen=True, kw_only=True):
    """A share link. Its address has a secret, of which only the hash is stored, as ``id``."""

    collection = "share_links"
    page: Annotated[str, means("the name of the page that it shows")]
    game: Annotated[str, means("the game that it shows")]
    query: Annotated[dict[str, str], means("the frozen filter and options")]
    frames: Annotated[list[str], means("the origins whose pages may embed it")]
    by: Annotated[str, means('the user who made it; "" where nobody logs in')]
    at: Annotated[float, means("when it was made, Unix seconds")]
    expires: Annotated[float, means("when it stops working, Unix seconds")]


class LinkDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A share link as the API takes it."""

    page: Annotated[str, means("the name of a page with a filter")]
    query: Annotated[dict[str, str], means("its filter and options, as in its address")] = {}
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS_VALID, description="after how many days it expires")] = 30
    follow: Annotated[
        bool,
        means(
            "true: days that `query` leaves out follow the newest records; false: the present days are kept"
        ),
    ] = False
    frames: Annotated[
        list[str],
        Meta(max_length=MOST_FRAMES, description="origins that may embed it, as https://wiki.example.com"),
    ] = []


class NewLink(msgspec.Struct, frozen=True, kw_only=True):
    """A share link that was made. The address is shown this once."""

    address: Annotated[str, means("what to send: it shows the page to anyone")]
    link: ShareLink


def new_secret() -> str:
    """Return a secret of 256 bits: nobody guesses it, so guesses need no limit."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """Return what is stored of a secret. A plain hash is enough for one of 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def origins(given: list[str]) -> list[str]:
    """Return the origins that may embed a page. Raise BadFilter where one is no origin."""
    if len(given) > MOST_FRAMES:
        raise BadFilter("frames: expected at most {most} origins, got {n}", most=MOST_FRAMES, n=len(given))
    for one in given:
        if not _ORIGIN.fullmatch(one):
            raise BadFilter(
                'frames: expected an origin like https://wiki.example.com, got "{value}"', value=one[:80]
            )
    return given


def valid(store: Any, secret: str, now: float) -> ShareLink | None:
    """Return the share link with this secret, None if there is none any more."""
    found = Entries(store, ShareLink).get(hashed(secret))
    return found if found is not None and now < found.expires else None
