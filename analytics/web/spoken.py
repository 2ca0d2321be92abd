"""Which language a request is answered in, and how addresses keep it."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import request

from analytics.web.here import data
from analytics.web.messages import LANGUAGES, Translate, chosen, translator

NAME = "lang"
"""The parameter and the cookie. Only the switch sets the cookie, so a link that was sent changes nobody's choice."""

Given = Mapping[str, Sequence[str]]


def language() -> str:
    """Return the language of this request's answer."""
    accepted = [name for name, quality in request.accept_languages if quality > 0]
    default = data().config.dashboard.language
    return chosen(request.args.get(NAME), request.cookies.get(NAME), accepted, default)


def t() -> Translate:
    """Return what gives an English text in the language of this request's answer."""
    return translator(language())


def asked() -> dict[str, list[str]]:
    """Return the language that this request's address names, as its links carry it on; nothing where it names none."""
    code = request.args.get(NAME)
    return {NAME: [code]} if code in LANGUAGES else {}


def in_language(code: str) -> str:
    """Return this request's address in another language."""
    return address(request.path, request.args.to_dict(flat=False), {NAME: code})


def kept(path: str) -> str:
    """Return an address of ours with the language that this request's names."""
    parts = urlsplit(path)
    return address(parts.path, parse_qs(parts.query) | asked(), {})


def address(path: str, given: Given, changed: Mapping[str, str]) -> str:
    """Return a path with a query string: what was given, and what is changed of it; what is empty is left out."""
    values = {name: value[0] for name, value in given.items() if value} | dict(changed)
    query = urlencode({name: value for name, value in values.items() if value}, safe=",")
    return f"{path}?{query}" if query else path
