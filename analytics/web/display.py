"""How values look on a page: one way for tiles, tables and charts. Pure."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from analytics.web.translation import Translate

NOTHING = "–"
MINUTE, HOUR, DAY = 60, 3600, 86_400
KIB = 1024


def count(value: float) -> str:
    """Return a whole number with thousands separators: 12,345."""
    return f"{value:,.0f}".replace("-", "−")


def number(value: float) -> str:
    """Return a number of any size: 12,345, 3.14 or 0.0021."""
    if value == int(value):
        return count(value)
    return f"{value:,.{2 if abs(value) >= 1 else 4}f}".replace("-", "−")


def decimal(value: float) -> str:
    """Return an average or a median with two decimals, as all of its column have them: 6,130.00."""
    return f"{value:,.2f}".replace("-", "−")


def money(value: float, currency: str = "") -> str:
    """Return an amount with two decimals behind its currency: ¥1,234.50."""
    return f"{'−' if value < 0 else ''}{currency}{abs(value):,.2f}"


def percent(value: float) -> str:
    """Return what is in percent already: 33.33%."""
    return f"{value:,.2f}%".replace("-", "−")


def quotient(value: float) -> str:
    """Return a quotient in percent: 0.3333 is 33.33%."""
    return percent(value * 100)


def change(value: float) -> str:
    """Return a change in percent with its sign: +3.2%."""
    return f"{value:+,.1f}%".replace("-", "−")


def size(value: float) -> str:
    """Return bytes: 1.5 MiB."""
    unit = "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < KIB:
            break
        value, unit = value / KIB, larger
    return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"


def text(value: object) -> str:
    """Return a value as it is."""
    return str(value)


SHOWN: dict[str, Callable[..., str]] = {
    "count": count,
    "number": number,
    "decimal": decimal,
    "money": money,
    "amount": text,
    "percent": percent,
    "quotient": quotient,
    "change": change,
    "size": size,
    "text": text,
    "day": text,
}


def shown(value: object, kind: str, currency: str = "") -> str:
    """Return a value as a page shows it; a dash where there is none."""
    if value is None or value == "":
        return NOTHING
    return SHOWN[kind](value, currency) if kind == "money" else SHOWN[kind](value)


def changed(value: float | None, of_whole: bool = True) -> Markup:
    """Return a change in percent as markup, with an arrow and, for a period that has ended (``of_whole``), a colour."""
    if value is None:
        return Markup("<span>–</span>")
    direction, arrow = ("up", "▲") if value > 0 else ("down", "▼") if value < 0 else ("", "")
    return Markup(f'<span class="{direction if of_whole else "muted"}">{arrow} {change(value)}</span>')


def value_of(row: object, name: str) -> Any:
    """Return a field of a row, which is a Struct or a mapping."""
    return row[name] if isinstance(row, Mapping) else getattr(row, name)


def moment(ts: float, timezone: str) -> str:
    """Return a time of day with its date, in that zone: 2026-10-19 17:05:09."""
    return f"{datetime.fromtimestamp(ts, ZoneInfo(timezone) if timezone else UTC):%Y-%m-%d %H:%M:%S}"


def lasting(seconds: float, t: Translate) -> str:
    """Return a length of time in its two largest units: 3 d 4 h."""
    whole = int(max(0, seconds))
    if whole < MINUTE:
        return t("{s} s", s=whole)
    if whole < HOUR:
        return t("{min} min", min=whole // MINUTE)
    if whole < DAY:
        return t("{h} h {min} min", h=whole // HOUR, min=whole % HOUR // MINUTE)
    return t("{d} d {h} h", d=whole // DAY, h=whole % DAY // HOUR)
