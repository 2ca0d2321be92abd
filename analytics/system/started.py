"""What runs inside a with statement."""

from abc import ABC, abstractmethod
from typing import Self


class Started(ABC):
    """Is started at the begin of a ``with`` block and stopped at its end, also where the start fails half-way."""

    @abstractmethod
    def start(self) -> None:
        """Start it."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it, whatever of it runs."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
