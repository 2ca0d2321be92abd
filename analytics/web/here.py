"""What the application of this request shows."""

from flask import current_app

from analytics.web.data import Data

EXTENSION = "analytics"


def data() -> Data:
    """Return what the application of this request shows."""
    found: Data = current_app.extensions[EXTENSION]
    return found
