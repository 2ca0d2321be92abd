"""A hold on batches: while documents are derived again, none begins."""

import threading
import time
from dataclasses import replace
from secrets import token_hex

from analytics.engine.blocks import HalfForgotten
from analytics.engine.position import FORGETTING, HELD_SECONDS, DriverOvertaken, EnginePosition, SavedPosition
from analytics.errors import AnalyticsError, Unavailable

RENEW_SECONDS = HELD_SECONDS / 6


class Hold:
    """Stops batches, and says so again and again, in a thread of its own."""

    def __init__(self, position: EnginePosition) -> None:
        self._position = position
        self._by = token_hex(8)
        self._ending = threading.Event()
        self._saved: SavedPosition | None = None
        self._overtaken = False
        self._failed: Exception | None = None

    def begin(self) -> SavedPosition:
        """Return the position when no batch is under way any more, and none begins. Raise HalfForgotten while accts are being forgotten."""
        seen, since = -1, time.monotonic()
        while True:
            saved = self._position.load()
            if saved.held == FORGETTING:
                raise HalfForgotten
            if not (saved.frozen or saved.held):
                try:
                    self._saved = self._position.hold(saved, self._by)
                    break
                except DriverOvertaken:
                    continue
            if saved.version != seen:
                seen, since = saved.version, time.monotonic()
            if time.monotonic() - since > 2 * HELD_SECONDS:
                raise AnalyticsError(
                    f"batch {saved.batch + 1} of the engine has begun, and nobody finishes it: start the node engine, see "
                    "`bin/analytics status`, and call this again"
                )
            self._ending.wait(0.2)
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()
        return self._saved

    def check(self) -> None:
        """Raise AnalyticsError if batches go on, or will since nobody says any more that they have to wait."""
        if self._failed is not None:
            raise AnalyticsError(
                f"the engine's batches can't be held back any longer: {self._failed!r}"
            ) from self._failed
        if self._overtaken:
            raise AnalyticsError(
                "a driver of the engine has gone on, as this process did not answer for a minute. Documents that were "
                "corrected stay so; call this again"
            )

    def end(self, repaired: bool = False) -> None:
        """Let batches go on, if they do not. ``repaired``: whether all documents are as right as the journals allow, whatever the store had lost."""
        if self._saved is None or self._ending.is_set():
            return
        self._ending.set()
        self._thread.join()
        if not self._overtaken and self._failed is None:
            saved = replace(self._saved, written={}) if repaired else self._saved
            self._position.release(saved)

    def _renew(self) -> None:
        try:
            while not (self._overtaken or self._ending.wait(RENEW_SECONDS)):
                assert self._saved is not None
                try:
                    self._saved = self._position.hold(self._saved, self._by)
                except DriverOvertaken:
                    self._overtaken = True
                except Unavailable:
                    self._reload()
        except Exception as error:
            self._failed = error

    def _reload(self) -> None:
        """Learn whether the last write took effect."""
        try:
            saved = self._position.load()
        except Unavailable:
            return
        if saved.held == self._by:
            self._saved = saved
        else:
            self._overtaken = True
