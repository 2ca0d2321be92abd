"""The embedded store: a server that the suite runs for itself, ``mongod`` where one runs on this machine.

``node`` looks after the server's process (``server``, ``process``). What differs between the two servers is an
``engine`` (``mongod``, ``secantus``), and ``choice`` says which of them a configuration uses.
"""

from analytics.store.embedded.node import StoreNode
from analytics.store.embedded.secantus import PROGRAM

__all__ = ["PROGRAM", "StoreNode"]
