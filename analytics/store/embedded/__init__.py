"""The embedded store: a database server that the suite runs, ``mongod`` if one runs on this machine.

``node`` supervises the server's process (``server``, ``process``). An ``engine`` (``mongod``, ``secantus``) has the differences
between the two servers, and ``choice`` decides which one a configuration uses.
"""

from analytics.store.embedded.node import StoreNode
from analytics.store.embedded.secantus import PROGRAM

__all__ = ["PROGRAM", "StoreNode"]
