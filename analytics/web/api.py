"""The API under ``/api/v1``: each page's numbers as JSON, each table as CSV, and a description of both."""

import itertools
from collections.abc import Iterator
from typing import Any

import gevent
import msgspec
from flask import Blueprint, Response, abort, request

from analytics import __version__
from analytics.core.areas import Areas
from analytics.web import shapes
from analytics.web.csvs import CSVS, SHEET, pieces
from analytics.web.filters import NAMES, choice
from analytics.web.here import data
from analytics.web.views import MOST_PAGE, MOST_SIZE, OPTIONS, VIEWS
from analytics.web.views.accts import LISTS

ROOT = "/api/v1"
SHEETS = ("", "1")
STRUCTS: dict[str, type[msgspec.Struct]] = {
    "overview": shapes.Overview,
    "retention": shapes.Retention,
    "payment": shapes.Payment,
    "economy": shapes.Economy,
    "progress": shapes.Progress,
    "areas": shapes.Areas,
    "system": shapes.System,
}
MEANINGS = {
    "game": "the game; left out: that of the areas, else the first of the configuration",
    "plat": "only areas of this plat",
    "area": "ids of areas, with commas between them; left out: all of the game",
    "from": "the first day, YYYY-MM-DD; left out: 30 days up to the last",
    "to": "the last day, included, YYYY-MM-DD; left out: the newest day with records",
    "of": "whose return: who signed up, or who paid",
    "axis": "what rows are: days of the calendar, or days since the opening",
    "sort": "the column to sort by",
    "order": "asc: the least first; desc: the most first",
    "search": "only areas whose id, plat or server name contains this",
    "page": "the page of the table, from 1",
    "size": "rows a page, up to 1000",
    SHEET: "1: as spreadsheets open it, with a byte order mark, and ids that stay texts",
}
api = Blueprint("api", __name__, url_prefix=ROOT)


@api.get("/openapi.json")
def openapi() -> Response:
    """Describe the API."""
    return _json(described(data().areas))


@api.get("/<page>")
def numbers(page: str) -> Response:
    """Give a page's numbers."""
    if page not in VIEWS:
        abort(404, f"there is no such page; there are: {', '.join(VIEWS)}")
    return _json(VIEWS[page](data(), request.args.to_dict(flat=False)))


@api.get("/<page>/<table>.csv")
def table(page: str, table: str) -> Response:
    """Give a whole table, row by row as it is read."""
    rows = CSVS.get((page, table))
    if rows is None:
        known = [f"{of}/{name}.csv" for of, name in CSVS]
        abort(404, f"there is no such table; there are: {', '.join(known)}")
    given = request.args.to_dict(flat=False)
    sheet = choice({SHEET: given.pop(SHEET, [])}, SHEET, SHEETS, "") == "1"
    found = rows(data(), given)
    # What is wrong with the filter shows at the first row, while the status can still say so.
    first = next(found)
    answer = Response(_in_turn(pieces(itertools.chain([first], found), sheet)), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{page}-{table}.csv"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _in_turn(pieces: Iterator[str]) -> Iterator[str]:
    """Yield the pieces, and let other requests have their turn after each."""
    for piece in pieces:
        yield piece
        gevent.sleep(0)


def _json(value: Any) -> Response:
    answer = Response(msgspec.json.encode(value), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def described(areas: Areas) -> dict[str, Any]:
    """Return the description of the API, in OpenAPI 3.1, as the Structs and the areas of the configuration have it."""
    schemas, components = msgspec.json.schema_components(
        list(STRUCTS.values()), ref_template="#/components/schemas/{name}"
    )
    refused = {
        "description": "a parameter can't be used; `error` says which, what was found and what was expected",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    failed = {**refused, "description": "the store does not answer; try again"}
    login = {**refused, "description": "not logged in; GET /login first"}
    nothing = {**refused, "description": "the configuration has no game with areas yet"}
    others = {"400": refused, "401": login, "404": nothing, "503": failed}
    known = _known(areas)
    paths: dict[str, Any] = {}
    for page, schema in zip(STRUCTS, schemas, strict=True):
        content = {"application/json": {"schema": schema}}
        paths[f"{ROOT}/{page}"] = _operation(page, f"the page {page}", content, others, known)
    for page, name in CSVS:
        content = {"text/csv": {"schema": {"type": "string"}}}
        summary = f"the table {name} of {page}, whole"
        if page == "accts":
            summary = f"{LISTS[name].who}: a row for each day, area and acct; an answer that breaks off is to be asked for again"
        paths[f"{ROOT}/{page}/{name}.csv"] = _operation(page, summary, content, others, known)
    error = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "analytics",
            "version": __version__,
            "description": "What the dashboard shows. It only reads.",
        },
        "paths": paths,
        "components": {"schemas": {**components, "Error": error}},
    }


def _known(areas: Areas) -> dict[str, dict[str, Any]]:
    """Return what the configuration says of parameters. What is empty is as good as left out."""
    games, plats = {one.game for one in areas.values()}, {one.plat for one in areas.values()}
    examples = {one.game: {"value": one.id} for one in areas.values()}
    return {
        "game": {"schema": {"type": "string", "enum": ["", *sorted(games)]}},
        "plat": {"schema": {"type": "string", "enum": ["", *sorted(plats)]}},
        "area": {"examples": examples} if examples else {},
    }


def _operation(
    page: str,
    summary: str,
    content: dict[str, Any],
    others: dict[str, Any],
    known: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    parameters = _parameters(page)
    if "text/csv" in content:  # it is whole
        parameters = {name: parameters[name] for name in parameters if name not in ("page", "size")}
        parameters[SHEET] = SHEETS[1:]
    return {
        "get": {
            "summary": summary,
            "parameters": [
                _parameter(name, choices) | known.get(name, {}) for name, choices in parameters.items()
            ],
            "responses": {"200": {"description": summary, "content": content}, **others},
        }
    }


def _parameters(page: str) -> dict[str, tuple[str, ...]]:
    return {} if page == "system" else dict.fromkeys(NAMES, ()) | OPTIONS.get(page, {})


def _parameter(name: str, choices: tuple[str, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if choices:
        schema["enum"] = ["", *choices]
    elif name in ("from", "to"):
        schema = {"anyOf": [{"type": "string", "format": "date"}, {"const": ""}]}
    elif name in ("page", "size"):
        most = {"page": MOST_PAGE, "size": MOST_SIZE}[name]
        schema = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": most}, {"const": ""}]}
    return {"name": name, "in": "query", "required": False, "description": MEANINGS[name], "schema": schema}
