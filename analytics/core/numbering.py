"""Accts as numbers from 0 on: by compiled code, and where there is none by a dictionary that takes four times the memory."""

from itertools import islice
from sys import getsizeof
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

try:
    from analytics.core.accts import Accts as CompiledAccts
except ImportError:
    CompiledAccts = None  # type: ignore[assignment,misc]

Numbers = NDArray[np.uint32]

BYTES_A_NAME = 80
"""What an acct's name takes as a rule."""

BYTES_A_NUMBER = 32  # of a Python integer in a dictionary


class Accts(Protocol):
    """Gives each acct the next number, from 0 on, when it is first seen."""

    def __len__(self) -> int:
        """Return how many accts have a number."""
        ...

    @property
    def nbytes(self) -> int:
        """How much memory they take."""
        ...

    def numbers(self, accts: list[str]) -> bytes | bytearray:
        """Return the number of each of ``accts``, as native 32-bit integers."""
        ...

    def numbers_of(self, other: Any, begin: int) -> bytes | bytearray:
        """Return the number of each acct that ``other``, of the same class, numbers from ``begin`` on, in its order."""
        ...


class PlainAccts(dict[str, int]):
    """Accts in a dictionary: the reference for the compiled ones."""

    def __missing__(self, acct: str) -> int:
        number = self[acct] = len(self)
        return number

    @property
    def nbytes(self) -> int:
        return getsizeof(self) + len(self) * (BYTES_A_NAME + BYTES_A_NUMBER)

    def numbers(self, accts: list[str]) -> bytes:
        return np.fromiter(map(self.__getitem__, accts), np.uint32, len(accts)).tobytes()

    def numbers_of(self, other: "PlainAccts", begin: int) -> bytes:
        return self.numbers(list(islice(other, begin, None)))


def new_accts() -> Accts:
    return CompiledAccts() if CompiledAccts is not None else PlainAccts()


def numbers(accts: Accts, names: list[str]) -> Numbers:
    """Return the number of each of ``names`` in ``accts``."""
    return np.frombuffer(accts.numbers(names), np.uint32)


def numbers_of(accts: Accts, other: Accts, begin: int) -> Numbers:
    """Return the number in ``accts`` of each acct that ``other`` numbers from ``begin`` on."""
    return np.frombuffer(accts.numbers_of(other, begin), np.uint32)
