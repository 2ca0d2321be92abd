"""Rights: what users and tokens see of games and accts, on every page, in the API and in every CSV; and who fetched what."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from entering import PASSWORD, SPAN, USERS, dashboard, form_of, log_in
from flask import Flask
from flask.testing import FlaskClient

from analytics.bolts import BOLTS
from analytics.cli import export as exporting
from analytics.cli.tokens import tokens
from analytics.config import Config, DashboardSection
from analytics.config.checks import faults
from analytics.config.sections import RightsSection
from analytics.core.bolt import Bolt
from analytics.core.latest import Latest
from analytics.core.measures import Count
from analytics.errors import Unavailable
from analytics.web.entries import tokens as entered
from analytics.web.entries.audit import AuditEntry
from analytics.web.page_set import PageSet
from analytics.web.pages import PAGES
from analytics.web.rights import NotAllowed, Viewer

LIMITED = DashboardSection(
    users=USERS | {"eve": USERS["ann"]},
    rights={"bob": RightsSection(games=["dl"]), "eve": RightsSection(lists=False)},
)
NAMED = (
    "/api/v1/accts/active.csv", "/api/v1/payment/top.csv", "/api/v1/collections/userpay",
    "/api/v1/collections/userpay/documents.csv", "/api/v1/collections/usercenter", "/collections/payorderdetail",
    "/live", "/api/v1/system/rejected.csv", "/access", "/api/v1/access/audit.csv",
)  # fmt: skip


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return dashboard(tmp_path, LIMITED)[0]


@pytest.fixture(scope="module")
def eve_and_ann(tmp_path_factory: pytest.TempPathFactory) -> tuple[FlaskClient, FlaskClient]:
    app = dashboard(tmp_path_factory.mktemp("limited"), LIMITED)[0]
    return as_user(app, "eve"), as_user(app, "ann")


def as_user(app: Flask, name: str) -> FlaskClient:
    client = app.test_client()
    log_in(client, name, PASSWORD)
    return client


def token(app: Flask, name: str = "ci", **changed: object) -> dict[str, str]:
    shown = app.extensions["analytics"]
    given = {"games": [], "known_games": {"dl", "wsdx"}, "lists": False, "annotates": False, "days": 9, "by": "", "now": shown.clock()}  # fmt: skip
    made, _ = entered.make_token(shown.writable(), name, **given | changed)
    return {"Authorization": f"Bearer {made}"}


def test_a_user_of_one_game_never_sees_another(app: Flask) -> None:
    bob = as_user(app, "bob")
    for page in PAGES:
        here = bob.get(page.path)
        assert here.status_code == (403 if page.of_all else 200), page.name
        assert "wsdx" not in here.text and "w1" not in here.text, page.name
        for asked in ("game=wsdx", "area=w1") if page.has_filter else ():
            answer = bob.get(f"/api/v1/{page.name}?{asked}")
            assert answer.status_code in (400, 403), page.name
            assert "rich of wsdx" not in answer.text and "acct of wsdx" not in answer.text
    assert "wsdx" not in bob.get("/api/v1/openapi.json").text
    assert "acct of dl" in bob.get(f"/api/v1/accts/active.csv?{SPAN}").text
    assert bob.get(f"/api/v1/accts/active.csv?game=wsdx&{SPAN}").status_code == 400
    assert bob.get("/api/v1/collections/loginday?game=wsdx").status_code == 400
    ann = as_user(app, "ann")
    made = ann.post("/api/v1/annotations", json={"text": "x", "game": "wsdx"}).json
    assert bob.delete(f"/api/v1/annotations/{made['id']}").status_code == 404
    assert bob.post("/api/v1/annotations", json={"text": "x", "game": "wsdx"}).status_code == 400
    link = {"page": "overview", "query": {"game": "wsdx"}}
    assert bob.post("/api/v1/links", json=link).status_code == 400
    shared = ann.post("/api/v1/links", json=link).json["address"].removeprefix("http://localhost")
    assert bob.get(shared).status_code == 200, "a link shows the same to everyone"
    ann.post("/api/v1/views", json={"name": "x", "everyone": True, **link})
    assert bob.get("/api/v1/views").json["views"] == []


@pytest.mark.parametrize("address", NAMED)
def test_a_user_without_lists_sees_no_acct_by_name(
    eve_and_ann: tuple[FlaskClient, FlaskClient], address: str
) -> None:
    eve, ann = eve_and_ann
    assert eve.get(address).status_code == 403, address
    assert ann.get(address).status_code == 200, address


def test_pages_of_own_bolts_that_may_name_accts_are_kept_from_that_user(tmp_path: Path) -> None:
    shown = dashboard(tmp_path)[1]
    reads = {"gamelog.shop_logbuy": BOLTS["shop"].reads["gamelog.shop_logbuy"]}
    keyed = Bolt("buyers", reads, {"n": Count()}, "day", by={"player": "acct"})
    newest = Bolt("newest", reads, {"n": Count(), "buyer": Latest("acct", "ts", None)}, "day")
    eve = replace(shown, bolts={"buyers": keyed, "newest": newest}).seen_by(Viewer("eve", lists=False))
    pages = PageSet(eve).by_name
    assert not pages["collections/buyers"].is_shown_to(eve.viewer)
    assert pages["collections/newest"].is_shown_to(eve.viewer)
    with pytest.raises(NotAllowed):
        pages["collections/newest"].csv("documents", eve, {})


def test_pages_leave_out_what_a_user_may_not_see(eve_and_ann: tuple[FlaskClient, FlaskClient]) -> None:
    eve, ann = eve_and_ann
    page, whole = (one.get(f"/payment?game=dl&{SPAN}").text for one in (eve, ann))
    assert "rich of dl" in whole and "rich of dl" not in page and 'data-chart="income"' in page
    assert "/api/v1/accts/" in whole and "/api/v1/accts/" not in page
    assert 'href="/live' in whole and 'href="/live' not in page and 'href="/system' not in page
    assert eve.get(f"/api/v1/payment?game=dl&{SPAN}").json["top"] == []


def test_a_token_is_scoped_expires_and_is_revoked(app: Flask) -> None:
    client, clock = app.test_client(), app.extensions["analytics"].clock
    plain, dl = token(app), token(app, "dl", games=["dl"], lists=True, annotates=True)
    assert client.get("/api/v1/overview", headers=plain).status_code == 200
    assert client.get("/api/v1/overview?game=wsdx", headers=plain).status_code == 200
    assert client.get("/api/v1/overview?game=wsdx", headers=dl).status_code == 400
    assert client.get(NAMED[0], headers=plain).status_code == 403
    assert "acct of dl" in client.get(NAMED[0], headers=dl).text
    assert client.get("/", headers=plain).status_code == 302, "pages are for people"
    entry = {"text": "Release", "day": "2026-04-01"}
    assert client.post("/api/v1/annotations", json=entry, headers=plain).status_code == 403
    made = client.post("/api/v1/annotations", json=entry, headers=dl)
    assert made.status_code == 201 and made.json["by"] == "token dl"
    assert client.post("/api/v1/links", json={"page": "overview"}, headers=dl).status_code == 403
    for wrong in ("", "ci", "ci.", "ci.x", plain["Authorization"] + "x", "nobody." + "x" * 43, "é.x"):
        answer = client.get("/api/v1/overview", headers={"Authorization": f"Bearer {wrong}".encode()})
        assert answer.status_code == 401, wrong
    stored = str(app.extensions["analytics"].store.load(entered.ApiToken.collection, ["ci"]))
    assert plain["Authorization"].rpartition(".")[2] not in stored
    clock.now += 9 * 86_400
    assert client.get("/api/v1/overview", headers=plain).status_code == 401


def test_only_who_sees_everything_makes_tokens(app: Flask) -> None:
    ann, eve = as_user(app, "ann"), as_user(app, "eve")
    given = {"name": "grafana", "game": "dl", "days": "9", "back": "/access"}
    made = ann.post("/tokens", data=form_of(ann, "/access") | given).text.split("<code>")[1].split("<")[0]
    asked = {"Authorization": f"Bearer {made}"}
    assert app.test_client().get("/api/v1/overview", headers=asked).status_code == 200
    assert ann.get("/tokens").headers["Location"] == "/access"
    assert made not in ann.get("/access").text and "grafana" in ann.get("/access").text
    again = ann.post("/tokens", data=form_of(ann, "/access") | given)
    assert again.status_code == 400 and "already" in again.text
    assert eve.post("/tokens", data=form_of(eve, "/payment") | given | {"name": "x"}).status_code == 403
    assert ann.post("/tokens/grafana/revoke", data=form_of(ann, "/access")).status_code == 303
    assert app.test_client().get("/api/v1/overview", headers=asked).status_code == 401


@pytest.mark.parametrize("path", ["annotations", "views", "links"])
def test_who_may_not_enter_anything_hears_that_and_not_what_is_wrong_with_it(app: Flask, path: str) -> None:
    sent = {"data": b"{", "content_type": "application/json"}
    answer = app.test_client().post(f"/api/v1/{path}", headers=token(app), **sent)
    assert answer.status_code == 403 and "API token" in answer.json["error"]


def test_the_audit_log_says_who_fetched_what(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, shown = as_user(app, "ann"), app.extensions["analytics"]
    ann.get(f"/api/v1/accts/active.csv?game=dl&{SPAN}")
    shown.clock.now += 1
    app.test_client().get("/api/v1/overview/days.csv?game=dl", headers=token(app))
    ann.get("/payment?game=dl")
    found = ann.get("/api/v1/access").json["audit"]
    assert [(one["who"], one["what"], one["name"], one["address"]) for one in found] == [
        ("token ci", "csv", "overview/days", "127.0.0.1"), ("ann", "list", "accts/active", "127.0.0.1")
    ]  # fmt: skip
    assert found[1]["query"] == f"game=dl&{SPAN}"
    page = ann.get("/access").text
    assert "accts/active" in page and "token ci" in page
    shown.clock.now += 400 * 86_400
    ann = as_user(app, "ann")
    monkeypatch.setattr("analytics.web.access.LoginSessions.goes_on", lambda self, name: True)
    ann.get("/api/v1/overview/days.csv?game=dl")
    assert len(list(shown.store.ids(AuditEntry.collection))) == 1, "old entries are removed"

    def away(collection: str, writes: object) -> set[str]:
        raise Unavailable("no primary")

    monkeypatch.setattr(shown.entries, "write", away)
    assert ann.get("/api/v1/overview/days.csv?game=dl").status_code == 503, "nothing is sent unnoticed"


def test_the_audit_log_says_who_made_and_revoked_tokens_and_links(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, shown = as_user(app, "ann"), app.extensions["analytics"]
    given = {"name": "grafana", "game": "dl", "days": "9", "lists": "1", "back": "/access"}
    ann.post("/tokens", data=form_of(ann, "/access") | given)
    shown.clock.now += 1
    ann.post("/tokens/grafana/revoke", data=form_of(ann, "/access"))
    ann.post("/tokens/nobody/revoke", data=form_of(ann, "/access"))
    shown.clock.now += 1
    query = {"game": "dl", "from": "2026-03-20", "to": "2026-04-02"}
    id_ = ann.post("/api/v1/links", json={"page": "payment", "query": query}).json["link"]["id"]
    shown.clock.now += 1
    ann.delete(f"/api/v1/links/{id_}")
    found = ann.get("/api/v1/access").json["audit"][::-1]
    link = (f"payment {id_[:8]}", "from=2026-03-20&game=dl&to=2026-04-02")
    assert [(one["who"], one["what"], one["name"], one["query"]) for one in found] == [
        ("ann", "token created", "grafana", "game=dl lists days=9"), ("ann", "token revoked", "grafana", ""),
        ("ann", "link created", *link), ("ann", "link revoked", *link),
    ]  # fmt: skip
    page = ann.get("/access?lang=zh").text
    assert "创建令牌" in page and "撤销分享链接" in page

    token(app, "kept")
    forms = form_of(ann, "/access")
    with monkeypatch.context() as patched:
        patched.setattr("analytics.web.entries.audit.AuditLog.note", _away)
        answers = [
            ann.post("/tokens", data=forms | given), ann.post("/tokens/kept/revoke", data=forms),
            ann.post("/api/v1/links", json={"page": "payment", "query": query}),
        ]  # fmt: skip
    assert [one.status_code for one in answers] == [503] * 3
    assert "<code>" not in answers[0].text and "/shared/" not in answers[2].text, (
        "no secret is shown unnoticed"
    )
    assert shown.store.load(entered.ApiToken.collection, ["kept"]), "nothing is revoked unnoticed"


def _away(*given: object, **named: object) -> None:
    raise Unavailable("no primary")


def test_the_command_makes_lists_and_revokes_tokens(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = app.extensions["analytics"]
    monkeypatch.setattr("analytics.cli.tokens.open_store", lambda config: shown.writable())
    monkeypatch.setattr("time.time", shown.clock)

    def run(*words: str, status: int = 0) -> str:
        done = CliRunner().invoke(tokens, words, obj=shown.config)
        assert done.exit_code == status, done.output
        return done.output

    made = run("create", "grafana", "--game", "dl", "--days", "3").strip()
    answer = app.test_client().get("/api/v1/overview", headers={"Authorization": f"Bearer {made}"})
    assert answer.status_code == 200
    assert "grafana" in run("list") and made.partition(".")[2] not in run("list")
    run("create", "grafana", status=1)
    run("create", "other", "--game", "nowhere", status=1)
    run("revoke", "grafana")
    run("revoke", "grafana", status=1)
    found = as_user(app, "ann").get("/api/v1/access").json["audit"]
    assert {(one["what"], one["name"], one["query"]) for one in found} == {
        ("token created", "grafana", "game=dl days=3"), ("token revoked", "grafana", ""),
    }  # fmt: skip
    assert all(" on " in one["who"] for one in found)


def test_rights_of_nobody_or_of_no_game_are_refused(app: Flask) -> None:
    config: Config = app.extensions["analytics"].config
    assert not [one for one in faults(config) if "rights" in one]
    rights = {"zoe": RightsSection(), "bob": RightsSection(games=["dll"]), "ann": RightsSection(games=[])}
    assert not app.extensions["analytics"].seen_by(Viewer("zoe", frozenset())).areas, "no game is no game"
    wrong = Config(dashboard=DashboardSection(users=USERS, rights=rights), games=config.games)
    found = [one for one in faults(wrong) if "rights" in one]
    assert found == [
        "dashboard.rights.zoe: expected a user of the dashboard, who are: ann, bob",
        'dashboard.rights.bob.games: expected games of [games], which are: dl, wsdx; got "dll"',
        "dashboard.rights.ann.games: expected at least one game; leave it out for all of them",
    ]


def test_an_export_is_in_the_audit_log_and_is_not_kept_from_running(
    app: Flask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = app.extensions["analytics"]
    monkeypatch.setattr(exporting, "open_store", lambda config: shown.writable())
    monkeypatch.setattr("time.time", shown.clock)
    exporting._audit(shown.config, "s3://games/export", "journals")
    (found,) = as_user(app, "ann").get("/api/v1/access").json["audit"]
    assert (found["what"], found["name"], found["query"]) == ("export", "s3://games/export", "journals")

    def away(config: Config) -> None:
        raise Unavailable("no primary")

    monkeypatch.setattr(exporting, "open_store", away)
    exporting._audit(shown.config, "s3://games/export", None)
    assert "audit log does not have this export: no primary" in capsys.readouterr().err
