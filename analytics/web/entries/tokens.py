"""API tokens, for programs: ``name.secret``, of which only the secret's hash is stored."""

import hmac
import re
from collections.abc import Collection
from typing import Annotated, Any

from analytics.web.answers import means
from analytics.web.entries.collection import DAY_SECONDS, Entries, UserEntry
from analytics.web.entries.links import MOST_DAYS_VALID, hashed, new_secret
from analytics.web.filters import NO_GAME, BadFilter, expect_known, number
from analytics.web.rights import Viewer

DEFAULT_DAYS = 90
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class ApiToken(UserEntry, frozen=True, kw_only=True):
    """An API token. ``id`` is its name."""

    collection = "api_tokens"
    hash: Annotated[str, means("SHA-256 of its secret, in hex")]
    games: Annotated[list[str], means("the games that it sees; empty: all")]
    lists: Annotated[bool, means("whether it sees accts by name")]
    annotates: Annotated[bool, means("whether it may enter and remove annotations")]
    by: Annotated[str, means("who made it")]
    at: Annotated[float, means("when it was made, Unix seconds")]
    expires: Annotated[float, means("when it stops working, Unix seconds")]


def make_token(
    store: Any,
    name: str,
    *,
    games: list[str],
    known_games: Collection[str],
    lists: bool,
    annotates: bool,
    days: int,
    by: str,
    now: float,
) -> tuple[str, ApiToken]:
    """Store a new token, and return it as programs send it: this is the only time that it can be read.

    Raises:
        BadFilter: the name is taken or none, there is no such game, or the days are out of bounds.
    """
    if not _NAME.fullmatch(name):
        raise BadFilter(
            'name: expected up to 40 small letters, digits, "-" and "_", got "{value}"', value=name[:40]
        )
    for game in games:
        expect_known(NO_GAME, game, known_games)
    number({"days": [str(days)]}, "days", DEFAULT_DAYS, 1, MOST_DAYS_VALID)
    secret = new_secret()
    token = ApiToken(
        id=name, hash=hashed(secret), games=games, lists=lists, annotates=annotates, by=by, at=now,
        expires=now + days * DAY_SECONDS,
    )  # fmt: skip
    if not Entries(store, ApiToken).add(token):
        raise BadFilter('name: there is a token "{name}" already; revoke it first', name=name)
    return f"{name}.{secret}", token


def granted(token: ApiToken) -> str:
    """Return what a token may do, for the audit log."""
    words = [f"game={game}" for game in token.games]
    words += ["lists"] if token.lists else []
    words += ["annotates"] if token.annotates else []
    return " ".join([*words, f"days={round((token.expires - token.at) / DAY_SECONDS)}"])


def viewer_with(store: Any, token: str, now: float) -> Viewer | None:
    """Return who asks with a token, None if it is none, or has expired."""
    name, _, secret = token.partition(".")
    found = Entries(store, ApiToken).get(name) if _NAME.fullmatch(name) else None
    if found is None or not hmac.compare_digest(found.hash, hashed(secret)) or now >= found.expires:
        return None
    games = frozenset(found.games) if found.games else None
    return Viewer(f"token {name}", games, found.lists, is_user=False, annotates=found.annotates)
