"""Configurations of suites that run beside others, and of one that is about to be broken."""

from pathlib import Path

from analytics.testing.ports import free_ports

AREAS = {
    "dl": {"timezone": "Asia/Shanghai", "ids": ["549140c8dbdb67794fc0fa3b", "549140c8dbdb67794fc0fa3c"]},
    "wsdx": {"timezone": "America/New_York", "ids": ["5461bb1bec8b9c686a8b4576", "5461bb1bec8b9c686a8b4577"]},
}


def on_ports(store: int, receiver: int, sender: int, refill: int, dashboard: int = 0) -> str:
    """Return the tables of a suite that listens on these ports, 0 is no dashboard; keys of ``[broker]`` may follow."""
    return f"""
[store]
port = {store}
[dashboard]
port = {dashboard}
[broker]
receiver_port = {receiver}
sender_port = {sender}
refill_port = {refill}
min_free_mb = 16
"""


def games() -> str:
    """Return the games and their areas as tables of a configuration."""
    text = ""
    for number, (game, of) in enumerate(AREAS.items()):
        text += f'[games.{game}]\ntimezone = "{of["timezone"]}"\n'
        for area in of["ids"]:
            text += f'[games.{game}.areas.{area}]\nplat = "{number + 1}"\ncorpid = {2001 + number}\nserver_name = "server{area[-2:]}"\n'
    return text


def configure(path: Path, uri: str = "", engine: str = "") -> tuple[int, int]:
    """Write a configuration with free ports to ``path``.

    Return the port that its web server is expected at, and the one at which it takes lines over TCP.

    Args:
        uri: of the MongoDB to use; "" is the embedded server, node ``store``.
        engine: the section ``[engine]``, "" for broker and workers.
    """
    web, tcp, *ports = free_ports(6)
    path.write_text(f"""
data = "data"
[mongodb]
uri = "{uri}"
{on_ports(*ports)}
segment_mb = 1
[journal]
rotate_mb = 4
[gamelog]
batch_lines = 500
[[gamelog.sources]]
name = "rotated"
kind = "file"
path = "logs/game.log*"
[[gamelog.sources]]
name = "web"
kind = "http"
url = "http://127.0.0.1:{web}/logs/game.log"
poll_seconds = 0.2
timeout_seconds = 3
[[gamelog.sources]]
name = "tcp"
kind = "tcp"
port = {tcp}
[syncuser]
url = "http://127.0.0.1:{web}/roles?area={{area}}&since={{since}}&page={{page}}"
every_seconds = 2
timeout_seconds = 3
[payment]
url = "http://127.0.0.1:{web}/payment?area={{area}}&day={{day}}&page={{page}}"
every_seconds = 2
settle_hours = 48
timeout_seconds = 3
[worker]
flush_seconds = 0.3
{engine}{games()}""")
    return web, tcp
