"""Taking a changed configuration up: only the nodes that read what was changed are restarted."""

from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.runtime.nodes import ALERTS, DASHBOARD, ENGINE, METRICS, TIMERS, readers
from analytics.runtime.service import control
from analytics.runtime.service.conf import nodes, rank, text
from analytics.runtime.service.supervisor import Supervisor

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
    return sorted(names.intersection(running), key=rank)


def reload(config: Config, say: control.Say) -> None:
    """Restart the nodes that read what was changed in the configuration since they were started, one after the other.

    Nothing is lost or counted twice: each goes on from its position. Where nodes depend on what was changed together, as on the
    broker's ports, the whole suite is restarted.

    Raises:
        ConfigError: a variable that the configuration names is not set; everything runs on as it was.
        AnalyticsError: the suite does not run.
        NotStarted: a node does not come up. It is started again and again.
    """
    control.refuse_unset(config)
    supervisor = Supervisor(config)
    if not supervisor.pid:
        raise AnalyticsError(
            "not running: `analytics start` starts the suite with the configuration as it is now"
        )
    before = supervisor.noted_configuration
    names = None if before is None else affected(before, config)
    if names is None:
        say("what was changed concerns all nodes, or is not known: restarting the suite")
        control.restart(config, say)
        return
    with control.alone(config, say):
        for name in names:
            control.restart_node(supervisor, config, name, say)
        supervisor.note_configuration()
        if names:
            control.report_contradictions(config, say)
    say(f"reloaded: {' '.join(names) or 'nothing was changed that a node reads'}")
