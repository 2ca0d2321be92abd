"""The engine ``mongod``: MongoDB's own server, standalone, with a user and a random password.

Standalone, not a replica set of one: majority writes and reads work on both, an acknowledged write is in the journal
on both, and a replica set's oplog costs a third more of the server's time for an insert and three quarters more for a
replacement (measured: 11.5 instead of 8.5 µs, and 82 instead of 46).
"""

import json
import logging
import re
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from analytics.errors import AnalyticsError, ConfigError
from analytics.store.dialect import MONGODB
from analytics.store.embedded.engine import HOST, Engine
from analytics.store.embedded.password import NAME as PASSWORD
from analytics.store.embedded.password import password
from analytics.store.mongo import translated_errors
from analytics.store.mongod import Mongod as Binary
from analytics.store.mongod import NoMongod, find_mongod

USER = "analytics"
LEAST_CACHE_MB = 256
"""The smallest cache that mongod accepts."""
PLAIN_JOURNAL = "analytics-plain-journal"
"""A file beside the data: nothing in its journal is compressed."""
SUPPORTED = (7, 0)
"""The oldest release series that MongoDB still maintains."""

AUTHENTICATION_FAILED = 18  # MongoDB's code
UNAUTHORIZED = 13  # MongoDB's code
PREPARE_OPTIONS: dict[str, Any] = {
    "serverSelectionTimeoutMS": 1000,
    "connectTimeoutMS": 1000,
    "socketTimeoutMS": 30_000,
}

_OTHER_RELEASE = re.compile(
    r"UPGRADE PROBLEM|Wrong mongod version|featureCompatibilityVersion document|unsupported WiredTiger file version"
)

# The id of the first log line of each start.
_STARTING = '"id":4615611,'

log = logging.getLogger(__name__)


class MongodEngine(Engine):
    """``mongod`` on the data in ``store/mongod``."""

    name = "mongod"
    dialect = MONGODB
    flag = "--dbpath"
    database_name = "mongod"
    making_name = "making-mongod"
    """There until the database has its user."""

    @property
    def can_be_reached(self) -> bool:
        return (self.folder / PASSWORD).exists()

    def binary(self) -> Binary:
        """Return the ``mongod`` of ``store.mongod``, or the one found. Raise ConfigError without one."""
        try:
            return find_mongod(self.config.store.mongod)
        except NoMongod as error:
            raise ConfigError(
                f'{error}. Or set store.engine = "secantus", or mongodb.uri to a MongoDB of your own'
            ) from error

    def program(self) -> str:
        return str(self.binary().path)

    def describe(self) -> str:
        found = self.binary()
        return f"mongod {found.release} ({found.path}, {found.found})"

    def caution(self) -> str:
        found = self.binary()
        if found.version[:2] >= SUPPORTED:
            return ""
        return f"MongoDB no longer maintains mongod {found.release}: for production name a MongoDB of your own in mongodb.uri"

    def command(self, program: str) -> list[str]:
        """Return the command line. The log goes to stdout, the journal is always on."""
        self.database.mkdir(mode=0o700, exist_ok=True)
        cache = max(self.config.store.cache_mb, LEAST_CACHE_MB) / 1024
        return [
            program, self.flag, str(self.database), "--bind_ip", HOST, "--port", str(self.port), "--nounixsocket",
            "--auth", "--quiet", "--noscripting", "--wiredTigerCacheSizeGB", f"{cache:g}",
            # Up to 6.0, zlib-compressed messages have a vulnerability that needs no log-in.
            "--networkMessageCompressors", "disabled",
            "--setParameter", "diagnosticDataCollectionEnabled=false",
            *self._journal_flags(),
        ]  # fmt: skip

    def _journal_flags(self) -> list[str]:
        """Return what turns the journal's compression off, which takes about a fifth of the server's time.

        A server that recovers a compressed journal with this flag ends. So data of an earlier version, whose journal is
        compressed, gets the flag after its server has ended in order, when its lock file is empty.
        """
        mark, lock = self.database / PLAIN_JOURNAL, self.database / "mongod.lock"
        if not mark.exists() and lock.exists() and lock.stat().st_size:
            return []
        mark.touch(mode=0o600)
        return ["--wiredTigerJournalCompressor", "none"]

    def uri(self) -> str:
        """Return the address with user and password; the first call creates the password."""
        secret = password(self.folder)
        return f"mongodb://{USER}:{secret}@{self.address}/?authSource=admin&directConnection=true"

    def prepare(self) -> None:
        """Create the user if it does not exist, and set the data's compatibility to the program's version."""
        uri = self.uri()
        with translated_errors("the embedded mongod"):
            try:
                _use_own_version(uri)
            except OperationFailure as error:
                if error.code != AUTHENTICATION_FAILED:
                    raise
                self._create_user()
                _use_own_version(uri)

    def last_errors(self, lines: list[str]) -> str:
        """Return the errors since the last start, the first of them, and what to do about data of another version."""
        starts = [number for number, line in enumerate(lines) if _STARTING in line]
        lines = lines[starts[-1] :] if starts else lines
        worst = [line for line in lines if '"s":"F"' in line or '"s":"E"' in line]
        words = " | ".join(_message(line)[:300] for line in (worst[:3] or lines[-3:]))
        if any(_OTHER_RELEASE.search(line) for line in lines):
            words += (
                f". The data in {self.database} was written by another release series than this one opens. Name a mongod "
                "of the series that wrote it in store.mongod; to upgrade, start each series in turn (5.0, 6.0, 7.0), "
                "since each opens only data of its own and of the one before"
            )
        return words

    def _create_user(self) -> None:
        """Create the user without a log-in, as mongod allows from the same machine while there is no user yet."""
        with _client(self.anonymous_uri()) as client:
            try:
                client.admin.command("createUser", USER, pwd=password(self.folder), roles=["root"])
            except OperationFailure as error:
                if error.code != UNAUTHORIZED:
                    raise
                raise AnalyticsError(
                    f"mongod refuses the password in {self.folder / PASSWORD}, so its data in {self.database} was "
                    "made with another one. Restore that file from the backup that the data is from"
                ) from error
        log.info("created the user %s of the embedded mongod", USER)


def _client(uri: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(uri, **PREPARE_OPTIONS)


def _use_own_version(uri: str) -> None:
    """Set ``featureCompatibilityVersion`` to the server's version, which an upgrade of the program does not.

    The next upgrade refuses data that is two versions behind. If this fails, the server works anyway.
    """
    with _client(uri) as client:
        numbers = client.server_info()["versionArray"]
        own = f"{numbers[0]}.{numbers[1]}"
        found = client.admin.command("getParameter", featureCompatibilityVersion=1)
        version = found["featureCompatibilityVersion"]["version"]
        if version == own:
            return
        statement: dict[str, Any] = {"setFeatureCompatibilityVersion": own}
        if numbers[0] >= 7:
            statement["confirm"] = True
        try:
            client.admin.command(statement)
        except OperationFailure as error:
            log.warning("mongod %s keeps the data compatible with %s: %s", own, version, error)
        else:
            log.info("the data was compatible with mongod %s, now with %s", version, own)


def _message(line: str) -> str:
    """Return the message and the error of a line of mongod's log, which is JSON; other lines as they are."""
    try:
        record = json.loads(line)
    except ValueError:
        return line
    attributes = record.get("attr", {})
    reasons = [str(attributes[name]) for name in ("error", "message", "reason") if name in attributes]
    return ": ".join([str(record.get("msg", "")), *reasons])
