"""What the node ``store`` needs to know of a server that it runs: how to start it, reach it and prepare it."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from analytics.config import Config
from analytics.store.dialect import Dialect

HOST = "127.0.0.1"
"""Embedded servers listen on the loopback only."""


class Engine(ABC):
    """A server that can keep the suite's documents. It runs as a process of its own and is never imported.

    Each engine has its own folder for its data. ``making`` is a file that exists until a new database is complete:
    a database that a kill cut short is made again, since nothing was counted into it yet.

    Args:
        port: to serve on, instead of ``store.port``.

    Attributes:
        name: as ``store.engine`` names it.
        dialect: how to ask this server for what it does best.
        flag: the argument of its command line that names the folder of its data.
        refusal_is_final: whether a server that once refused a request refuses all of them until it is restarted.
    """

    name: ClassVar[str]
    dialect: ClassVar[Dialect]
    flag: ClassVar[str]
    refusal_is_final: ClassVar[bool]

    def __init__(self, config: Config, port: int | None = None) -> None:
        self.config = config
        self.port = config.store.port if port is None else port
        self.folder = config.data.absolute() / "store"

    @property
    @abstractmethod
    def database(self) -> Path:
        """The folder of its data."""

    @property
    def making(self) -> Path:
        """The file that exists until the database is complete."""
        return self.folder / "making"

    @property
    def holds_data(self) -> bool:
        """Whether its folder holds a complete database. Cheap: two looks at the file system."""
        return (self.database / "WiredTiger.turtle").exists() and not self.making.exists()

    @property
    def can_be_reached(self) -> bool:
        """Whether :meth:`uri` needs nothing that does not exist yet."""
        return True

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{HOST}:{self.port}"

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Variables that the process gets besides those of this one."""

    @abstractmethod
    def program(self) -> str:
        """Return the path of the program. Raise ConfigError where there is none that runs."""

    @abstractmethod
    def describe(self) -> str:
        """Return the server's name and version, and where the program is. Raise ConfigError as :meth:`program`."""

    def caution(self) -> str:
        """Return "", or what speaks against this server in production. Raise ConfigError as :meth:`program`."""
        return ""

    @abstractmethod
    def command(self, program: str) -> list[str]:
        """Return the command line. Files that it needs are written first."""

    @abstractmethod
    def uri(self) -> str:
        """Return the address as any MongoDB client takes it, with the credentials in it."""

    def anonymous_uri(self) -> str:
        """Return the address without credentials: enough to ask whether the server answers."""
        return f"mongodb://{self.address}/?directConnection=true"

    @abstractmethod
    def prepare(self) -> None:
        """Bring a server that just started into the state that the suite needs; repeating it changes nothing.

        Raises:
            AnalyticsError: it does not answer, or refuses.
        """

    def last_words(self, lines: list[str]) -> str:
        """Return what the last lines of its log say, in one line."""
        return " | ".join(lines[-3:])
