"""The API under ``/api/v1``: each page's numbers as JSON, each table as CSV, and a description of both."""

import itertools
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import gevent
import msgspec
from flask import Blueprint, Response, abort, request

from analytics import __version__
from analytics.core.areas import Areas
from analytics.web.acct_lists import LISTS
from analytics.web.context import data, noted, page_set
from analytics.web.csvs import SHEET, pieces
from analytics.web.entries.operations import OPERATIONS, WriteOperation
from analytics.web.filters import SEGMENT, UNITED, choice
from analytics.web.options import Option
from analytics.web.page import DashboardPage
from analytics.web.page_set import PageSet

ROOT = "/api/v1"
SHEETS = ("", "1")
FILTER = {
    "game": "the game; left out: that of the areas, else the first of the configuration",
    "plat": "only areas of this plat",
    "area": "ids of areas, with commas between them; left out: all of the game",
    UNITED: "only the areas of this united area, named by the one that the others were merged into; accts are distinct over them",
    "from": "the first day, YYYY-MM-DD; left out: 30 days up to the last",
    "to": "the last day, included, YYYY-MM-DD; left out: the newest day with records",
    SEGMENT: "only accts with this value of a segment, written `segment:value`; left out: all accts",
}
SHEET_MEANS = "1: as spreadsheets open it, with a byte order mark, and ids that stay texts"
EACH_TABLE = ("page", "size")
"""Options of a page that its CSVs, which are whole, do not need."""

api = Blueprint("api", __name__, url_prefix=ROOT)


@api.get("/openapi.json")
def openapi() -> Response:
    """Describe the API."""
    return json_answer(described(data().areas, page_set()))


@api.get("/<page>")
@api.get("/<group>/<page>")
def numbers(page: str, group: str = "") -> Response:
    """Give a page's numbers."""
    page, known = _name(group, page), page_set().by_name
    if page not in known:
        abort(404, f"there is no such page; there are: {', '.join(known)}")
    return json_answer(known[page].read(data(), request.args.to_dict(flat=False)))


@api.get("/<page>/<table>.csv")
@api.get("/<group>/<page>/<table>.csv")
def table(page: str, table: str, group: str = "") -> Response:
    """Give a whole table, row by row as it is read."""
    page, csvs = _name(group, page), page_set().csvs
    rows = csvs.get((page, table))
    if rows is None:
        known = [f"{of}/{name}.csv" for of, name in csvs]
        abort(404, f"there is no such table; there are: {', '.join(known)}")
    given = request.args.to_dict(flat=False)
    sheet = choice({SHEET: given.pop(SHEET, [])}, SHEET, SHEETS, "") == "1"
    found = rows(data(), given)
    # What is wrong with the filter or the store shows at the headings and the first row, while the status can still say so.
    first = list(itertools.islice(found, 2))
    query = request.query_string.decode(errors="replace")
    noted("list" if page == "accts" else "csv", f"{page}/{table}", query)
    answer = Response(_in_turn(pieces(itertools.chain(first, found), sheet)), mimetype="text/csv")
    file = f"{quote(page.rpartition('/')[2])}-{table}.csv"
    answer.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _name(group: str, page: str) -> str:
    return f"{group}/{page}" if group else page


def _in_turn(pieces: Iterator[str]) -> Iterator[str]:
    """Yield the pieces, and let other requests have their turn after each."""
    for piece in pieces:
        yield piece
        gevent.sleep(0)


def json_answer(value: Any, status: int = 200) -> Response:
    answer = Response(msgspec.json.encode(value), status, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def described(areas: Areas, every: PageSet) -> dict[str, Any]:
    """Return the description of the API, in OpenAPI 3.1, as the Structs and the areas of the configuration have it."""
    pages = [*every.by_name.values()]
    kinds = {kind for one in OPERATIONS for kind in (one.takes, one.gives) if kind}
    schemas, components = msgspec.json.schema_components(
        [*(page.answer for page in pages), *kinds], ref_template="#/components/schemas/{name}"
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
    for page, schema in zip(pages, schemas, strict=False):
        parameters = [_parameter(option) | known.get(option.name, {}) for option in _options(page)]
        content = {"application/json": {"schema": schema}}
        paths[f"{ROOT}/{quote(page.name)}"] = _operation(f"the page {page.name}", parameters, content, others)
    for of, name in every.csvs:
        owner = every.by_name.get(of)
        unused = EACH_TABLE if owner and owner.divides(name) else (*EACH_TABLE, SEGMENT)
        options = [option for option in _options(owner) if option.name not in unused]
        options.append(Option(SHEET, SHEET_MEANS, choices=SHEETS[1:]))
        parameters = [_parameter(option) | known.get(option.name, {}) for option in options]
        summary = f"the table {name} of {of}, whole"
        if of == "accts":
            summary = f"{LISTS[name][1]}: a row for each day, area and acct; an answer that breaks off is to be asked for again"
        content = {"text/csv": {"schema": {"type": "string"}}}
        paths[f"{ROOT}/{quote(of)}/{name}.csv"] = _operation(summary, parameters, content, others)
    for one in OPERATIONS:
        paths.setdefault(f"{ROOT}{one.path}", {})[one.method] = _writing(one, others)
    error = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "analytics",
            "version": __version__,
            "description": "What the dashboard shows, and what people enter on it.",
        },
        "paths": paths,
        "components": {"schemas": {**components, "Error": error}},
    }


def _known(areas: Areas) -> dict[str, dict[str, Any]]:
    """Return what the configuration says of parameters. An empty parameter counts as left out."""
    games, plats = {one.game for one in areas.values()}, {one.plat for one in areas.values()}
    united = {one.united for one in areas.values()} - {""}
    examples = {one.game: {"value": one.id} for one in areas.values()}
    return {
        "game": {"schema": {"type": "string", "enum": ["", *sorted(games)]}},
        "plat": {"schema": {"type": "string", "enum": ["", *sorted(plats)]}},
        "area": {"examples": examples} if examples else {},
        UNITED: {"schema": {"type": "string", "enum": ["", *sorted(united)]}},
    }


def _operation(
    summary: str, parameters: list[dict[str, Any]], content: dict[str, Any], others: dict[str, Any]
) -> dict[str, Any]:
    responses = {"200": {"description": summary, "content": content}, **others}
    return {"get": {"summary": summary, "parameters": parameters, "responses": responses}}


def _writing(one: WriteOperation, others: dict[str, Any]) -> dict[str, Any]:
    def content(kind: type) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}

    error = others["400"]
    operation: dict[str, Any] = {"summary": one.summary, "responses": dict(others)}
    operation["responses"] |= {
        "403": {**error, "description": "you may not, or the request comes from another site"},
        "415": {**error, "description": "the body is not declared as application/json"},
    }
    if one.takes:
        operation["requestBody"] = {"required": True, "content": content(one.takes)}
    if one.gives:
        operation["responses"]["201"] = {"description": "it is stored", "content": content(one.gives)}
    else:
        operation["responses"]["204"] = {"description": "it is removed"}
    if "{id}" in one.path:
        operation["parameters"] = [
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
        ]
    return operation


def _options(page: DashboardPage | None) -> list[Option]:
    """Return the parameters of a page, or of the lists of accts, which belong to none."""
    own = page.parameters if page else ()
    divided = page is not None and page.has_segments
    filters = [Option(name, meaning) for name, meaning in FILTER.items() if divided or name != SEGMENT]
    return [*filters, *own] if page is None or page.has_filter else [*own]


def _parameter(option: Option) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if option.choices:
        schema["enum"] = ["", *option.choices]
    elif option.name in ("from", "to"):
        schema = {"anyOf": [{"type": "string", "format": "date"}, {"const": ""}]}
    elif option.bounds:
        least, most = option.bounds
        schema = {"anyOf": [{"type": "integer", "minimum": least, "maximum": most}, {"const": ""}]}
    return {
        "name": option.name,
        "in": "query",
        "required": False,
        "description": option.description,
        "schema": schema,
    }
