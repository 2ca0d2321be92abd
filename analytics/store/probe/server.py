"""The server's version, its featureCompatibilityVersion and its clock."""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from pymongo import MongoClient, ReadPreference
from pymongo.errors import PyMongoError

from analytics.store.mongod import OLDEST
from analytics.store.probe.finding import Finding, Grade, ProbeStopped
from analytics.store.probe.reach import HelloAnswer

NEWEST = (8, 0)
"""The newest release that was checked against MongoDB's documentation. The tests run on 6.0."""

SUPPORTED = (7, 0)
"""The oldest release that MongoDB supports. Support of 6.0 ended in July 2025."""

APART_SECONDS = 5.0
"""Clocks with NTP differ much less. Numbers don't depend on the server's clock, but its logs and TTL do."""


def version(client: MongoClient[dict[str, Any]], embedded: bool) -> Iterator[Finding]:
    """Yield a finding on the server's version. Raise ProbeStopped if it is too old."""
    info = client.admin.command("buildInfo", read_preference=ReadPreference.NEAREST)
    if "secantusVersion" in info:
        yield Finding(Grade.OK, f"secantusdb {info['secantusVersion']}")
        return
    yield from of_version(str(info["version"]), embedded)


def of_version(release: str, embedded: bool) -> Iterator[Finding]:
    """Yield a finding on ``release``, such as ``6.0.5``. Raise ProbeStopped if it is too old."""
    major, minor = (int(part) for part in release.split(".")[:2])
    oldest, newest, supported = (".".join(map(str, limit)) for limit in (OLDEST, NEWEST, SUPPORTED))
    if (major, minor) < OLDEST:
        raise ProbeStopped(f"MongoDB {release} is too old: expected {oldest} to {newest}; upgrade the server")
    if (major, minor) > NEWEST:
        yield Finding(
            Grade.WARNING,
            f"MongoDB {release} is newer than the releases this suite was checked with, {oldest} to {newest}; "
            "try it with a copy of your data before you rely on it",
        )
    elif (major, minor) >= SUPPORTED or embedded:
        # The check of the node `store` reports the embedded server's version.
        yield Finding(Grade.OK, f"MongoDB {release}")
    else:
        yield Finding(
            Grade.WARNING,
            f"MongoDB {release} works, but is no longer supported: vulnerabilities stay open. "
            f"Upgrade to {supported} or newer, one release after the other",
        )


def clock(answer: HelloAnswer) -> Iterator[Finding]:
    """Yield how much the server's clock differs, as a warning if it is more than a few seconds."""
    # The server read its clock at some moment in between.
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
    """Yield a warning where an upgrade was begun and not finished. Nothing if the user may not read it."""
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
