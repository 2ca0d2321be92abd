"""A process of the local engine: does one task after the other until its engine is gone."""

import pickle
import signal
import socket
import sys

from analytics.engine.context import Context, TaskProcess
from analytics.engine.engines import TaskCall
from analytics.engine.engines.local import GONE, send
from analytics.errors import AnalyticsError
from analytics.system.interpreter import tune


def main(descriptor: int) -> None:
    """Do tasks that come in at a socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the engine
    with socket.socket(fileno=descriptor) as connection:
        connection.setblocking(True)  # an engine whose process is patched by gevent has made it otherwise
        stream = connection.makefile("rwb")
        try:
            context: Context = pickle.load(stream)
            process = context.process()
            tune()
            while True:
                send(stream, _result(process, pickle.load(stream)))
        except GONE:
            return


def _result(process: TaskProcess, call: TaskCall) -> object:
    """Return what a task returns, or what it raises."""
    try:
        return call.work(process, *call.arguments)
    except AnalyticsError as error:
        return error
    except Exception as error:
        return AnalyticsError(f"a task of the engine has failed: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
