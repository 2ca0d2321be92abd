"""Annotations: entered by page and API, shown on every chart of days, and never from another site."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from databases import Database
from entering import SPAN, dashboard, form_of, sources
from flask.testing import FlaskClient

from analytics.cli.annotations import annotations
from analytics.config import Config
from analytics.errors import AnalyticsError, Unavailable
from analytics.store import MemoryStore, Write, open_store
from analytics.web.entries.annotations import Annotation
from analytics.web.entries.collection import Entries

API = "/api/v1/annotations"
LONG_TEXT = "Release 1.2 " * 15 + "of all areas"


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    return dashboard(tmp_path)[0].test_client()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    return dashboard(tmp_path_factory.mktemp("empty"))[0].test_client()


def marks(client: FlaskClient, page: str, chart: str) -> dict[str, list[object]]:
    return sources(client, page, chart)["marks"]


def test_an_annotation_is_on_the_charts_of_what_it_concerns(client: FlaskClient) -> None:
    for given in (
        {"text": "Release 1.2", "day": "2026-03-25", "kind": "release"},
        {"text": "Out", "day": "2026-04-02", "time": "14:30", "area": "s1", "kind": "outage"},
        {"text": "Elsewhere", "game": "wsdx", "day": "2026-03-25"},
    ):
        assert client.post(API, json=given).status_code == 201
    whole = marks(client, f"/?game=dl&{SPAN}", "active")
    assert whole["label"] == ["2026-03-25 Release 1.2", "2026-04-02 14:30 Out"]
    assert whole["x"] == [1774396800000, 1775088000000]
    assert marks(client, f"/?game=dl&{SPAN}", "logins") == {"x": [14.5], "label": ["14:30 Out"]}
    assert marks(client, f"/payment?game=dl&area=s2&{SPAN}", "income")["label"] == ["2026-03-25 Release 1.2"]
    assert marks(client, "/?game=dl&from=2026-03-26&to=2026-04-01", "active")["label"] == []
    assert "<b>2026-04-02 14:30</b> Out" in client.get(f"/?game=dl&{SPAN}").text
    rows = client.get(f"{API}?game=dl&{SPAN}").json["annotations"]
    assert [(one["day"], one["kind"], one["area"]) for one in rows] == [
        ("2026-03-25", "release", ""), ("2026-04-02", "outage", "s1")
    ]  # fmt: skip
    assert client.get(f"{API}/annotations.csv?game=dl&{SPAN}").text.count("\n") == 3
    assert client.delete(f"{API}/{rows[1]['id']}").status_code == 204
    assert marks(client, f"/?game=dl&{SPAN}", "active")["label"] == ["2026-03-25 Release 1.2"]


def test_a_form_enters_and_removes_one_and_leads_back(client: FlaskClient) -> None:
    ours = form_of(client, "/annotations?game=dl")
    given = {
        "day": "2026-03-25",
        "time": "",
        "kind": "event",
        "area": "",
        "text": "<b>Feast</b>",
        "game": "dl",
        "plat": "",
    }
    sent = client.post("/annotations", data={**given, **ours, "back": "/annotations?game=dl"})
    assert (sent.status_code, sent.headers["Location"]) == (303, "/annotations?game=dl")
    page = client.get(f"/annotations?game=dl&{SPAN}").text
    assert "&lt;b&gt;Feast" in page and "<b>Feast" not in page
    id = client.get(f"{API}?game=dl&{SPAN}").json["annotations"][0]["id"]
    ours = form_of(client, "/annotations?game=dl")
    away = client.post(f"/annotations/{id}/remove", data={**ours, "back": "//evil.example"})
    assert away.headers["Location"] == "/"
    assert client.get(f"{API}?game=dl&{SPAN}").json["annotations"] == []


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"json": {"text": "x"}, "headers": {"Origin": "https://evil.example"}}, 403),
        ({"json": {"text": "x"}, "headers": {"Origin": "http://["}}, 403),
        ({"data": '{"text": "x"}', "headers": {"Content-Type": "text/plain"}}, 415),
        ({"json": {"text": ""}}, 400),
        ({"json": {"text": "two\nlines"}}, 400),
        ({"json": {"text": "x", "day": "soon"}}, 400),
        ({"json": {"text": "x", "day": "2100-01-01"}}, 400),
        ({"json": {"text": "x", "time": "25:00"}}, 400),
        ({"json": {"text": "x", "game": "nowhere"}}, 400),
        ({"json": {"text": "x", "area": "w1", "game": "dl"}}, 400),
        ({"json": {"text": 1}}, 400),
        ({"data": b"\xff", "headers": {"Content-Type": "application/json"}}, 400),
    ],
)
def test_what_cannot_be_entered_is_refused(empty: FlaskClient, how: dict[str, object], status: int) -> None:
    answer = empty.post(API, **how)
    assert answer.status_code == status and not answer.json["error"].startswith("from")
    assert empty.post("/annotations", data={"text": "x"}).status_code == 400, "without our token"
    assert empty.get(f"{API}?{SPAN}").json["annotations"] == []


def test_a_store_that_refuses_to_be_written_answers_503_with_its_reason(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(collection: str, writes: object) -> set[str]:
        raise AnalyticsError("MongoDB refuses access: not authorized")

    monkeypatch.setattr(client.application.extensions["analytics"].entries, "write", refused)
    answer = client.post(API, json={"text": "x"})
    assert (answer.status_code, answer.json) == (503, {"error": "MongoDB refuses access: not authorized"})
    page = client.post("/annotations", data={**form_of(client, "/annotations"), "text": "x"})
    assert page.status_code == 503 and "not authorized" in page.text and "does not answer" not in page.text
    assert client.get("/api/v1/overview/days.csv").status_code == 503, "nothing is sent unnoticed"


def test_pages_do_without_annotations_that_were_changed_by_hand(client: FlaskClient) -> None:
    id = client.post(API, json={"text": "x", "day": "2026-04-01"}).json["id"]
    client.application.extensions["analytics"].entries.write(
        Annotation.collection, [Write(id, {"_id": id, "_v": 2}, 1)]
    )
    assert client.get(f"/?game=dl&{SPAN}").status_code == 200
    answer = client.get(f"{API}?game=dl&{SPAN}")
    assert answer.status_code == 503 and id in answer.json["error"]


def test_an_entry_whose_write_was_not_acknowledged_is_stored_once() -> None:
    class Unsure(MemoryStore):
        failures = 1

        def write(self, collection: str, writes: list[Write]) -> set[str]:
            refused = super().write(collection, writes)
            if self.failures:
                self.failures -= 1
                raise Unavailable("the connection broke")
            return refused

    store = Unsure()
    entry = Annotation(id="dl:2026-03-25:x", game="dl", day="2026-03-25", text="x")
    assert Entries(store, Annotation).add(entry) and list(Entries(store, Annotation).find("dl:")) == [entry]
    assert not Entries(store, Annotation).add(
        Annotation(id=entry.id, game="dl", day=entry.day, text="another")
    )
    assert list(store.ids(Annotation.collection)) == [entry.id]


def test_the_command_enters_lists_and_removes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, data, _ = dashboard(tmp_path)
    monkeypatch.setattr("analytics.cli.annotations.open_store", lambda config: data.writable())

    def run(*words: str, status: int = 0) -> str:
        done = CliRunner().invoke(annotations, words, obj=data.config)
        assert done.exit_code == status, done.output
        return done.output

    id = run("add", LONG_TEXT, "--area", "s3", "--day", "2026-03-25", "--kind", "release").strip()
    listed = run("list", "--game", "dl")
    assert LONG_TEXT in listed and id in listed, "nothing is cut or wrapped"
    assert "Release" not in run("list", "--game", "wsdx")
    assert "Release" not in run("list", "--from", "2026-03-26")
    run("remove", id)
    run("remove", id, status=1)
    run("add", "x", "--area", "nowhere", status=1)


def test_the_api_describes_what_it_takes(empty: FlaskClient) -> None:
    described = empty.get("/api/v1/openapi.json").json
    entering = described["paths"][API]["post"]
    assert entering["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith(
        "/AnnotationDraft"
    )
    assert {"AnnotationDraft", "Annotation", "AnnotationsAnswer"} <= described["components"]["schemas"].keys()
    assert described["paths"][f"{API}/{{id}}"]["delete"]["responses"]["204"]


def test_entries_are_kept_by_a_real_server(database: Database) -> None:
    store = open_store(Config(mongodb=database.section))
    try:
        entries = Entries(store, Annotation)
        some = [
            Annotation(id=f"{game}:2026-03-2{n}:x", game=game, day=f"2026-03-2{n}", text="x")
            for game, n in (("dl", 1), ("dl", 2), ("dlx", 3))
        ]
        assert [entries.add(one) for one in (*some, some[0])] == [True, True, True, False]
        assert list(entries.find("dl:")) == some[:2] and entries.get(some[2].id) == some[2]
        entries.remove_before(some[1].id)
        assert entries.remove(some[1].id) and not entries.remove(some[1].id)
        assert list(entries.find()) == some[2:]
    finally:
        store.close()
