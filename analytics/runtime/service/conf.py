"""The configuration of the package ``supervisor``, made from the suite's own at each start.

Paths in it are relative to ``data/run``, where the supervisor is started, or come from its environment: so no
folder's name can be taken for something else, and one too long for a socket's address does no harm.
"""

from analytics.config import Config
from analytics.runtime.nodes import needed

RANKS = {"gamelog": 40, "payment": 40, "syncuser": 40, "broker": 30, "engine": 30, "store": 10}
OTHERS = 20
"""The rank of bolts, timers and the dashboard. Nodes of a higher rank are stopped before those of a lower one."""
BROKER = RANKS["broker"]

CONF = "supervisord.conf"
SOCKET = "supervisor.sock"
PID = "supervisord.pid"
LOG = "supervisor.log"
STARTED = "started.conf"
RUN = "ANALYTICS_RUN"
"""The variable with the command line that a node's name is put behind."""

UMASK = "ANALYTICS_UMASK"
"""The variable with the file mode mask of the caller of ``start``: the supervisor would set one of its own."""

LIVED_SECONDS = 10
"""A node that lives longer has started: the supervisor counts its next end as a new one."""

STOP_SECONDS = 20
"""Then the supervisor kills a node that still runs; nodes give their last work ten seconds."""


def nodes(config: Config) -> list[str]:
    """Return the nodes that ``start`` runs on this host: those the configuration names for it, else all it needs."""
    return config.service.nodes or needed(config)


def rank(node: str) -> int:
    """Return a node's rank: see OTHERS."""
    return RANKS.get(node, OTHERS)


def noted_pid(config: Config) -> int:
    """Return the supervisor's process id by its pid file, 0 where there is none. That process need not exist any more."""
    try:
        return int((config.data / "run" / PID).read_text())
    except (OSError, ValueError):
        return 0


def text(config: Config) -> str:
    """Return the file."""
    section = config.service
    rotated = int(section.log_mb * (1 << 20))
    head = f"""\
; Made by `analytics start` from the suite's configuration; changes to this file are lost.
[supervisord]
logfile = ../log/{LOG}
logfile_maxbytes = {rotated}
logfile_backups = {section.log_files}
pidfile = {PID}
nocleanup = true
umask = %(ENV_{UMASK})s

; The folder it is started in, by a name that is short enough.
[unix_http_server]
file = /proc/self/cwd/{SOCKET}
chmod = 0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
    programs = [
        f"""
[program:{node}]
command = %(ENV_{RUN})s {node}
priority = {rank(node)}
autorestart = true
startsecs = {LIVED_SECONDS}
startretries = {section.restarts}
stopwaitsecs = {STOP_SECONDS}
redirect_stderr = true
stdout_logfile = ../log/{node}.log
stdout_logfile_maxbytes = {rotated}
stdout_logfile_backups = {section.log_files}
"""
        for node in nodes(config)
    ]
    return head + "".join(programs)
