"""Taking a changed configuration up: only the nodes that read what was changed are restarted."""

from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.runtime.service import control, detached, refusals
from analytics.runtime.service.affected import affected, changed
from analytics.runtime.service.supervisor import Supervisor


def reload(config: Config, say: control.Say) -> None:
    """Restart the nodes that read what was changed in the configuration since they were started, one after the other.

    Nothing is lost or counted twice: each goes on from its position. Where nodes depend on what was changed together, as on the
    broker's ports, the whole suite is restarted.

    Raises:
        ConfigError: a variable that the configuration names is not set, or rates are gone that payments need; everything runs on as it was.
        AnalyticsError: the suite does not run.
        NotStarted: a node does not come up. It is started again and again.
    """
    refusals.refuse_unset(config)
    supervisor = Supervisor(config)
    if not supervisor.pid:
        raise AnalyticsError(
            "not running: `analytics start` starts the suite with the configuration as it is now"
        )
    refusals.refuse_lost_rates(config)
    before = supervisor.noted_configuration
    names = None if before is None else affected(before, config)
    if names is None:
        say(f"{changed(before, config)}: restarting the suite")
        detached.restart(config, say)
        return
    with control.alone(config, say):
        for name in names:
            control.restart_node(supervisor, config, name, say)
        supervisor.note_configuration()
        if names:
            control.report_contradictions(config, say)
    say(f"reloaded: {' '.join(names) or 'nothing was changed that a node reads'}")
