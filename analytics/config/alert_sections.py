"""Alerts on numbers: the tables ``[alerts.NAME]``, ``[channels.NAME]`` and ``[digest]``."""

from typing import Annotated, Literal

from msgspec import Meta

from analytics.config.section import Section

Percent = Annotated[float, Meta(gt=0, le=100)]
AboveZero = Annotated[float, Meta(gt=0)]


class AlertSection(Section, frozen=True):
    """When a number is worth a message: ``value`` is an expression over the fields of ``collection``.

    ``below`` and ``above`` are bounds; ``falls`` and ``rises`` are percent of the median of the same weekday (and hour) in
    the ``weeks`` before. A message is sent when all of the last ``periods`` ended hours or days are so. ``funnel`` and ``step`` (counted from 1), with
    the collection ``funnel``: whose ``count`` and ``rate`` are looked at, beside ``reg``.
    """

    collection: str
    value: str
    funnel: str = ""
    step: Annotated[int, Meta(ge=0, le=9)] = 0
    scope: Literal["game", "plat", "area"] = "game"
    games: list[str] = []
    areas: list[str] = []
    below: float | None = None
    above: float | None = None
    falls: Percent | None = None
    rises: AboveZero | None = None
    weeks: Annotated[int, Meta(ge=1, le=12)] = 4
    periods: Annotated[int, Meta(ge=1, le=48)] = 1
    to: list[str] = []


class ChannelSection(Section, frozen=True):
    """Where messages go. ``url`` (or the variable ``url_env``) is a webhook; ``mail`` has a server and addresses instead."""

    kind: Literal["slack", "discord", "feishu", "dingtalk", "json", "mail"]
    url: str = ""
    url_env: str = ""
    server: str = ""
    security: Literal["tls", "starttls", "none"] = "starttls"
    user: str = ""
    password_env: str = ""
    sender: str = ""
    recipients: list[str] = []


class DigestSection(Section, frozen=True):
    """The key figures of yesterday for each game, sent once a day at ``at`` (HH:MM in the game's zone).

    ``days``: how many its picture shows. ``font``: a file that the picture is written with where Pillow's own font lacks characters;
    absolute once loaded.
    """

    at: str = "09:00"
    to: list[str] = []
    days: Annotated[int, Meta(ge=2, le=60)] = 14
    font: str = ""
