from collections.abc import Callable, Iterable, Mapping, Sequence

class Remapper:
    def __init__(
        self,
        time: Sequence[str],
        event: Sequence[str],
        area: Sequence[str],
        fields: Sequence[tuple[str, str, Sequence[str]]],
        own: Mapping[str, str],
        reserved: Iterable[str],
        scale: int,
        by_minute: bool,
        seconds: Callable[[bytes], int | None],
        event_of: Callable[[bytes], tuple[bytes, bytes] | None],
        area_of: Callable[[bytes], bytes | None],
    ) -> None: ...
    def records(self, chunk: bytes) -> bytes | None: ...

def numbered(chunk: bytes, first: int, begin: bytes, end: bytes) -> bytes: ...
