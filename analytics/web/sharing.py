"""Shared pages, ``/shared/<secret>``: one page with a frozen filter, without a log-in and without a way to anything else.

Nothing of the request but its language has an influence. What the page's creator may not see any more is not shown.
"""

from urllib.parse import urlencode

from flask import Blueprint, Response, abort, g, request, url_for

from analytics.web.access import HEADERS
from analytics.web.answers import AnswerScope
from analytics.web.comparing import comparison, without_comparison
from analytics.web.context import LANGUAGE, data, language, noted, page_set, with_language
from analytics.web.data import Data
from analytics.web.entries import links
from analytics.web.entries.collection import DAY_SECONDS, Entries
from analytics.web.entries.links import LinkDraft, NewLink, ShareLink
from analytics.web.filters import BadFilter
from analytics.web.options import Args
from analytics.web.page import DashboardPage
from analytics.web.rendering import figures_answer, rendered
from analytics.web.rights import is_still_user, of_link
from analytics.web.translation import LANGUAGES, msg

GONE = msg("this link has expired, was revoked, or never was one; ask the person who sent it for another one")
sharing = Blueprint("sharing", __name__, url_prefix="/shared")


@sharing.get("/<secret>")
def shared_page(secret: str) -> Response:
    """Show the page of a link."""
    link, page = _known(secret)
    g.data = data().seen_by(of_link(link.game))
    g.headers = headers_for(link.frames)
    args: Args = {name: [value] for name, value in link.query.items()}
    own = with_language(url_for("sharing.shared_page", secret=secret))
    figures = url_for("sharing.shared_figures", secret=secret, language=language())
    return rendered(page, args, figures, {}, frozen=own)


@sharing.get("/<secret>/figures.<language>.json")
def shared_figures(secret: str, language: str) -> Response:
    """Give the figures of a link's page, without data."""
    _, page = _known(secret)
    return figures_answer(page, language) if language in LANGUAGES else abort(404)


def _known(secret: str) -> tuple[ShareLink, DashboardPage]:
    """Return a valid link and its page; else answer that there is none, whatever the reason."""
    shown = data()
    link = links.valid(shown.store, secret, shown.clock())
    page = page_set().by_name.get(link.page) if link else None
    if link is None or page is None or not shown.viewer_named(link.by).sees(link.game):
        abort(404, GONE)
    if not is_still_user(shown.config.dashboard.known_users, link.by):
        abort(404, GONE)
    return link, page


def headers_for(frames: list[str]) -> dict[str, str]:
    """Return the headers of a shared page: those of all pages, but these origins may embed it."""
    own = {**HEADERS, "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
    if frames:
        del own["X-Frame-Options"]  # it has no form for other origins; browsers follow frame-ancestors
        policy = HEADERS["Content-Security-Policy"]
        own["Content-Security-Policy"] = policy.replace(
            "frame-ancestors 'none'", f"frame-ancestors {' '.join(frames)}"
        )
    return own


def make_link(shown: Data, draft: LinkDraft) -> NewLink:
    """Store a share link for what its page shows now, and return its address.

    Raises:
        BadFilter: there is no such page, or it can't show this.
    """
    page = filtered_page(draft.page)
    frames = links.origins(draft.frames)
    given = {name: value for name, value in draft.query.items() if value and name != LANGUAGE}
    args = {name: [value] for name, value in given.items()}
    scope = scope_of(page, shown, args)
    if not page.is_shown_to(of_link(scope.game)):
        raise BadFilter("page: {name} shows accts by name, which a share link never does", name=page.name)
    query = given | {"game": scope.game}
    if not draft.follow:
        query |= {"from": scope.first, "to": scope.last}
    secret, now = links.new_secret(), shown.clock()
    link = ShareLink(
        id=links.hashed(secret), page=page.name, game=scope.game, query=query, frames=frames, by=shown.viewer.name,
        at=now, expires=now + draft.days * DAY_SECONDS,
    )  # fmt: skip
    stored = Entries(shown.writable(), ShareLink)
    for old in stored.find():
        if old.expires <= now:
            stored.remove(old.id)
    stored.add(link)
    noted("link created", _audited(link), urlencode(link.query))
    address = url_for("sharing.shared_page", secret=secret, _external=True, _scheme=request.scheme)
    return NewLink(address=address, link=link)


def filtered_page(name: str) -> DashboardPage:
    """Return the page of this name. Raise BadFilter if there is none, or it has no filter."""
    page = page_set().by_name.get(name)
    if page is None or not page.has_filter:
        raise BadFilter('page: expected the name of a page with a filter, got "{name}"', name=name[:80])
    return page


def scope_of(page: DashboardPage, shown: Data, args: Args) -> AnswerScope:
    """Return what a page shows of a query string. Raise BadFilter where it can't, or not with what it is compared with."""
    scope: AnswerScope = page.read(shown, without_comparison(args)).scope
    other = comparison(args, scope)
    if other and page.charts:
        page.read(shown, other.args)
    return scope


def revoke(shown: Data, id: str) -> None:
    """Remove a link of the viewer's, or any, if the viewer sees everything."""
    viewer = shown.viewer
    stored = Entries(shown.writable(), ShareLink)
    link = stored.get(id)
    if link is None or (link.by != viewer.name and viewer.is_limited):
        abort(404, "there is no such share link")
    noted("link revoked", _audited(link), urlencode(link.query))
    stored.remove(id)


def _audited(link: ShareLink) -> str:
    return f"{link.page} {link.id[:8]}"
