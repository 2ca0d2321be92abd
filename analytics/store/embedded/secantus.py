"""The engine ``secantus``: ``secantusd``, a server that speaks MongoDB's protocol and runs where ``mongod`` does not.

The PyPI package ``secantusdb`` (GPL) is started by its console script and never imported.
"""

import os
import shutil
import sys
import time
from contextlib import closing
from pathlib import Path

from analytics.errors import ConfigError
from analytics.store.dialect import SECANTUS
from analytics.store.embedded.engine import HOST, Engine
from analytics.store.mongo import MongoStore
from analytics.store.store import Write

PROGRAM = "secantusd-py"
SPREAD = 18
"""This many collections, ``part0`` and so on, are spread over all of the server's 16 tables of documents (measured)."""


class Secantus(Engine):
    """``secantusd`` on the data in ``store/db``.

    A server that is killed while it creates a table can't open the database any more. So all tables are created at the
    first start, before anything is counted.
    """

    name = "secantus"
    dialect = SECANTUS
    flag = "--storage-path"
    database_name = "db"
    # After a full disk, the server refuses everything until it is restarted, even if there is free space again.
    refusal_is_final = True
    # Without this, a kill -9 of the server loses writes that it had acknowledged.
    environment = {"WIREDTIGER_CONFIG": "transaction_sync=(enabled=true,method=none)"}

    def program(self) -> str:
        """Return the console script beside this Python, or the one on ``PATH``."""
        beside = Path(sys.executable).parent / PROGRAM
        found = str(beside) if os.access(beside, os.X_OK) else shutil.which(PROGRAM)
        if found is None:
            raise ConfigError(
                f"the embedded store needs the program {PROGRAM}, which is neither beside {sys.executable} nor on PATH. "
                "Install it with: pip install 'analytics[embedded]'; or set mongodb.uri to a MongoDB of your own"
            )
        return found

    def describe(self) -> str:
        return f"secantusd ({self.program()})"

    def command(self, program: str) -> list[str]:
        """Return the command line; an empty configuration keeps the server from finding another one."""
        empty = self.folder / "server.toml"
        empty.write_text("")
        command = [program, "--config", str(empty), "--host", HOST, "--log-level", "WARNING"]
        command += ["--port", str(self.port), self.flag, str(self.database)]
        # As a replica set of one, it would write each document a second time, into an unused oplog.
        command += ["--standalone", "--cache-size", f"{self.config.store.cache_mb}M"]
        return [*command, "--sync-on-commit"] if self.config.store.power_loss_safe else command

    def uri(self) -> str:
        """Return the URI; the server has no users.

        Retried writes are off: after a restart of the server, one took effect twice in a test. The suite's conditional
        writes don't need them.
        """
        return f"mongodb://{self.address}/?directConnection=true&retryWrites=false"

    def prepare(self) -> None:
        """Make the server create all its tables, over which it spreads collections by name."""
        if not self.making.exists():
            return
        uri = f"{self.uri()}&socketTimeoutMS=10000"
        with closing(MongoStore(uri, "health", dialect=self.dialect)) as store:
            for number in range(SPREAD):
                store.write(f"part{number}", [Write("store", {"at": time.time()}, None)])
