"""Keeps MongoDB's driver out of forked children.

The driver resets its clients in every forked child. Under gevent, this takes locks that other greenlets hold. So the child
runs copies of its parent's greenlets before it executes its program, or instead, and what they write is written twice. The
suite forks only to execute another program, and no child uses a client.
"""

from pymongo.synchronous import mongo_client


def forget_clients_in_children() -> None:
    """Make forked children leave clients as they are."""
    # Not public; the child looks it up by name (pymongo 4.8 to 4.20). tests/store/test_forking.py detects a change.
    mongo_client._after_fork_child = lambda clients: None  # type: ignore[attr-defined]
