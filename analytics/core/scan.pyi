from collections.abc import Iterable, Mapping, Sequence

from analytics.core.plain import Plain

class Scanner:
    def __init__(
        self, areas: Iterable[str], earliest: int, fields: Mapping[str, Sequence[tuple[str, str]]]
    ) -> None: ...
    def plain(self, chunk: bytes, first: int, latest: int) -> Plain | None: ...
    def by_area(
        self, body: bytes, latest: int
    ) -> tuple[dict[str, tuple[memoryview, list[str], bool]], int, int] | None: ...
