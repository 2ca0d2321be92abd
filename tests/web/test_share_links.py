"""Share links: each grants exactly one page with a frozen filter, until it expires, is revoked, or its maker may not see that."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from entering import PASSWORD, SPAN, USERS, dashboard, form_of, log_in
from flask import Flask
from flask.testing import FlaskClient
from msgspec.structs import replace

from analytics.config import DashboardSection
from analytics.config.sections import RightsSection
from analytics.web.entries import links

GUARDED = DashboardSection(users=USERS)
DRAFT = {"page": "payment", "query": {"game": "dl", "area": "s1", "from": "2026-03-20", "to": "2026-04-02"}}


def made(client: FlaskClient, **changed: object) -> str:
    answer = client.post("/api/v1/links", json=DRAFT | changed)
    assert answer.status_code == 201, answer.text
    return urlsplit(answer.json["address"]).path


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return dashboard(tmp_path, GUARDED)[0]


@pytest.fixture(scope="module")
def sharer(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    client = dashboard(tmp_path_factory.mktemp("sharing"), GUARDED)[0].test_client()
    log_in(client, "ann", PASSWORD)
    return client


@pytest.fixture
def ann(app: Flask) -> FlaskClient:
    client = app.test_client()
    log_in(client, "ann", PASSWORD)
    return client


def test_a_link_grants_one_page_and_nothing_else(app: Flask, ann: FlaskClient) -> None:
    path = made(ann)
    stranger = app.test_client()
    page = stranger.get(path)
    assert (
        page.status_code == 200
        and "2026-03-20 – 2026-04-02" in page.text
        and 'data-chart="income"' in page.text
    )
    assert "rich of dl" not in page.text, "accts are not shown by name"
    asked = stranger.get(f"{path}?game=wsdx&area=w1&from=2026-01-01&segment=x&search=y&lang=zh")
    assert asked.status_code == 200 and "2026-03-20 – 2026-04-02" in asked.text and "wsdx" not in asked.text
    for text in ("server s2", "wsdx", "Log out", "csrf", "<form method", "ann"):
        assert text not in page.text.replace("annot", ""), text
    leads = {link.split('"')[0] for link in page.text.split('href="')[1:]}
    assert {one for one in leads if not one.startswith("/static/")} == {path, "#main"}
    figures = page.text.split('data-figures="')[1].split('"')[0]
    assert stranger.get(figures).status_code == 200
    for other in ("/payment?game=dl", "/api/v1/payment", "/figures/payment.en.json", "/views", f"{path}/x"):
        assert stranger.get(other).status_code in (302, 401, 404), other
    assert stranger.post(path).status_code in (302, 405)


def test_shared_pages_have_no_forms_and_name_no_user(sharer: FlaskClient) -> None:
    sharer.post("/api/v1/annotations", json={"text": "Release", "game": "dl", "day": "2026-04-01"})
    for name in ("areas", "annotations", "collections/shop"):
        page = sharer.application.test_client().get(made(sharer, page=name)).text
        assert "<form" not in page and "csrf" not in page and ">ann<" not in page, name
        assert name != "annotations" or "Release" in page


def test_only_the_hash_of_a_link_is_stored(app: Flask, ann: FlaskClient) -> None:
    path = made(ann)
    stored = app.extensions["analytics"].store.load(
        links.ShareLink.collection, [links.hashed(path.rpartition("/")[2])]
    )
    assert len(stored) == 1 and path.rpartition("/")[2] not in str(stored)
    listed = ann.get("/api/v1/views").json["links"]
    assert [(one["page"], one["by"]) for one in listed] == [("payment", "ann")]
    assert app.test_client().get(f"/shared/{listed[0]['id']}").status_code == 404
    assert ann.get("/api/v1/links").status_code == 405


def test_a_link_ends(app: Flask, ann: FlaskClient) -> None:
    clock = app.extensions["analytics"].clock
    path, other = made(ann, days=2), made(ann, days=9)
    stranger, begun = app.test_client(), clock.now
    clock.now = begun + 2 * 86_400 - 1
    assert stranger.get(path).status_code == 200
    clock.now = begun + 2 * 86_400
    gone = stranger.get(path)
    assert gone.status_code == 404 and "expired" in gone.text and gone.headers["X-Frame-Options"] == "DENY"
    assert stranger.get(f"{path}/figures.en.json").status_code == 404
    (left,) = ann.get("/api/v1/views").json["links"]
    assert ann.delete(f"/api/v1/links/{left['id']}").status_code == 204
    assert stranger.get(other).status_code == 404


def test_a_link_of_a_user_who_is_gone_shows_nothing(app: Flask, ann: FlaskClient) -> None:
    path, shown = made(ann), app.extensions["analytics"]
    others = replace(GUARDED, users={"bob": USERS["ann"]})
    app.extensions["analytics"] = type(shown)(
        **{name: getattr(shown, name) for name in shown.__dataclass_fields__ if name != "config"},
        config=replace(shown.config, dashboard=others),
    )
    assert app.test_client().get(path).status_code == 404


def test_only_a_link_that_names_sites_can_be_embedded_and_by_them_alone(app: Flask, ann: FlaskClient) -> None:
    stranger = app.test_client()
    plain, framed = (stranger.get(made(ann, frames=some)) for some in ([], ["https://wiki.example.com"]))
    assert plain.headers["X-Frame-Options"] == "DENY" and "frame-ancestors 'none'" in plain.headers["Content-Security-Policy"]  # fmt: skip
    assert "X-Frame-Options" not in framed.headers
    assert framed.headers["Content-Security-Policy"].endswith("frame-ancestors https://wiki.example.com")
    assert (
        framed.headers["Referrer-Policy"] == "no-referrer" and framed.headers["Cache-Control"] == "no-store"
    )
    other = ann.get("/payment?game=dl")
    assert other.headers["X-Frame-Options"] == "DENY" and "frame-ancestors 'none'" in other.headers["Content-Security-Policy"]  # fmt: skip
    for bad in (
        "*",
        "https://*.example.com",
        "javascript:x",
        "https://a.example; script-src *",
        "https://a.example/x",
    ):
        assert ann.post("/api/v1/links", json=DRAFT | {"frames": [bad]}).status_code == 400, bad


@pytest.mark.parametrize("changed", [
    {"page": "system"}, {"page": "nowhere"}, {"page": "collections/userpay"}, {"days": 0}, {"days": 367}, {"query": {"game": "nowhere"}}, {"query": {"x": "y"}},
    {"query": {"game": "dl", "compare": "area:w1"}},
])  # fmt: skip
def test_what_cannot_be_shared_is_refused(sharer: FlaskClient, changed: dict[str, object]) -> None:
    assert sharer.post("/api/v1/links", json=DRAFT | changed).status_code == 400
    if "query" in changed:
        view = {"name": "x", "page": "payment", **changed}
        assert sharer.post("/api/v1/views", json=view).status_code == 400


def test_forms_share_and_save_what_their_page_shows(app: Flask, ann: FlaskClient) -> None:
    at = f"/payment?game=dl&{SPAN}&lang=zh"
    ours = form_of(ann, at) | {"page": "payment", "back": at}
    answer = ann.post(
        "/links", data=ours | {"days": "3", "follow": "", "frames": "https://a.example, http://b:8080"}
    )
    address = answer.text.split('<a href="http://localhost')[1].split('"')[0]
    assert app.test_client().get(address).status_code == 200
    assert 'data-every="0"' in answer.text, "loaded again, its address would make another link"
    assert ann.get("/links?lang=zh").headers["Location"] == "/views?lang=zh"
    row = ann.get("/api/v1/views").json["links"][0]
    assert row["frames"] == "https://a.example http://b:8080" and row["query"]["from"] == "2026-03-20"
    ours = form_of(ann, at) | {"page": "payment", "back": at}
    assert ann.post("/views", data=ours | {"name": "<i>Mine</i>"}).status_code == 303
    saved = ann.get("/views").text
    assert (
        "&lt;i&gt;Mine" in saved and 'href="/payment?game=dl&amp;from=2026-03-20&amp;to=2026-04-02"' in saved
    )
    bob = app.test_client()
    log_in(bob, "bob", PASSWORD)
    assert bob.get("/api/v1/views").json["views"] == []
    everyone = {"name": "Ours", "page": "overview", "query": {"game": "dl"}, "everyone": True}
    assert ann.post("/api/v1/views", json=everyone).status_code == 201
    assert "Ours,overview,dl,game=dl,true,ann" in bob.get("/api/v1/views/views.csv").text
    (one,) = bob.get("/api/v1/views").json["views"]
    assert one["name"] == "Ours" and bob.delete(f"/api/v1/views/{one['id']}").status_code == 404
    assert ann.delete(f"/api/v1/views/{one['id']}").status_code == 204


def test_a_view_for_everyone_of_a_user_who_is_gone_can_be_removed(app: Flask, ann: FlaskClient) -> None:
    view = {"name": "Ours", "page": "overview", "query": {"game": "dl"}}
    for everyone in (True, False):
        assert ann.post("/api/v1/views", json=view | {"everyone": everyone}).status_code == 201
    bob = app.test_client()
    log_in(bob, "bob", PASSWORD)
    (one,) = bob.get("/api/v1/views").json["views"]
    assert bob.get("/api/v1/views").json["removable"] == []
    shown = app.extensions["analytics"]
    section = replace(shown.config.dashboard, users={"bob": USERS["bob"]})
    object.__setattr__(shown, "config", replace(shown.config, dashboard=section))
    assert bob.get("/api/v1/views").json["removable"] == [one["id"]]
    assert f"/views/{one['id']}/remove" in bob.get("/views").text
    limited = replace(section, rights={"bob": RightsSection(lists=False)})
    object.__setattr__(shown, "config", replace(shown.config, dashboard=limited))
    assert bob.delete(f"/api/v1/views/{one['id']}").status_code == 404, (
        "nor by one who does not see everything"
    )
    object.__setattr__(shown, "config", replace(shown.config, dashboard=section))
    assert bob.delete(f"/api/v1/views/{one['id']}").status_code == 204
    assert bob.get("/api/v1/views").json["views"] == []
