"""How nodes write to their log: one line a record, to stderr; a traceback follows indented."""

import logging
import sys
from datetime import UTC, datetime


class Lines(logging.Formatter):
    """``2026-01-01T00:00:00.000Z level module message``; an error's traceback follows, each line indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message = record.getMessage().replace("\n", " | ")
        name = record.name.removeprefix("analytics.")
        line = f"{at.replace('+00:00', 'Z')} {record.levelname.lower()} {name} {message}"
        if record.exc_info:
            line += "\n    " + self.formatException(record.exc_info).replace("\n", "\n    ")
        return line


def set_up(level: str) -> None:
    """Send records of ``level`` and graver ones to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Their own news is the caller's to tell.
    for library in ("pymongo", "urllib3"):
        logging.getLogger(library).setLevel(logging.WARNING)
