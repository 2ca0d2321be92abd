"""A process of the local engine: does one task after the other until its engine is gone."""

import pickle
import signal
import socket
import sys
from pathlib import Path
from zlib import crc32

from analytics.core.combine import Deltas
from analytics.core.writing import LostWrites
from analytics.engine.context import Context, TaskProcess
from analytics.engine.engines.local import (
    Extent,
    FoldCall,
    FoldReply,
    ProcessLost,
    SettleCall,
    receive,
    send,
)
from analytics.engine.fold import fold
from analytics.engine.settle import settle_areas
from analytics.engine.tasks import AreaSettled
from analytics.errors import AnalyticsError

_Shares = dict[int, dict[str, Deltas]]


def main(descriptor: int) -> None:
    """Do tasks that come in at a socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the engine
    with socket.socket(fileno=descriptor) as connection:
        try:
            context: Context = receive(connection)
            process = context.process()
            while True:
                send(connection, _result(process, receive(connection)))
        except (ProcessLost, OSError):
            return


def _result(process: TaskProcess, call: FoldCall | SettleCall) -> object:
    """Return what a task returns, or what it raises."""
    try:
        if isinstance(call, FoldCall):
            return call.path, _fold(process, call)
        return _settle(process, call)
    except LostWrites as error:
        return error
    except AnalyticsError as error:
        return error
    except Exception as error:
        return AnalyticsError(f"a task of the engine has failed: {type(error).__name__}: {error}")


def _fold(process: TaskProcess, call: FoldCall) -> FoldReply:
    folded = fold(process, call.task, call.number)
    shares: _Shares = {}
    for area, deltas in folded.areas.items():
        shares.setdefault(crc32(area.encode()) % call.shares, {})[area] = deltas
    extents = {}
    with Path(call.path).open("wb") as file:
        for share, areas in shares.items():
            data = pickle.dumps(areas, protocol=pickle.HIGHEST_PROTOCOL)
            extents[share] = Extent(call.path, file.tell(), len(data))
            file.write(data)
    return FoldReply(folded.summary, extents)


def _settle(process: TaskProcess, call: SettleCall) -> list[AreaSettled]:
    areas: dict[str, Deltas] = {}
    for extent in call.extents:
        with Path(extent.path).open("rb") as file:
            file.seek(extent.offset)
            found: dict[str, Deltas] = pickle.loads(file.read(extent.size))
        for area, deltas in found.items():
            there = areas.setdefault(area, {})
            for bolt, keys in deltas.items():
                kept = there.setdefault(bolt, {})
                for key, some in keys.items():
                    kept.setdefault(key, []).extend(some)
    return settle_areas(process, areas, call.number)


if __name__ == "__main__":
    main(int(sys.argv[1]))
