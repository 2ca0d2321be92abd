"""The Queue's checksum stays the one of files that are already there."""

import zlib

from hypothesis import given
from hypothesis import strategies as st

from analytics.broker.checksum import crc32


@given(st.binary(max_size=5000), st.integers(0, 2**32 - 1), st.integers(0, 7))
def test_it_is_the_checksum_of_zlib_whatever_computes_it(data: bytes, before: int, begin: int) -> None:
    assert crc32(data, before) == zlib.crc32(data, before)
    assert crc32(memoryview(data)[begin:]) == zlib.crc32(data[begin:])
