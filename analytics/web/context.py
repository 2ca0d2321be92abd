"""What a request is about: the data that its application shows, the language of its answer, and addresses that keep that language."""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import current_app, g, request

from analytics.web.data import Data
from analytics.web.entries.audit import AuditKind, AuditLog
from analytics.web.options import Args
from analytics.web.page_set import PageSet
from analytics.web.translation import LANGUAGES, Translate, negotiated, translator

EXTENSION, PAGES, AUDIT = "analytics", "pages", "audit"
"""Where an application has its data, its pages and its audit log."""

LANGUAGE = "lang"
"""The parameter and the cookie. Only the switch sets the cookie, so a link from a colleague does not change your choice."""


def data() -> Data:
    """Return what the application shows of its data to the viewer of this request."""
    found: Data = g.get("data") or current_app.extensions[EXTENSION]
    return found


def page_set() -> PageSet:
    """Return the pages of the application of this request."""
    found: PageSet = current_app.extensions[PAGES]
    return found


def noted(what: AuditKind, name: str, query: str = "") -> None:
    """Note in the audit log what this request fetches or changes. Raise Unavailable where the store does not take it."""
    shown = data()
    if shown.entries is None:
        return
    log: AuditLog = current_app.extensions[AUDIT]
    log.note(shown.clock(), shown.viewer.name, what, name, query, request.remote_addr or "")


def language() -> str:
    """Return the language of this request's answer."""
    accepted = [name for name, quality in request.accept_languages if quality > 0]
    default = data().config.dashboard.language
    return negotiated(request.args.get(LANGUAGE), request.cookies.get(LANGUAGE), accepted, default)


def t() -> Translate:
    """Return the function that translates English texts into the language of this request's answer."""
    return translator(language())


def language_args() -> dict[str, list[str]]:
    """Return the language that this request's address names, as an argument of its links; none where it names none."""
    code = request.args.get(LANGUAGE)
    return {LANGUAGE: [code]} if code in LANGUAGES else {}


def in_language(code: str) -> str:
    """Return this request's address in another language."""
    return address(request.path, request.args.to_dict(flat=False), {LANGUAGE: code})


def with_language(path: str) -> str:
    """Return an address of ours with the language that this request's address names."""
    parts = urlsplit(path)
    return address(parts.path, parse_qs(parts.query) | language_args(), {})


def address(path: str, args: Args, changed: Mapping[str, str]) -> str:
    """Return a path with the query string ``args``, with some arguments changed; empty ones are left out."""
    values = {name: value[0] for name, value in args.items() if value} | dict(changed)
    query = urlencode({name: value for name, value in values.items() if value}, safe=",")
    return f"{path}?{query}" if query else path
