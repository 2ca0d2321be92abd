"""What is read from a store has plain numbers."""

import math
from typing import Any

import bson
import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from analytics.store.encoding import decode


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
