"""Every page in every language: nothing is missing, left over or left in English, and markup stays text."""

import re
import string
from html.parser import HTMLParser
from typing import get_args

import msgspec
import pytest
from month import LAST, Month, a_month
from texts import every

from analytics.config.sections import DashboardSection, Language
from analytics.web import translation
from analytics.web.figures import figures
from analytics.web.filters import UNKNOWN, BadFilter
from analytics.web.pages import PAGES
from analytics.web.pages.areas import Sort
from analytics.web.translation import LANGUAGES, SOURCE, catalogue, negotiated, translator

OTHERS = [code for code in LANGUAGES if code != SOURCE]
NAMES = {
    "analytics", "bin", "start", "stop", "restart", "status", "rejected", "replay", "password", "csrf", "CSV", "DAU", "WAU", "MAU", "ACU", "PCU", "ARPU",
    "ARPPU", "LTV", "N", "B", "KiB", "MiB", "GiB", "TiB", "Asia", "Shanghai", "UTC", "from", "to", "area",
    "game", "plat", "lang", "segment", "united", "Cookie", "compare", "before", "https", "wiki", "Authorization", "Bearer",
}  # fmt: skip
"""What stays as it is in every language: names, acronyms, units, commands, parameters."""

SORTS = get_args(Sort)
CHARTS = tuple(chart for page in PAGES for chart in page.charts)
SAID = {
    "title",
    "aria-label",
    "placeholder",
    "alt",
    "data-means",
    "data-names",
    "data-updated",
    "data-away",
    "data-old",
    "data-behind",
    "data-before",
    "data-well",
    "data-ages",
}
"""Attributes that readers see or hear."""

UNSAID = {"script", "style", "code", "option"}
EMPTY = {"meta", "link", "input", "br", "img"}
BAD = [
    "/?game=nowhere", "/?plat=nowhere", "/?area=nowhere", "/?from=soon", "/?from=1999-01-01", "/?gme=dl",
    "/?game=dl&game=dl", "/?from=2026-03-09&to=2026-03-08", "/?from=2020-01-01&to=2026-03-08",
    "/?from=2020-01-01", "/?area=" + ",".join("x" * 101), "/areas?sort=x", "/areas?page=x", "/nowhere",
    "/?segment=channel", "/economy?segment=channel:a",
]  # fmt: skip
GOOD = [page.path for page in PAGES] + [
    "/retention?of=payment", "/retention?axis=open_day", *(f"/retention?by={by}" for by in ("rolling", "later", "week", "month")), "/areas?search=nowhere", "/areas?size=1&page=2",
    "/economy?from=2026-01-01&to=2026-01-02", "/login",
]  # fmt: skip


@pytest.fixture(scope="module")
def month(tmp_path_factory) -> Month:
    return a_month(tmp_path_factory.mktemp("data"))


class Words(HTMLParser):
    """Collects what a reader sees or hears of a page, but for what is marked as English."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag, attrs):
        hidden = tag in UNSAID or (tag != "html" and dict(attrs).get("lang") == "en")
        hidden = hidden or any(one for _, one in self._open)
        self.texts += [value or "" for name, value in attrs if name in SAID and not hidden]
        if tag not in EMPTY:
            self._open.append((tag, hidden))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if not any(hidden for _, hidden in self._open):
            self.texts.append(data)


def english(page: str, known: set[str]) -> set[str]:
    """Return the English words of a page; what is in the data is no English."""
    words = Words()
    words.feed(page)
    filled_in_later = re.sub(r"{\w+}", "", " ".join(words.texts))
    return set(re.findall(r"[A-Za-z]+", filled_in_later)) - known


def of_data(month: Month) -> set[str]:
    """Return the words of the documents and the configuration: names of areas, accts, items, reasons."""
    names = {value for some in month.documents.values() for one in some.values() for value in one.values()
             if isinstance(value, str)}  # fmt: skip
    names |= {
        text for one in month.data.areas.values() for text in (one.id, one.game, one.plat, one.server_name)
    }
    for document in month.documents["funnel"].values():
        names |= {text for key, step in document["steps"].items() for text in (key, step["step"])}
    return set(re.findall(r"[A-Za-z]+", " ".join(names)))


def read(month: Month, address: str, **headers: str) -> str:
    return month.app.test_client().get(address, headers=headers).text


def in_chinese(month: Month, address: str) -> str:
    return read(month, f"{address}{'&' if '?' in address else '?'}lang=zh")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("code", OTHERS)
def test_a_catalogue_has_what_is_asked_for_and_nothing_else(code):
    there, asked = set(catalogue(code)), every() - {""}
    assert asked <= there, f"add these texts to analytics/web/languages/{code}.toml"
    assert there <= asked, f"no page shows these texts of analytics/web/languages/{code}.toml any more"


@pytest.mark.parametrize("code", OTHERS)
def test_placeholders_are_the_same(code):
    for text, other in catalogue(code).items():
        assert placeholders(other) == placeholders(text), text
        assert other.strip() and "|" not in other, text


def test_pages_ask_for_nothing_that_the_scan_does_not_find(month, monkeypatch):
    asked: set[str] = set()

    class Noting(dict):
        def get(self, text, default=None):
            asked.add(text)
            return default

    monkeypatch.setattr(translation, "catalogue", lambda code: Noting())
    for address in [*GOOD, *BAD]:
        in_chinese(month, address)
    figures.__wrapped__(CHARTS, "zh")
    told = {text for text in asked if "mongodb" in text or "broker" in text or "did not answer" in text}
    assert asked - told - {""} <= every()
    assert len(asked) > 150


@pytest.mark.parametrize("address", [*GOOD, *BAD])
def test_no_english_is_left_on_a_chinese_page(month, address):
    page = in_chinese(month, address)
    query = set(re.findall(r"[A-Za-z]+", address))
    nodes = re.findall(r"<li>([\w-]+):", page) if address == "/system" else []
    known = NAMES | of_data(month) | query | set(re.findall(r"[A-Za-z]+", " ".join([*nodes, *SORTS])))
    assert english(page, known) == set()
    assert '<html lang="zh-Hans">' in page


def test_the_search_for_english_finds_some(month):
    assert {"Revenue", "Payers", "Reset"} & english(read(month, "/payment?game=dl"), NAMES)


def test_charts_speak_chinese():
    texts = figures(CHARTS, "zh").decode()
    for chart in CHARTS:
        for series in chart.series:
            assert f'"{translator("zh")(series.label)}"' in texts
    assert '"Payers"' not in texts and '"付费用户"' in texts


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("page", ["/", "/payment", "/progress", "/areas"])
def test_days_look_alike_in_sentences_and_tables(month, page, language):
    days = re.findall(r"\d{4}[-/年]\d\d?[-/月]\d\d?", read(month, f"{page}?game=dl&lang={language}"))
    assert LAST.isoformat() in days and all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in days)


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "default", "expected"),
    [
        ("zh", "en", ["en"], "en", "zh"),
        (None, "zh", ["en"], "en", "zh"),
        (None, None, ["fr", "zh-CN", "en"], "en", "zh"),
        (None, None, ["fr"], "zh", "zh"),
        (None, None, [], "en", "en"),
        ("fr", "de", ["en-GB"], "zh", "en"),
    ],
)
def test_address_before_cookie_before_browser_before_configuration(asked, kept, accepted, default, expected):
    assert negotiated(asked, kept, accepted, default) == expected


def test_a_request_is_answered_in_the_language_that_it_wants(month):
    client = month.app.test_client()

    def of(address: str, accepted: str = "") -> str:
        page = client.get(address, headers={"Accept-Language": accepted} if accepted else {}).text
        return re.search(r'<html lang="([\w-]+)">', page)[1]

    assert (of("/"), of("/", "zh-CN,en;q=0.5"), of("/", "zh;q=0,fr")) == ("en", "zh-Hans", "en")
    assert of("/?lang=zh") == "zh-Hans" and of("/") == "en", "a link that was sent changes nobody's choice"
    client.set_cookie("lang", "zh")
    assert (of("/"), of("/", "en"), of("/?lang=en"), of("/?lang=xx")) == (
        "zh-Hans",
        "zh-Hans",
        "en",
        "zh-Hans",
    )


def test_links_keep_the_language_and_the_api_does_not_see_it(month):
    page = in_chinese(month, "/payment?game=dl")
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="(/[^"]*)"', page)]
    inner = [link for link in links if not link.startswith(("/static", "/api", "/bokeh"))]
    assert len(inner) > 10 and all("lang=" in link for link in inner)
    assert not any("lang=" in link for link in links if link.startswith("/api"))
    assert '<input type="hidden" name="lang" value="zh">' in page
    assert "lang=" not in read(month, "/?game=dl").replace('lang="', "").replace("?game=dl&amp;lang=zh", "")


def test_markup_in_a_text_stays_text(month, monkeypatch):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    texts = dict.fromkeys(every(), evil)
    monkeypatch.setattr(translation, "catalogue", lambda code: texts)
    for address in ("/", "/areas", "/retention", "/system", "/?game=nowhere", "/login"):
        page = in_chinese(month, address)
        assert "<script>alert" not in page and "<img" not in page and "&lt;script&gt;" in page


def test_a_value_is_no_format():
    message = BadFilter(UNKNOWN, value="{near}", near="x").message
    assert message.translated(translator("zh")) == '"{near}"：未知参数；x'


def test_the_configuration_knows_the_same_languages():
    assert list(get_args(Language)) == list(LANGUAGES)
    with pytest.raises(msgspec.ValidationError, match=r"language"):
        msgspec.convert({"language": "xx"}, DashboardSection)
