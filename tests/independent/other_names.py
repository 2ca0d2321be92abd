"""Records as they would be if accts had always had other names, and deaths of what gives them these."""

from datetime import date
from random import Random
from typing import Any

import pytest
from journaling_suite import Killed
from plain_numbers import Record
from raw_months import NAMES, Months

from analytics.forget import files, queue, run
from analytics.spouts.forgotten import Forgotten
from analytics.store import Store

DAYS = Months(date(2018, 10, 16), date(2018, 10, 23), players=2)
PLAYER, LONE, GHOST = "01-0", "ghost-01", "dl-ghost"
ACCTS = [PLAYER, LONE, GHOST, "03-0", *NAMES]
"""Accts that play, that only pay, in one area or several; and odd ones, as some items and reasons are called, too. Roles' ids have their players' names in them."""


def renamed(record: Record, names: dict[str, str]) -> Record:
    """Return a record as it would have come from accts of other names."""
    topic, one = record
    new: dict[str, Any] = dict(one)
    if topic == "payment":
        new["users"] = {names.get(acct, acct): paid for acct, paid in one["users"].items()}
    elif topic == "syncuser":
        new["acctid"] = names.get(one["acctid"], one["acctid"])
    elif "acct" in one["data"]:
        new["data"] = one["data"] | {"acct": names.get(one["data"]["acct"], one["data"]["acct"])}
    return topic, new


def mortal(monkeypatch: pytest.MonkeyPatch, store: Store, random: Random) -> None:
    """Kill what forgets at some of its steps, before or after one."""

    def dying(target: Any, name: str) -> None:
        do = getattr(target, name)

        def step(*arguments: Any, **named: Any) -> Any:
            fate = random.random()
            if fate < 0.06:
                raise Killed
            result = do(*arguments, **named)
            if fate < 0.12:
                raise Killed
            return result

        monkeypatch.setattr(target, name, step)

    for target, name in (
        (files, "rewrite"), (queue, "rewrite"), (run, "rename_states"), (run, "write_file"), (Forgotten, "save"),
        (store, "write"), (store, "delete"),
    ):  # fmt: skip
        dying(target, name)
