"""How nodes write to their log: one record a line, to stderr, as text, ``key=value`` or JSON.

Each says when, how severe, of which node, from which module, and what. A process may run several nodes: what a
greenlet writes is the node's that started it, or that started the greenlet that did. What can't be attributed, as
from a thread, is said of all of them.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import gevent

NODE = "node"
Write = Callable[[dict[str, str]], str]

log = logging.getLogger(__name__)


def as_node(name: str, work: Callable[[], None]) -> None:
    """Do ``work``. What it writes to the log is node ``name``'s, so is what its greenlets ever write."""

    def named() -> None:
        if naming.spawn_tree_locals is not None:  # it is None if gevent is configured to keep no such locals
            naming.spawn_tree_locals[NODE] = name
        work()

    # In a greenlet of its own, since gevent hands such a name down from greenlet to greenlet only.
    naming = gevent.spawn(named)
    naming.get()


def set_up(level: str, form: str = "text", nodes: Sequence[str] = ()) -> None:
    """Send records of ``level`` and more severe ones to stderr, and with them what would be printed there otherwise.

    Args:
        form: a key of :data:`FORMS`.
        nodes: the nodes of this process.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Form(FORMS[form], "+".join(nodes) or "-"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    setattr(gevent.get_hub(), "print_exception", _log_greenlet)  # noqa: B010
    # Their callers report what matters of theirs.
    for library in ("pymongo", "urllib3"):
        logging.getLogger(library).setLevel(logging.WARNING)


class Form(logging.Formatter):
    """Writes a record's parts, in their order, each with its name: ``time level node module message``, and ``trace``.

    Args:
        write: takes these parts; returns the record's line.
        nodes: who is said to speak where it is not known.
    """

    def __init__(self, write: Write, nodes: str) -> None:
        super().__init__()
        self._write = write
        self._nodes = nodes

    def format(self, record: logging.LogRecord) -> str:
        return self._write(dict(self.parts(record)))

    def parts(self, record: logging.LogRecord) -> Iterator[tuple[str, str]]:
        """Yield the names and values."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        yield "time", at.replace("+00:00", "Z")
        yield "level", record.levelname.lower()
        yield "node", getattr(gevent.getcurrent(), "spawn_tree_locals", {}).get(NODE, self._nodes)
        yield "module", record.name.removeprefix("analytics.")
        yield "message", record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            yield "trace", self.formatException(record.exc_info)


def _text(parts: dict[str, str]) -> str:
    """Return ``2026-01-01T00:00:00.000Z level node module message``; a trace follows, each line indented."""
    trace = parts.pop("trace", "")
    line = " ".join(parts.values()).replace("\n", " | ")
    return line + ("\n    " + trace.replace("\n", "\n    ") if trace else "")


def _key_value(parts: dict[str, str]) -> str:
    """Return ``time=… level=info node=broker message="it is up"``: what is no plain word is quoted as in JSON."""
    return " ".join(f"{name}={_quoted(value)}" for name, value in parts.items())


def _json(parts: dict[str, str]) -> str:
    """Return one JSON object, all values of which are strings."""
    return json.dumps(parts, ensure_ascii=False)


FORMS: dict[str, Write] = {"text": _text, "logfmt": _key_value, "json": _json}


def _quoted(value: str) -> str:
    plain = value.isprintable() and value and not set(value) & set(' "=\\')
    return value if plain else json.dumps(value, ensure_ascii=False)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.critical("the process ends: %s: %s", kind.__name__, error, exc_info=(kind, error, trace))


def _log_greenlet(context: Any, kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Write what gevent would print of an error that ended a greenlet; its owner says what follows from it."""
    log.error("a greenlet ended: %s: %s", kind.__name__, error, exc_info=(kind, error, trace))
