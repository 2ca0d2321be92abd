"""What is read from a store has plain numbers, and what was written."""

import math
from typing import Any

import bson
import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from analytics.errors import AnalyticsError
from analytics.store.encoding import LONG_LIST, decode, encode
from analytics.store.store import Write


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        (5, 5),
        (Int64(5), 5),
        (2**31, 2**31),
        (-(2**63), -(2**63)),
        (1.5, 1.5),
        (Decimal128("12"), 12),
        (Decimal128("12.00"), 12),
        (Decimal128("12.25"), 12.25),
        (Decimal128("1E+30"), 1e30),
        (Decimal128("-Infinity"), -math.inf),
    ],
)
def test_numbers_are_plain_wherever_they_stand(stored: Any, read: int | float) -> None:
    found = decode(bson.encode({"n": stored, "list": [stored, [stored]], "inner": {"n": stored}}))
    assert found == {"n": read, "list": [read, [read]], "inner": {"n": read}}
    for one in (found["n"], found["list"][0], found["list"][1][0], found["inner"]["n"]):
        assert type(one) is type(read)


@pytest.mark.parametrize("text", ["NaN", "sNaN"])
def test_what_is_no_number_stays_none(text: str) -> None:
    assert math.isnan(decode(bson.encode({"n": Decimal128(text)}))["n"])


@pytest.mark.parametrize("item", ["a", "名字", "a\0b", "", 7, None])
@pytest.mark.parametrize("count", [0, LONG_LIST - 1, LONG_LIST, 9, 10, 11, 101, 1_001])
def test_a_document_with_a_long_list_reads_as_it_was_written(item: Any, count: int) -> None:
    document = {"n": 1, "list": [f"acct {n}" for n in range(count)] + [item], "last": {"list": ["x"] * count}}
    (raw,) = encode("c", [Write("a", document, None)])
    assert decode(raw) == {"_id": "a"} | document
    # Members may stand in another order, but each as pymongo encodes it.
    assert len(raw) == len(bson.encode({"_id": "a"} | document)) and next(iter(decode(raw))) == "_id"


def test_a_long_list_needs_a_name_that_can_be_stored() -> None:
    with pytest.raises(AnalyticsError, match="can't be written as BSON"):
        encode("c", [Write("a", {"a\0b": ["x"] * LONG_LIST}, None)])
