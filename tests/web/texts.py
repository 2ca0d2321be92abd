"""Finds every English text that the dashboard may ask a catalogue for."""

import ast
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, nodes

from analytics.runtime.report import MISSING, NOTHING_RUNS
from analytics.web import tables
from analytics.web.answers import definition
from analytics.web.pages import PAGES
from analytics.web.pages.retention import Cell, Cohort

WEB = Path(tables.__file__).parent
CALLS = {"t", "translate", "msg", "TranslatableText", "BadFilter", "NothingThere", "expect_known"}
"""Functions of the code whose first argument is such a text."""

MACROS = {"t": (0,), "term": (0, 1), "empty": (0, 1), "section": (1,), "scrolled": (1,)}
"""Functions and macros of the templates, and which of their arguments are."""


def every() -> set[str]:
    """Return all of them."""
    return {*of_code(), *of_templates(), *of_lists()}


def of_code() -> Iterator[str]:
    for file in sorted(WEB.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in CALLS:
                yield from _texts(node.args[0])


def of_templates() -> Iterator[str]:
    for file in sorted((WEB / "templates").glob("*.html")):
        for call in Environment().parse(file.read_text(encoding="utf-8")).find_all(nodes.Call):
            name = getattr(call.node, "name", getattr(call.node, "attr", ""))
            for number in MACROS.get(name, ()):
                yield from _constants(call.args[number]) if number < len(call.args) else ()


def of_lists() -> Iterator[str]:
    """Yield what charts, tables and pages declare, and what shapes say of their fields."""
    yield from (MISSING, NOTHING_RUNS)
    for page in PAGES:
        yield page.title
        yield from (panel.note for panel in page.panels if isinstance(panel.note, str) and panel.note)
        for chart in page.charts:
            yield from (chart.title, chart.x_title, *(series.label for series in chart.series))
        for table in page.tables:
            yield table.title
            for column in table.columns:
                yield from (column.label, column.meaning)
            yield from (label for _, _, label in table.lists)
    yield from (definition(Cohort, "size"), definition(Cell, "rate"))


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def _constants(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.CondExpr):
        yield from (*_constants(node.expr1), *(_constants(node.expr2) if node.expr2 else ()))
    elif isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
