"""Ctrl-C of a command: it always reaches the main greenlet, which ends the command."""

import signal
from types import FrameType

import gevent


def interruptible() -> None:
    """Have SIGINT raise KeyboardInterrupt in the main greenlet, whichever is running.

    Python raises it in whatever runs when it comes: in another greenlet, or in a callback of the loop, it may be taken for
    that one's error, and the command goes on.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return  # ignored, as in the background of a shell script, or already somebody's
    hub = gevent.get_hub()
    main = hub.parent

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if main is None or gevent.getcurrent() is main:
            raise KeyboardInterrupt
        hub.loop.run_callback(main.throw, KeyboardInterrupt)

    signal.signal(signal.SIGINT, interrupt)
