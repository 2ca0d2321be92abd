"""CSV as the standard library writes it, whatever is in a column; it begins before it is complete, and an error comes before it begins."""

import csv
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from forms import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from month import a_month
from store_reader import StoreReader

from analytics.errors import Unavailable
from analytics.store.reading import Query
from analytics.web.app import create_app
from analytics.web.csvs import pieces
from analytics.web.data import Data

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Texts that are no formula, with everything that has to be quoted.
texts = st.just("") | st.text("b0 ,\"\r\n\t=é'", max_size=6).map("a".__add__)
kinds = [st.integers(), st.floats(), st.booleans(), texts, texts | st.none()]
column = st.sampled_from([*kinds, st.one_of(kinds)])
tables = st.lists(column, min_size=1, max_size=4).flatmap(lambda some: st.lists(st.tuples(*some), max_size=9))


@settings(
    max_examples=examples(300), database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(rows=tables)
def test_a_csv_is_as_the_standard_library_writes_it(rows: list[tuple[Any, ...]]) -> None:
    expected = io.StringIO(newline="")
    plain = [[str(one).lower() if isinstance(one, bool) else one for one in row] for row in rows]
    csv.writer(expected, lineterminator="\r\n").writerows(plain)
    assert "".join(pieces(rows)) == expected.getvalue()


class Payers(StoreReader):
    """Endless payers, or a store that goes away before the first."""

    def __init__(self, data: Data, away: bool) -> None:
        super().__init__(data.store)
        self.away = away

    def find(self, query: Query, fields: Any, **options: Any) -> Iterator[dict[str, Any]]:
        if query.collection != "userpay":
            yield from super().find(query, fields, **options)
            return
        if self.away:
            raise Unavailable("the store is away")
        n = 0
        while n < 1_000_000:
            n += 1
            yield dict.fromkeys(fields, n) | {
                "acct": f"acct{n}",
                "area": "x",
                "first_pay": None,
                "last_pay": None,
            }


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return a_month(tmp_path_factory.mktemp("data"), 1, 5).data


@pytest.mark.parametrize(
    ("accepted", "packing", "unpacker"),
    [
        ("gzip, deflate, br", "gzip", lambda: zlib.decompressobj(31)),
        ("gzip, deflate, br, zstd", "zstd", zstd.ZstdDecompressor),
    ],
)
def test_a_packed_csv_comes_as_it_is_read(
    data: Data, accepted: str, packing: str, unpacker: Callable[[], Any]
) -> None:
    client = create_app(replace(data, reader=Payers(data, away=False))).test_client()
    answer = client.get("/api/v1/payment/top.csv", headers={"Accept-Encoding": accepted})
    assert answer.headers["Content-Encoding"] == packing
    unpack = unpacker()
    text = b"".join(unpack.decompress(piece) for piece in islice(answer.response, 3))
    assert text.startswith(b"acct,area") and text.count(b"\n") < 20_000
    answer.close()


def test_an_error_of_the_store_is_a_status(data: Data) -> None:
    client = create_app(replace(data, reader=Payers(data, away=True))).test_client()
    answer = client.get("/api/v1/payment/top.csv")
    assert (answer.status_code, answer.json["error"]) == (503, "the store is away")
