"""What the records that spouts accept have to say: what the bolts read."""

from collections.abc import Mapping

from analytics.bolts import BOLTS
from analytics.config import Config, catalogue
from analytics.core.schema import Schema, schemas

SCHEMAS: Mapping[str, Schema] = schemas(BOLTS.values())
"""By topic, what the built-in bolts read."""


def schemas_of(config: Config) -> Mapping[str, Schema]:
    """Return by topic what the bolts of a configuration read."""
    bolts = catalogue(config)
    return SCHEMAS if bolts is BOLTS else schemas(bolts.values())
