"""What people enter: forms of pages under their own addresses, and the same as JSON under ``/api/v1``.

A page of another site can send neither: forms have a token of the session, JSON needs a header that other sites may not send,
and a request that names another origin is refused.
"""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from flask import Blueprint, Response, abort, redirect, request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as AnyResponse

from analytics.web.access import OLD_FORM, form_is_ours, local_address
from analytics.web.api import ROOT, json_answer
from analytics.web.context import LANGUAGE, data, noted, page_set, with_language
from analytics.web.data import Data
from analytics.web.entries import annotations, tokens, views
from analytics.web.entries.collection import Entries, random_id
from analytics.web.entries.links import MOST_DAYS_VALID, LinkDraft, NewLink
from analytics.web.entries.operations import OPERATIONS
from analytics.web.entries.views import SavedView, ViewDraft
from analytics.web.filters import BadFilter, number
from analytics.web.rendering import show
from analytics.web.sharing import filtered_page, make_link, revoke, scope_of

FOREIGN = "Origin: expected this server's own, got that of another site"
forms = Blueprint("forms", __name__)


@forms.before_request
def _refuse_other_sites() -> None:
    """Refuse what another site's page sends. Browsers name the origin of every such request."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        abort(403, FOREIGN)
    if request.path.startswith(ROOT):
        if request.method == "POST" and request.mimetype != "application/json":
            abort(415, "Content-Type: expected application/json")
    elif request.method != "GET" and not form_is_ours():
        abort(400, OLD_FORM)


@forms.post("/annotations")
def annotate() -> AnyResponse:
    """Take an annotation from the form, and go back to the page."""
    given = request.form.to_dict()
    back = _back(given)
    _annotate({name: value for name, value in given.items() if value})
    return back


@forms.post("/views")
def save_view() -> AnyResponse:
    """Save a view from the form of its page, and go to the saved views."""
    given = request.form
    _save(ViewDraft(name=given.get("name", ""), page=given.get("page", ""), query=_query(), everyone=bool(given.get("everyone"))))  # fmt: skip
    return redirect(with_language("/views"), 303)


@forms.post("/links")
def share() -> AnyResponse:
    """Make a share link from the form of its page, and show its address this once."""
    given = request.form
    days = number({"days": [given.get("days", "")]}, "days", 30, 1, MOST_DAYS_VALID)
    draft = LinkDraft(
        page=given.get("page", ""), query=_query(), days=days, follow=bool(given.get("follow")),
        frames=given.get("frames", "").replace(",", " ").split(),
    )  # fmt: skip
    return show(page_set().by_name["views"], created=make_link(_persons(), draft), every=0)


@forms.get("/links", defaults={"page": "/views"})
@forms.get("/tokens", defaults={"page": "/access"})
def page_of_form(page: str) -> AnyResponse:
    """Go to the page that a new link or token was shown on: its address is that of the form."""
    return redirect(with_language(page))


@forms.post("/tokens")
def create_token() -> AnyResponse:
    """Make an API token from the form, and show it this once."""
    given, shown = request.form, _operators()
    days = number({"days": [given.get("days", "")]}, "days", tokens.DEFAULT_DAYS, 1, MOST_DAYS_VALID)
    token, made = tokens.make_token(
        shown.writable(), given.get("name", ""), games=[one for one in given.getlist("game") if one],
        known_games={area.game for area in shown.areas.values()}, lists=bool(given.get("lists")),
        annotates=bool(given.get("annotates")), days=days, by=shown.viewer.name, now=shown.clock(),
    )  # fmt: skip
    noted("token created", made.id, tokens.granted(made))
    return show(page_set().by_name["access"], created=token, every=0)


@forms.get(f"{ROOT}/links")
def links_are_listed_elsewhere() -> Response:
    """Say that links are only made here: without this, the path would be taken for a page's."""
    raise MethodNotAllowed(["POST"], "GET /api/v1/views lists share links")


def _persons() -> Data:
    """Return the data, for a person: an API token neither saves nor shares."""
    if not data().viewer.is_user:
        abort(403, "expected a user who is logged in; an API token neither saves views nor shares pages")
    return data()


def _operators() -> Data:
    """Return the data, for a person who sees everything."""
    if _persons().viewer.is_limited:
        abort(403, "only users who see everything may make and revoke API tokens")
    return data()


def _query() -> dict[str, str]:
    """Return the filter and options of the page that a form is on."""
    found = parse_qs(urlsplit(local_address(request.form.get("back", ""))).query)
    return {name: values[0] for name, values in found.items() if name != LANGUAGE}


def _save(draft: ViewDraft) -> SavedView:
    shown = _persons()
    name, page = views.checked_name(draft.name), filtered_page(draft.page)
    args = {key: [value] for key, value in draft.query.items()}
    game = scope_of(page, shown, args).game
    entry = SavedView(
        id=random_id(), name=name, page=page.name, game=game, query=draft.query, everyone=draft.everyone,
        by=shown.viewer.name, at=shown.clock(),
    )  # fmt: skip
    Entries(shown.writable(), SavedView).add(entry)
    return entry


def _remove_view(id: str) -> None:
    shown = _persons()
    stored = Entries(shown.writable(), SavedView)
    found = stored.get(id)
    if found is None or not views.may_remove(found, shown.viewer, shown.config.dashboard.known_users):
        abort(404, "there is no such view of yours")
    stored.remove(id)


def _share(draft: LinkDraft) -> NewLink:
    return make_link(_persons(), draft)


def _revoke_link(id: str) -> None:
    revoke(_persons(), id)


def _revoke_token(name: str) -> None:
    stored = Entries(_operators().writable(), tokens.ApiToken)
    if stored.get(name) is not None:
        noted("token revoked", name)
        stored.remove(name)


def _annotating() -> Data:
    """Return the data, for a viewer who may annotate."""
    if not data().viewer.annotates:
        abort(403, "this API token may not annotate; make one with --annotate")
    return data()


def _annotate(given: dict[str, Any]) -> annotations.Annotation:
    shown = _annotating()
    entry = annotations.new_annotation(given, shown.areas, shown.today, shown.viewer.name, shown.clock())  # fmt: skip
    Entries(shown.writable(), annotations.Annotation).add(entry)
    return entry


def _annotate_by(draft: annotations.AnnotationDraft) -> annotations.Annotation:
    return _annotate({name: value for name, value in msgspec.structs.asdict(draft).items() if value})


def _remove_annotation(id: str) -> None:
    stored = Entries(_annotating().writable(), annotations.Annotation)
    found = stored.get(id)
    if found is None or found.game not in {area.game for area in data().areas.values()}:
        abort(404, "there is no such annotation")
    stored.remove(id)


def _body(kind: Any) -> Any:
    """Return the request's body. Raise BadFilter where it is not what ``kind`` says."""
    try:
        return msgspec.json.decode(request.get_data(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFilter("the body can't be read: {error}", error=error) from None


def _back(given: dict[str, str]) -> AnyResponse:
    """Return the way back to the page that the form is on, and take what is not the entry's out of ``given``."""
    given.pop("csrf", None)
    return redirect(with_language(local_address(given.pop("back", "/"))), 303)


def _taken(kind: type[msgspec.Struct], name: str) -> Response:
    """Take an entry as JSON, of those who may; answer with it, as it is stored."""
    require, take = TAKING[name]
    require()
    return json_answer(take(_body(kind)), 201)


def _removed(remove: Callable[[str], None], id: str) -> Response:
    """Remove an entry."""
    remove(id)
    return Response(status=204)


def _removed_by_form(remove: Callable[[str], None], id: str) -> AnyResponse:
    """Remove an entry, and go back to the page with the form."""
    remove(id)
    return _back(request.form.to_dict())


TAKING: dict[str, tuple[Callable[[], Data], Callable[[Any], msgspec.Struct]]] = {
    "annotations": (_annotating, _annotate_by), "views": (_persons, _save), "links": (_persons, _share)
}  # fmt: skip
"""What takes each, and before that what refuses others than those who may."""

REMOVING = {
    "annotations": _remove_annotation, "views": _remove_view, "links": _revoke_link, "tokens": _revoke_token
}  # fmt: skip

for _name, _remove in REMOVING.items():
    _word = "revoke" if _name in ("links", "tokens") else "remove"
    forms.add_url_rule(
        f"/{_name}/<id>/{_word}", f"{_word}_{_name}", partial(_removed_by_form, _remove), methods=["POST"]
    )
for _one in OPERATIONS:
    _name = _one.path.split("/")[1]
    _do: Callable[..., Response] = (
        partial(_taken, _one.takes, _name) if _one.takes else partial(_removed, REMOVING[_name])
    )
    _path = f"{ROOT}{_one.path}".replace("{id}", "<id>")
    forms.add_url_rule(_path, f"{_one.method}_{_name}", _do, methods=[_one.method])
