"""What the records that spouts accept have to say: what the suite's bolts read."""

from collections.abc import Mapping

from analytics.bolts import BOLTS
from analytics.core.schema import Schema, schemas

SCHEMAS: Mapping[str, Schema] = schemas(BOLTS.values())
"""By topic."""
