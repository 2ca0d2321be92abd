from collections.abc import Iterable, Mapping

from analytics.core.plain import Plain
from analytics.core.schema import Schema

class Scanner:
    def __init__(self, areas: Iterable[str], earliest: int, schemas: Mapping[str, Schema]) -> None: ...
    def plain(self, chunk: bytes, first: int, latest: int) -> Plain | None: ...
    def by_area(
        self, body: bytes, latest: int
    ) -> tuple[dict[str, tuple[memoryview, list[str], bool]], int, int] | None: ...
