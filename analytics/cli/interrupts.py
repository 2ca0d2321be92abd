"""Ctrl-C always reaches the main greenlet, which ends the command."""

import signal
from types import FrameType

import gevent


def interruptible() -> None:
    """Make SIGINT raise KeyboardInterrupt in the main greenlet, whichever is running.

    Python raises it wherever it interrupts: in another greenlet, or in a callback of the loop, it may be handled as an
    error of that greenlet, and the command would not end.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return  # ignored, as in the background of a shell script, or handled already
    hub = gevent.get_hub()
    main = hub.parent

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if main is None or gevent.getcurrent() is main:
            raise KeyboardInterrupt
        hub.loop.run_callback(main.throw, KeyboardInterrupt)

    signal.signal(signal.SIGINT, interrupt)
