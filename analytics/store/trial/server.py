"""The server's version, its featureCompatibilityVersion and its clock."""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from pymongo import MongoClient, ReadPreference
from pymongo.errors import PyMongoError

from analytics.store.mongod import OLDEST
from analytics.store.trial.finding import Finding, Grade, TrialStopped
from analytics.store.trial.reach import Answer

NEWEST = (8, 0)
"""The newest release for which MongoDB's documentation was read; 6.0 is the one that the tests run on."""

SUPPORTED = (7, 0)
"""The oldest release that MongoDB still repairs. Support of 6.0 ended in July 2025."""

APART_SECONDS = 5.0
"""Clocks that NTP sets are closer by far. Numbers don't depend on the server's clock; its logs and TTL do."""


def version(client: MongoClient[dict[str, Any]], embedded: bool) -> Iterator[Finding]:
    """Yield what to think of the server's version. Raise TrialStopped where it is too old."""
    info = client.admin.command("buildInfo", read_preference=ReadPreference.NEAREST)
    if "secantusVersion" in info:
        yield Finding(Grade.OK, f"secantusdb {info['secantusVersion']}")
        return
    yield from of_version(str(info["version"]), embedded)


def of_version(release: str, embedded: bool) -> Iterator[Finding]:
    """Yield what to think of ``release``, such as ``6.0.5``. Raise TrialStopped where it is too old."""
    major, minor = (int(part) for part in release.split(".")[:2])
    oldest, newest, supported = (".".join(map(str, limit)) for limit in (OLDEST, NEWEST, SUPPORTED))
    if (major, minor) < OLDEST:
        raise TrialStopped(f"MongoDB {release} is too old: expected {oldest} to {newest}; upgrade the server")
    if (major, minor) > NEWEST:
        yield Finding(
            Grade.WARNING,
            f"MongoDB {release} is newer than what this suite knows, {oldest} to {newest}; "
            "try it with a copy of your data before you rely on it",
        )
    elif (major, minor) >= SUPPORTED or embedded:
        # Which program the embedded server is, and what that means, the check of the node `store` says.
        yield Finding(Grade.OK, f"MongoDB {release}")
    else:
        yield Finding(
            Grade.WARNING,
            f"MongoDB {release} works, but is past its support: security holes stay open. "
            f"Upgrade to {supported} or newer, one release after the other",
        )


def clock(answer: Answer) -> Iterator[Finding]:
    """Yield how far the server's clock is from ours, as a warning where that is more than a few seconds."""
    # The server looked at its clock at some moment in between.
    there = answer.hello["localTime"].replace(tzinfo=UTC).timestamp()
    ahead = max(0.0, there - answer.answered) or min(0.0, there - answer.asked)
    if abs(ahead) <= APART_SECONDS:
        yield Finding(Grade.OK, "its clock agrees with ours")
        return
    side = "ahead of" if ahead > 0 else "behind"
    yield Finding(
        Grade.WARNING,
        f"the server's clock is {abs(ahead):,.1f} s {side} ours; expected at most {APART_SECONDS:g} s: "
        "let NTP set the clocks of both machines",
    )


def feature_version(client: MongoClient[dict[str, Any]]) -> Iterator[Finding]:
    """Yield a warning where an upgrade was begun and not finished. Silent where the user may not read that."""
    try:
        answer = client.admin.command("getParameter", 1, featureCompatibilityVersion=1)
        release = str(client.admin.command("buildInfo")["version"])
    except PyMongoError:
        return
    feature = str(answer.get("featureCompatibilityVersion", {}).get("version", ""))
    if feature and not release.startswith(f"{feature}."):
        yield Finding(
            Grade.WARNING,
            f"the server is {release} but its featureCompatibilityVersion is still {feature}; "
            "finish the upgrade with setFeatureCompatibilityVersion once you will not go back",
        )
