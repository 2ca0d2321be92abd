"""The node ``store``: runs the embedded server, checks it each second, and restarts it if it died."""

import logging
import time
from typing import Any

from pymongo.errors import OperationFailure

from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.store.embedded.choice import chosen_at_start, elsewhere, reason
from analytics.store.embedded.password import make_folder
from analytics.store.embedded.process import take_folder
from analytics.store.embedded.server import EmbeddedServer
from analytics.system.locks import FileLock

HUNG_SECONDS = 60.0  # a busy server may not answer for as long as it recovers or builds an index
REFUSING_SECONDS = 5.0  # with a final refusal, see `Engine.refusal_is_final`
MOST_WAIT_SECONDS = 30.0  # between two starts of a server that keeps dying

log = logging.getLogger(__name__)


class StoreNode:
    """Starts the server, checks it each second by a write and a read, and restarts it if it died."""

    name = "store"
    role = "store"

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock: FileLock | None = None
        self._server: EmbeddedServer | None = None
        self._about = {"engine": "", "reason": "", "elsewhere": ""}
        self._error = ""
        self._patience = HUNG_SECONDS
        self._answered = 0.0
        self._took = 0.0
        self._restarts = 0
        self._wait = 1.0
        self._not_before = 0.0

    def start(self) -> None:
        """Start the configured server, and wait until it answers, at most 30 s.

        Raises:
            ConfigError: the program is not installed, or the documents are with the other engine.
            AnalyticsError: another node holds the folder, another program the port, or the server ended.
        """
        folder = self._config.data.absolute() / "store"
        make_folder(folder)
        self._lock = take_folder(folder)
        try:
            self._start_server()
        except BaseException:
            self.stop()
            raise

    def _start_server(self) -> None:
        why = reason(self._config)
        engine = chosen_at_start(self._config)
        name, other = engine.describe(), elsewhere(self._config)
        self._about = {"engine": name, "reason": why, "elsewhere": other}
        log.info("%s serves %s at %s: %s", name, engine.database, engine.address, why)
        for text in filter(None, (engine.caution(), other)):
            log.warning(text)
        server = self._server = EmbeddedServer(
            engine, self._config.data.absolute() / "log" / "store-server.log"
        )
        server.rotate_log()
        self._answered = time.time()
        server.start()
        self._check(server)

    def step(self) -> None:
        """Check the server once, restart it if necessary, and wait for the rest of the second."""
        began = time.monotonic()
        server = self._server
        assert server is not None, "step comes after start"
        if server.running and self._check(server):
            self._wait = 1.0
        elif not server.running:
            self._restart(server)
        elif time.time() - self._answered > self._patience:
            log.error(
                "the server runs but has passed no check for %d s, killing it: %s",
                self._patience,
                self._error,
            )
            server.kill()
        server.rotate_log()
        time.sleep(max(0.0, began + 1.0 - time.monotonic()))

    def stop(self) -> None:
        """Shut the server down, within 14 s."""
        if self._server is not None:
            self._server.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def state(self) -> dict[str, Any]:
        """Return what ``status`` shows: whether the last check passed, why not, and how long it took.

        ``engine`` is the server and its version, ``reason`` why it was chosen, ``elsewhere`` what the unused engine has
        ("" for nothing).
        """
        server = self._server
        return {
            "healthy": server is not None and server.running and not self._error,
            "error": self._error,
            **self._about,
            "address": server.engine.address if server is not None else "",
            "server_pid": server.pid if server is not None else None,
            "restarts": self._restarts,
            "answered": self._answered,
            "check_ms": round(self._took * 1000, 1),
        }

    def _restart(self, server: EmbeddedServer) -> None:
        """Restart the server, after a longer wait each time that it dies before it passes a check."""
        now = time.monotonic()
        if self._not_before == 0.0:
            self._error = server.exit_reason()
            log.error("%s; starting it again in %d s", self._error, self._wait)
            self._not_before = now + self._wait
        elif now >= self._not_before:
            self._not_before = 0.0
            self._wait = min(self._wait * 2, MOST_WAIT_SECONDS)
            self._restarts += 1
            server.launch()
            self._answered = time.time()

    def _check(self, server: EmbeddedServer) -> bool:
        """Check once, note the outcome, and return whether it passed."""
        began = time.time()
        try:
            server.check()
        except AnalyticsError as error:
            # A server that does not answer may be busy. If a refusal is final, waiting is useless.
            refused = isinstance(error.__cause__, OperationFailure) and server.engine.refusal_is_final
            self._patience = REFUSING_SECONDS if refused else HUNG_SECONDS
            self._error = server.full_disk() + str(error)
            return False
        self._error = ""
        self._answered = time.time()
        self._took = self._answered - began
        return True
