"""Which nodes read what was changed in a configuration."""

from analytics.config import Config
from analytics.runtime.nodes import ALERTS, DASHBOARD, ENGINE, METRICS, TIMERS, readers
from analytics.runtime.service.conf import nodes, rank, text

SPOUTS = ("gamelog", "payment", "syncuser")
READ_BY = {
    "gamelog": (ENGINE, "gamelog"),
    "payment": ("payment",),
    "syncuser": ("syncuser",),
    "journal": SPOUTS,
    "timers": (TIMERS,),
    "metrics": (METRICS,),
    "dashboard": (DASHBOARD,),
    "numbers": (DASHBOARD,),
    "alerts": (ALERTS,),
    "digest": (ALERTS,),
}
"""The nodes that read a key of the configuration, where these are few.

``channels`` is not among them: a new one may name a variable of the environment that only a restart takes up."""
NO_GAMES = ("store", "broker")
"""The nodes to which games and areas are nothing."""


def affected(before: Config, after: Config) -> list[str] | None:
    """Return the nodes that have to be restarted, bolts before spouts; None: all, since they depend on each other.

    Bolts come first, as they could not use records of an area that only the spouts know.
    """
    names: set[str] = set()
    if text(before) != text(after) or readers(before) != readers(after):
        return None
    running = nodes(after)
    for key in Config.__struct_fields__:
        if getattr(before, key) == getattr(after, key):
            continue
        if key in ("games", "timezone"):
            names.update(name for name in running if name not in NO_GAMES)
        elif key == "worker":
            names.update(
                name
                for name in running
                if name not in (*NO_GAMES, *SPOUTS, TIMERS, METRICS, DASHBOARD, ALERTS)
            )
        elif key in READ_BY:
            names.update(READ_BY[key])
        else:
            return None
    return sorted(names.intersection(running), key=lambda name: (rank(name), name))


def changed(before: Config | None, after: Config) -> str:
    """Return what concerns all nodes, as a sentence's begin."""
    if before is None:
        return "what was changed is not known"
    keys = [key for key in Config.__struct_fields__ if getattr(before, key) != getattr(after, key)]
    names = dict.fromkeys("bolts" if key == "bolt_files" else key for key in keys)
    return f"{', '.join(names)} changed, which concerns all nodes"
