from collections.abc import Iterable

class Scanner:
    def __init__(self, areas: Iterable[str], earliest: int) -> None: ...
    def scan(
        self, chunk: bytes, source: bytes, first: int, latest: int
    ) -> dict[str, tuple[int, int, bytes]] | None: ...
