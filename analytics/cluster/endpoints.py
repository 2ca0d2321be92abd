"""Several addresses of one service: each call goes to one that answers."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import gevent

from analytics.cluster.keys import clock
from analytics.errors import Unavailable

Client = TypeVar("Client")
Answer = TypeVar("Answer")
REASON_CHARACTERS = 200  # of one address's error in a message


class Endpoints(Generic[Client]):
    """Calls one client after the other until one answers, the one that answered last first.

    Each gets its share of the remaining time, so that a hanging one leaves some for the others.

    Args:
        clients: by address, each of one address only.
        timeout: seconds for a call, all addresses together.
        errors: raised by a client that can't be reached or refuses.
        reason: returns the text of an error.
    """

    def __init__(
        self,
        clients: Mapping[str, Client],
        timeout: float,
        errors: tuple[type[Exception], ...],
        reason: Callable[[Exception], str],
    ) -> None:
        self.clients = clients
        self._names = list(clients)
        self._timeout = timeout
        self._errors = errors
        self._reason = reason
        self._best = 0

    def call(self, action: Callable[[Client], Answer]) -> Answer:
        """Return what ``action`` does with a client. It may be repeated with the next one, so it must be idempotent.

        Raise Unavailable, with what each address said, within the timeout.
        """
        until = clock() + self._timeout
        order = [(self._best + offset) % len(self._names) for offset in range(len(self._names))]
        said = []
        for tried, index in enumerate(order):
            name = self._names[index]
            share = max(0.0, until - clock()) / (len(order) - tried)
            limit = gevent.Timeout(share)
            try:
                with limit:
                    answer = action(self.clients[name])
            except gevent.Timeout as timeout:
                if timeout is not limit:
                    raise
                said.append(f"{name} did not answer within {share:.1f} s")
            except self._errors as error:
                said.append(f"{name}: {self._reason(error)[:REASON_CHARACTERS]}")
            else:
                self._best = index
                return answer
        raise Unavailable("etcd can't be used: " + "; ".join(said))


def deepest(error: BaseException) -> str:
    """Return the innermost cause of an error, e.g. ``ConnectionRefusedError: [Errno 111] Connection refused``."""
    for inner in (error.__cause__, error.__context__, getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException) and inner is not error:
            return deepest(inner)
    return f"{type(error).__name__}: {error}"
