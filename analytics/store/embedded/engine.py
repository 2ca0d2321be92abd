"""The interface of a server that the node ``store`` runs: how to start, reach and prepare it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from analytics.config import Config
from analytics.store.dialect import Dialect

HOST = "127.0.0.1"
"""Embedded servers listen on the loopback only."""


class Engine(ABC):
    """A database server. It runs as a separate process and is never imported.

    Args:
        port: replaces ``store.port``.

    Attributes:
        name: as ``store.engine`` names it.
        dialect: the server's capabilities.
        flag: the command line argument that names the data folder.
        refusal_is_final: whether the server, after it refused one request, refuses all until it is restarted.
        environment: additional environment variables of the process.
        database: the engine's own data folder.
        making: a file that exists until a new database is complete: if a kill interrupts its creation, it is created again, since it
            has no data yet.
    """

    name: ClassVar[str]
    dialect: ClassVar[Dialect]
    flag: ClassVar[str]
    refusal_is_final: ClassVar[bool] = False
    environment: ClassVar[Mapping[str, str]] = {}
    database_name: ClassVar[str]
    making_name: ClassVar[str] = "making"

    def __init__(self, config: Config, port: int | None = None) -> None:
        self.config = config
        self.port = config.store.port if port is None else port
        self.folder = config.data.absolute() / "store"
        self.database = self.folder / self.database_name
        self.making = self.folder / self.making_name

    @property
    def holds_data(self) -> bool:
        """Whether its folder holds a complete database. Cheap: two file system calls."""
        return (self.database / "WiredTiger.turtle").exists() and not self.making.exists()

    @property
    def can_be_reached(self) -> bool:
        """Whether everything that :meth:`uri` needs exists."""
        return True

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{HOST}:{self.port}"

    @abstractmethod
    def program(self) -> str:
        """Return the path of the program. Raise ConfigError if none runs here."""

    @abstractmethod
    def describe(self) -> str:
        """Return the server's name and version, and where the program is. Raise ConfigError as :meth:`program`."""

    def caution(self) -> str:
        """Return "" or a warning against this server in production. Raise ConfigError as :meth:`program`."""
        return ""

    @abstractmethod
    def command(self, program: str) -> list[str]:
        """Return the command line, after writing the files it needs."""

    @abstractmethod
    def uri(self) -> str:
        """Return the URI for any MongoDB client, with credentials."""

    def anonymous_uri(self) -> str:
        """Return the URI without credentials, which suffices to ask whether the server answers."""
        return f"mongodb://{self.address}/?directConnection=true"

    @abstractmethod
    def prepare(self) -> None:
        """Prepare a started server for the suite; idempotent. Raise AnalyticsError if it does not answer, or refuses."""

    def last_errors(self, lines: list[str]) -> str:
        """Return the errors in the last lines of its log, as one line."""
        return " | ".join(lines[-3:])
