"""The pages for people, made on the server: they show what the API says, work without JavaScript, and draw with it."""

import gzip
import zlib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import bokeh
from flask import Blueprint, Response, abort, make_response, render_template, request, url_for

from analytics.config.currencies import sign
from analytics.errors import AnalyticsError
from analytics.web import display
from analytics.web.answers import AnswerScope
from analytics.web.charts import Chart, ChartOverlay
from analytics.web.comparing import COMPARE, called, comparison, without_comparison
from analytics.web.context import (
    LANGUAGE,
    data,
    in_language,
    language,
    language_args,
    page_set,
    t,
    with_language,
)
from analytics.web.entries.annotations import Annotation, mark, mergers, of_days
from analytics.web.filters import NAMES
from analytics.web.options import Args
from analytics.web.page import DashboardPage
from analytics.web.page_links import PageLinks
from analytics.web.pages import PAGES
from analytics.web.tables import Table
from analytics.web.translation import FOLDER, LANGUAGES

BOKEH = Path(bokeh.__file__).parent / "server" / "static" / "js" / "bokeh.min.js"
A_YEAR = 365 * 86_400
KEPT = f"public, max-age={A_YEAR}, immutable"
OLD_SECONDS = 60
"""If figures are older, the page checks whether the store answers."""

STATIC = Path(__file__).parent / "static"
pages = Blueprint("pages", __name__)


@pages.app_context_processor
def common() -> dict[str, Any]:
    """Return what every template may use."""
    translate = t()
    return {
        "t": translate,
        "language": language(),
        "languages": LANGUAGES,
        "in_language": in_language,
        "with_language": with_language,
        "changed": display.changed,
        "value_of": display.value_of,
        "frozen": "",
        "viewer": data().viewer,
        "here": request.full_path.rstrip("?"),
        "static": lambda name: url_for("static", filename=name, v=_stamp(name)),
        "menu": [one for one in page_set().menu if one.is_shown_to(data().viewer)],
        "custom_menu": [one for one in page_set().custom if one.is_shown_to(data().viewer)],
        "is_current": page_set().is_current,
        "pages_by_name": page_set().by_name,
    }


@pages.get("/figures/<path:name>.<language>.json")
def figures_of(name: str, language: str) -> Response:
    """Give a page's figures, without data."""
    known = page_set().by_name.get(name)
    if known is None or language not in LANGUAGES:
        return make_response(("there is no such page", 404))
    return figures_answer(known, language)


def figures_answer(page: DashboardPage, language: str) -> Response:
    # With it comes Bokeh, which takes longer to import than the rest of the dashboard.
    from analytics.web.figures import figures

    return _asset(figures(page.charts, language), "application/json")


@pages.get("/bokeh.js")
def bokeh_js() -> Response:
    """Give Bokeh's own JavaScript, from its package."""
    return _asset(BOKEH.read_bytes(), "text/javascript", _packed_bokeh())


def show(page: DashboardPage, **more: Any) -> Response:
    """Return the page that this request asks for as HTML. ``more``: what its template gets besides."""
    args = request.args.to_dict(flat=False)
    args.pop(LANGUAGE, None)
    figures_url = url_for(
        "pages.figures_of", name=page.name, language=language(), v=_figures_stamp(page.charts)
    )
    return rendered(page, args, figures_url, more)


def rendered(
    page: DashboardPage, args: Args, figures_url: str, more: Mapping[str, Any], frozen: str = ""
) -> Response:
    """Return a page as HTML, in the language that the reader wants.

    Args:
        frozen: the only address that its links lead to; "": they lead anywhere.
    """
    view = page.read(data(), without_comparison(args))
    other = comparison(args, view.scope) if page.has_filter else None
    links = PageLinks(page, {**args, **language_args()}, frozen)
    translate = t()
    age = max(0, round(data().clock() - view.at))
    context = _of_scope(page, view, args, links) if page.has_filter else {"zone": data().config.timezone}
    currency = _currency(view.scope.game) if page.has_filter else ""
    show = partial(display.shown, currency=currency)
    tables = {table.name: table for table in page.tables}
    annotations = _annotations(view.scope) if page.has_filter and page.charts else []
    over = ChartOverlay(
        [mark(one) for one in annotations],
        page.read(data(), other.args) if other and page.charts else None,
        called(other, translate),
    )
    answer = make_response(
        render_template(
            page.template,
            page=page,
            view=view,
            tables=tables,
            shown=show,
            panels=page.contents(view, translate, show, over, currency),
            compared=over.name,
            annotations=annotations,
            glossary=_glossary(page.tables),
            frozen=frozen,
            link=links.page,
            csv_link=links.csv,
            accts_link=links.accts,
            option=links.option,
            address_of=links.saved,
            figures_url=figures_url,
            bokeh_version=bokeh.__version__,
            moment=display.moment,
            lasting=lambda seconds: display.lasting(seconds, translate),
            now=data().clock(),
            age=age,
            store_away=page.has_filter and age > OLD_SECONDS and bool(data().store_error()),
            **context,
            **page.context(view, translate),
            **more,
        )
    )
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Vary"] = "Accept-Language, Cookie"
    return answer


def _of_scope(page: DashboardPage, view: Any, args: Args, links: PageLinks) -> dict[str, Any]:
    """Return what the filter above a page needs: what there is to choose from, and what is chosen."""
    scope: AnswerScope = view.scope
    args = {**args, **language_args()}
    areas = data().areas.values()
    of_game = [one for one in areas if one.game == scope.game]
    last = date.fromisoformat(scope.last)
    return {
        "scope": scope,
        "games": sorted({one.game for one in areas} | {scope.game}),
        "plats": sorted({one.plat for one in of_game}),
        "united_areas": sorted({one.united for one in of_game} - {""}),
        "area_list": [
            one for one in of_game if scope.plat in ("", one.plat) and scope.united in ("", one.united)
        ],
        "segments": data().segments_of(scope.game) if page.has_segments else (),
        "area_names": {one.id: one.name for one in of_game},
        "day_count": (last - date.fromisoformat(scope.first)).days + 1,
        "last_days": links.last_days(last),
        "options": {
            name: args[name][0]
            for name in (*(one.name for one in page.parameters), LANGUAGE)
            if args.get(name) and name != "page"
        },
        "hidden": {
            name: value[0] for name, value in args.items() if value and name not in ("search", "page")
        },
        "of_area": links.area,
        "compare": args[COMPARE][0] if args.get(COMPARE) else "",
        "filtered": any(args.get(name) for name in NAMES),
        "unfiltered": links.unfiltered,
        "read_at": _read_at(view.at, scope.timezone),
    }


def _annotations(scope: AnswerScope) -> list[Annotation]:
    """Return the annotations and mergers of what a page is about. A page whose numbers can be read does without what people entered."""
    of_game = {one.id: one for one in data().areas.values() if one.game == scope.game}
    chosen = scope.areas or [
        id for id, one in of_game.items() if scope.plat in ("", one.plat) and scope.united in ("", one.united)
    ]
    first, last = map(date.fromisoformat, (scope.first, scope.last))
    known = mergers(data().config, scope.game, set(chosen), first, last, t())
    try:
        entered = of_days(data().store, scope.game, {id: of_game[id] for id in chosen}, first, last)
    except AnalyticsError:
        return known
    return sorted([*known, *entered], key=lambda one: (one.day, one.time))


def _currency(game: str) -> str:
    found = data().config.games.get(game)
    return sign(found) if found else ""


def _read_at(at: float, timezone: str) -> str:
    """Return the time of day, with its date where that is not today's."""
    date, time = display.moment(at, timezone).split()
    return time if date == display.moment(data().clock(), timezone).split()[0] else f"{date} {time}"


def _glossary(of: Iterable[Table]) -> list[tuple[str, str]]:
    """Return every heading of these tables with what it means, each once."""
    found = {one.label: one.meaning for table in of for one in table.columns}
    return [(label, meaning) for label, meaning in found.items() if meaning]


def _asset(body: bytes, kind: str, packed: bytes | None = None) -> Response:
    """Return an answer that browsers may cache for a year: its address changes with it. ``packed``: its body, gzipped."""
    answer = make_response(body)
    if packed and request.accept_encodings["gzip"]:
        answer.set_data(packed)
        answer.headers["Content-Encoding"] = "gzip"
    answer.headers |= {
        "Content-Type": f"{kind}; charset=utf-8",
        "Cache-Control": KEPT,
        "Vary": "Accept-Encoding",
    }
    return answer


@lru_cache
def _packed_bokeh() -> bytes:
    return gzip.compress(BOKEH.read_bytes())


@lru_cache
def _stamp(name: str) -> str:
    """Return what changes when a static file does."""
    return f"{zlib.crc32((STATIC / name).read_bytes()):08x}"


@lru_cache
def _figures_stamp(charts: tuple[Chart, ...]) -> str:
    """Return what changes when a figure may: the code that makes them, their texts and titles, or Bokeh."""
    here = Path(__file__).parent
    made_of = [here / name for name in ("charts.py", "figures.py", "translation.py")]
    made_of += [*sorted((here / "pages").glob("*.py")), *sorted(FOLDER.glob("*.toml"))]
    titles = "".join(f"{chart.name}{chart.title}{chart.unit}" for chart in charts).encode()
    return (
        f"{zlib.crc32(b''.join([*(file.read_bytes() for file in made_of), titles])):08x}-{bokeh.__version__}"
    )


@pages.get("/<name>")
@pages.get("/<group>/<name>")
def show_custom(name: str, group: str = "") -> Response:
    """Show a page that follows from a declaration."""
    page = page_set().by_name.get(f"{group}/{name}" if group else name)
    return show(page) if page else abort(404)


for _page in PAGES:
    pages.add_url_rule(_page.path, _page.name, partial(show, _page))
