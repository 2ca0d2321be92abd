"""Query strings that nobody means well: pages and CSV refuse them in words, and MongoDB is never told what they say."""

import html
import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from dashboard_csvs import CSVS
from databases import Database
from flask import Flask
from forms import THOROUGH, examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.monitoring import CommandListener
from running import Suite, a_suite

from analytics.bolts import BOLTS
from analytics.web.custom.bolt_page import bolt_page
from analytics.web.filters import NAMES
from analytics.web.pages import PAGES

EXAMPLES = int(os.environ.get("ANALYTICS_FUZZ_EXAMPLES", "0")) * 10 or (300 if THOROUGH else examples(300))
LOG_IN = {"saslStart", "saslContinue"}
MARK = "q1z"
"""Stands before and after everything that a browser must not take for markup."""

OF_BOLTS = [bolt_page(BOLTS[name]) for name in ("cointype", "userpay")]
PATHS = [page.path for page in (*PAGES, *OF_BOLTS)] + [f"/api/v1/{page}/{table}.csv" for page, table in CSVS]
PATHS += ["/numbers", "/api/v1/numbers", "/api/v1/numbers/days.csv"]
PATHS += [*(f"/api/v1/{page.name}/{table}.csv" for page in OF_BOLTS for table in page.csv_names), "/login"]
OWN = {option.name: page.path for page in (*OF_BOLTS, *PAGES) for option in page.parameters}
KNOWN = [*NAMES, *sorted(OWN), "lang", "next"]
MARKUP = (f"<script>{MARK}", f"<{MARK}", f'{MARK}"{MARK}', f"{MARK}'{MARK}")
HOSTILE = [
    b"", b"\x00", b"null", b"None", b"undefined", b"NaN", b"-1", b"0", b"1e999", b"9" * 400, b"%", b"+", b"*", b"#1",
    b'{"$ne": null}', b'{"$gt": ""}', b'{"$where": "sleep(9)"}', b"$where", b"$ne", b"[$ne]", b"[]", b"..", b"/etc/passwd",
    b"\xff\xfe\xed\xa0\x80", b"\xc0\xaf", b"\r\nSet-Cookie: a=b", "\u202e\ufeff\u0000\ud7ff".encode(), b"a" * 20_000,
    b"'; drop table x; --", b"{{ 7 * 7 }}", b"%(x)s", b"${x}", b"0001-01-01", b"9999-12-31", b"2026-02-30", b"2026-03-01T00",
    *(one.encode() for one in MARKUP),
]  # fmt: skip
names = st.sampled_from(KNOWN) | st.sampled_from(["$where", "__proto__", "area[]", ""]) | st.text(max_size=20)
endings = st.sampled_from(["", "", "", "", "", "[$ne]", "[$gt]", "[]", "[0]", ".x", "\x00"])
values = st.sampled_from(HOSTILE) | st.binary(max_size=40) | st.text(max_size=40).map(str.encode)
pairs = st.lists(st.tuples(names, endings, values), max_size=4)

STAGES = {"$match", "$group"}
OPERATORS = STAGES | {"$sort", "$limit", "$skip", "$project", "$sum", "$in", "$gte", "$lt"}


class Heard(CommandListener):
    """Notes down every operator that MongoDB is sent, and every command."""

    def __init__(self) -> None:
        self.operators: set[str] = set()
        self.commands: set[str] = set()

    def started(self, event: Any) -> None:
        self.commands.add(event.command_name)
        self._look([event.command.get(name) for name in ("pipeline", "filter", "projection", "sort")])

    def _look(self, at: object) -> None:
        if isinstance(at, Mapping):
            self.operators |= {name for name in at if name.startswith("$")}
            for inner in at.values():
                self._look(inner)
        elif isinstance(at, list | tuple):
            for inner in at:
                self._look(inner)

    def succeeded(self, event: Any) -> None:
        """Nothing is left to look at."""

    def failed(self, event: Any) -> None:
        """Nothing is left to look at."""


heard = Heard()


@pytest.fixture(scope="module")
def suite(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    with a_suite(tmp_path_factory.mktemp("hostile"), module_database.section, areas=2, players=20) as running:
        yield running


@pytest.fixture(scope="module")
def app(suite: Suite) -> Flask:
    return suite.app(heard)


def encoded(pairs: list[tuple[str, str, bytes]]) -> str:
    return "&".join(
        f"{quote_from_bytes((name + ending).encode(errors='surrogatepass'))}={quote_from_bytes(value)}"
        for name, ending, value in pairs
    )


def check(app: Flask, address: str) -> None:
    answer = app.test_client().get(address)
    assert answer.status_code in (200, 400), (address, answer.status_code)
    assert "Set-Cookie" not in answer.headers or "a=b" not in answer.headers["Set-Cookie"]
    if answer.mimetype == "text/html":
        for hostile in MARKUP:
            assert hostile not in answer.text, (address, hostile)
    if answer.status_code == 400:
        told = answer.json["error"] if answer.is_json else html.unescape(answer.text)
        assert any(word in told for word in ("expected", "unknown parameter", "there is no", "has no")), told


@settings(max_examples=EXAMPLES, derandomize="ANALYTICS_FUZZ_EXAMPLES" not in os.environ,
          suppress_health_check=list(HealthCheck), database=None)  # fmt: skip
@given(path=st.sampled_from(PATHS), pairs=pairs)
def test_nothing_fails_and_nothing_is_given_back_as_markup(app: Flask, path: str, pairs: Any) -> None:
    check(app, f"{path}?{encoded(pairs)}")


@pytest.mark.parametrize("name", KNOWN)
def test_each_parameter_takes_everything_that_is_hostile(app: Flask, name: str) -> None:
    for value in HOSTILE:
        check(app, f"{OWN.get(name, '/')}?{encoded([(name, '', value)])}")


def test_mongodb_was_sent_no_operator_but_ours() -> None:
    """Looks at what all tests above made of MongoDB."""
    assert heard.commands - LOG_IN <= {"find", "aggregate", "getMore"}
    assert STAGES <= heard.operators <= OPERATORS


@pytest.mark.parametrize("field", ["user", "password", "csrf", "next"])
def test_the_log_in_takes_everything_that_is_hostile(suite: Suite, field: str) -> None:
    client = suite.app(heard, users={"ann": "pbkdf2:sha256:1$a$00"}).test_client()
    for value in HOSTILE:
        answer = client.post("/login", data=f"{field}={quote_from_bytes(value)}",
                             content_type="application/x-www-form-urlencoded")  # fmt: skip
        assert answer.status_code == 400 and "csrf" in answer.text
        assert not any(hostile in answer.text for hostile in MARKUP)
