"""Keeps MongoDB's driver out of forked children.

The driver resets its clients in every child of a fork. Under gevent that takes locks which other greenlets hold, and so
the child runs copies of its parent's greenlets before it executes its program, or instead: what they write is written
twice. The suite forks only to execute another program at once, and no child ever uses a client.
"""

from pymongo.synchronous import mongo_client


def forget_clients_in_children() -> None:
    """Have forked children leave clients as they are."""
    # Not public, and looked up by name in each child (pymongo 4.8 to 4.20). tests/store/test_forking.py notices a change.
    mongo_client._after_fork_child = lambda clients: None  # type: ignore[attr-defined]
