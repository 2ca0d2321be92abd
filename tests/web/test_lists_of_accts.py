"""The accts behind a number, as CSV: all of them, in little memory, and never a mix of what was and what is."""

import csv
import http.client
import io
import resource
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import gevent
import pytest
from flask import Flask
from forms import THOROUGH
from month import FIRST, LAST, Month, a_month, start

from analytics.core.settle import PART_SIZE
from analytics.store import Document, MemoryStore, Store, Write
from analytics.store.reading import ReadOnly
from analytics.web.acct_lists import LISTS
from analytics.web.app import create_app
from analytics.web.wsgi import LimitedServer

ACCTS, MOST_MB = 2_000_000 if THOROUGH else 1_000_000, 40
SPAN = f"from={FIRST}&to={LAST}"


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    return a_month(tmp_path_factory.mktemp("data"))


def over(month: Month, store: Store) -> Flask:
    """Return the month's dashboard over another store."""
    return create_app(replace(month.data, store=ReadOnly(store)))


@pytest.mark.parametrize("name", LISTS)
def test_a_list_has_every_acct_of_the_documents(month: Month, name: str) -> None:
    documents = month.some(LISTS[name][0], game="dl")
    one = documents[0]
    asked = {
        "game=dl": documents,
        f"game=dl&plat={one['plat']}": [d for d in documents if d["plat"] == one["plat"]],
    }
    asked[f"area={one['area']}"] = [d for d in documents if d["area"] == one["area"]]
    for query, wanted in asked.items():
        text = month.app.test_client().get(f"/api/v1/accts/{name}.csv?{query}&{SPAN}").text
        rows = list(csv.DictReader(io.StringIO(text)))
        found = sorted((start_of(row["day"]), row["area"], row["plat"], row["acct"]) for row in rows)
        expected = sorted((d["ts"], d["area"], d["plat"], acct) for d in wanted for acct in d["userlist"])
        assert found == expected and len(found) > 5
        assert [row["day"] for row in rows] == sorted(row["day"] for row in rows)


def start_of(day: str) -> int:
    return start(FIRST.fromisoformat(day))


def test_lists_are_as_long_as_the_numbers_of_an_area(month: Month) -> None:
    client = month.app.test_client()
    area = next(id for id, one in month.data.areas.items() if one.game == "dl")
    days = client.get(f"/api/v1/overview?area={area}&{SPAN}").json["days"]
    for name, number in (("active", "dau"), ("signups", "reg"), ("payers", "payers")):
        lines = client.get(f"/api/v1/accts/{name}.csv?area={area}&{SPAN}").text.splitlines()[1:]
        counted = Counter(line.split(",")[0] for line in set(lines))
        assert len(lines) == len(set(lines)) > 0
        assert counted == {day["day"]: day[number] for day in days if day[number]}


@pytest.mark.parametrize(("page", "names"), [("/", LISTS), ("/payment", ["active", "payers"])])
def test_lists_are_offered_beside_the_table_with_the_same_filter(
    month: Month, page: str, names: list[str]
) -> None:
    text = month.app.test_client().get(f"{page}?game=dl&{SPAN}&lang=zh").text
    for name in names:
        assert (
            f'href="/api/v1/accts/{name}.csv?game=dl&amp;from={FIRST}&amp;to={LAST}&amp;sheet=1" download'
            in text
        )


class Endless(MemoryStore):
    """One area-day with 2,000,000 accts, whose parts are made as they are asked for."""

    def __init__(self, id: str) -> None:
        super().__init__()
        self.id = id
        self.last = ACCTS // PART_SIZE - 1

    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        return {id: self.made(id) for id in ids if id.startswith(self.id)}

    def made(self, id: str) -> Document:
        number = int(id.rpartition("#")[2]) - 1 if "#" in id else self.last
        accts = [f"acct{n:012}" for n in range(PART_SIZE * number, PART_SIZE * (number + 1))]
        if number < self.last:
            return {"_id": id, "part_of": self.id, "part": number + 1, "userlist": accts}
        parts = {"count": self.last, "first": f"{self.id}#1", "last": f"{self.id}#{self.last}"}
        return {"_id": id, "_v": 1, "userlist": accts, "parts": parts}


def test_millions_of_accts_come_in_order_and_in_little_memory(month: Month) -> None:
    area = next(iter(month.data.areas))
    client = over(month, Endless(f"{area}:{start(LAST)}")).test_client()
    address = f"/api/v1/accts/active.csv?area={area}"
    assert client.get(f"{address}&from={FIRST}&to={FIRST}").text == "day,area,plat,acct\r\n"
    before, most = resident_mb(), 0.0
    answer = client.get(f"{address}&from={LAST}&to={LAST}")
    lines = read_by_line(answer.response)
    assert next(lines) == "day,area,plat,acct"
    for n in range(ACCTS):
        assert next(lines).endswith(f",acct{n:012}")
        if n % 50_000 == 0:
            most = max(most, resident_mb() - before)
    assert next(lines, None) is None
    assert most < MOST_MB, "16 parts of 2,000 accts take 3 MB, two million accts 130 MB"


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def read_by_line(pieces: Iterator[bytes]) -> Iterator[str]:
    for piece in pieces:
        yield from piece.decode().splitlines()


def test_other_requests_have_their_turn_while_a_list_is_sent(month: Month) -> None:
    turns = 0

    def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    area = next(iter(month.data.areas))
    client = over(month, Endless(f"{area}:{start(LAST)}")).test_client()
    answer = client.get(f"/api/v1/accts/active.csv?area={area}&from={LAST}&to={LAST}")
    running = gevent.spawn(other)
    try:
        assert len(list(islice(answer.response, 20))) == 20
        assert turns >= 19
    finally:
        running.kill()
        answer.close()


class Rewritten(MemoryStore):
    """Writes a list anew, as compacting or a rebuild does, when its twentieth part has been read."""

    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        found = super().load(collection, ids)
        if any(id.endswith("#20") for id in found):
            document = next(self.find(collection))
            self.write(collection, [Write(document["_id"], {**document, "_v": 2, "parts": None}, 1)])
            self.delete(collection, [f"{document['_id']}#{n}" for n in range(1, 41)])
        return found


def test_who_reads_a_list_that_is_written_anew_sees_that_it_ends_early(month: Month) -> None:
    area = next(iter(month.data.areas))
    id, store = f"{area}:{start(LAST)}", Rewritten()
    parts = {"count": 40, "first": f"{id}#1", "last": f"{id}#40"}
    document = {"_v": 1, "area": area, "ts": start(LAST), "userlist": ["new"], "parts": parts}
    store.write("loginday", [Write(id, document, 0)])
    store.write(
        "loginday",
        [Write(f"{id}#{n}", {"userlist": [f"{n}-{i}" for i in range(50)]}, None) for n in range(1, 41)],
    )
    server = LimitedServer(("127.0.0.1", 0), over(month, store))
    server.start()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=600)
        connection.request("GET", f"/api/v1/accts/active.csv?area={area}&from={LAST}&to={LAST}")
        answer = connection.getresponse()
        assert answer.status == 200
        with pytest.raises(http.client.IncompleteRead) as error:
            answer.read()
        assert b"new" not in error.value.partial
        connection.close()
    finally:
        server.stop(timeout=1)
