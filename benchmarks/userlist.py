"""One area-day with 2,000,000 accts: is every one there, how large does a document get, and what does it take?

The list is also asked of a dashboard, as a CSV, while pages are asked of it.
"""

import http.client
import shutil
import tempfile
import time
from pathlib import Path

import bson
import click
import msgspec

from analytics.config import load
from analytics.core.periods import zone
from analytics.core.settle import part_ids
from analytics.runtime.suite import Suite
from analytics.store import open_store
from benchmarks import end_to_end, lines, stores

BOLTS = ["loginhour", "loginday", "server"]


def write(path: Path, accts: int) -> None:
    """Write one login each of ``accts`` accts, over one day of the first area."""
    encode = msgspec.json.Encoder().encode
    op = {"code": "login_logcount", "id": 1003}
    with path.open("wb") as file:
        for n in range(accts):
            ts = lines.START + n * 86400 // accts
            file.write(
                encode({"op": op, "area": lines.AREAS[0], "ts": ts, "data": {"acct": f"acct{n:012}"}}) + b"\n"
            )


@click.command()
@click.option("--accts", default=2_000_000, show_default=True)
def main(accts: int) -> None:
    """Count the accts of one area-day on the embedded store, and read every one of them back."""
    work = Path(tempfile.mkdtemp(prefix="userlist-"))
    source = work / "lines.log"
    write(source, accts)

    def check() -> None:
        look(work, accts)
        download(work, accts)

    seconds, used = end_to_end.run(work / "run", source, accts, stores.EMBEDDED, {"main": BOLTS}, check=check)
    click.echo(f"{accts:,} accts in one area-day, embedded store: {seconds:.1f} s")
    for name, one in used.items():
        click.echo(
            f"    {name:10} {one.cpu:6.1f} CPU s   peak {one.peak:6.0f} MB   written {one.written:8.0f} MB"
        )
    shutil.rmtree(work)


def look(work: Path, accts: int) -> None:
    """Read the day's document and all its parts; fail if anything is missing or large."""
    store = open_store(load(work / "run" / "analytics.toml"))
    key = f"{lines.AREAS[0]}:{lines.START}"
    document = store.load("loginday", [key])[key]
    begin = time.monotonic()
    whole = store.whole("loginday", document)
    took = time.monotonic() - begin
    if not len(whole["userlist"]) == len(set(whole["userlist"])) == document["count"] == accts:
        raise click.ClickException(
            f"count {document['count']:,}, list {len(whole['userlist']):,}, expected {accts:,}"
        )
    size = len(bson.encode(document))
    parts = store.load("loginday", part_ids(document)).values()
    largest = max(len(bson.encode(part)) for part in parts)
    click.echo(
        f"every acct is there: {document['parts']['count']:,} parts of at most {largest / 1000:.0f} kB, "
        f"document {size / 1000:.0f} kB, all read in {took:.1f} s"
    )
    store.close()


def download(work: Path, accts: int) -> None:
    """Get the list from a dashboard; fail if an acct is missing. Tell what the dashboard takes for it."""
    path = work / "run" / "analytics.toml"
    config = load(path)
    port, day = config.dashboard.port, zone(config.timezone).local(lines.START).date()
    address = f"/api/v1/accts/active.csv?area={lines.AREAS[0]}&from={day}&to={day}"
    with Suite(path, [["dashboard"]]) as suite:
        pid = suite.pid("dashboard")
        asked(port, "/login").read()
        before, took = end_to_end.usage(pid), 0.0
        begin = time.monotonic()
        answer, found, bytes_ = asked(port, address), set(), 0
        for number, line in enumerate(answer):
            found.add(line.rpartition(b",")[2])
            bytes_ += len(line)
            if number % (accts // 20) == 0:
                one = time.monotonic()
                asked(port, "/login").read()
                took = max(took, time.monotonic() - one)
        seconds, after = time.monotonic() - begin, end_to_end.usage(pid)
    if len(found) != accts + 1:
        raise click.ClickException(f"the CSV has {len(found) - 1:,} accts, expected {accts:,}")
    click.echo(
        f"every acct is in the CSV: {bytes_ / 1e6:.0f} MB in {seconds:.1f} s ({after.cpu - before.cpu:.1f} CPU s); the "
        f"dashboard's peak went from {before.peak:.0f} to {after.peak:.0f} MB; another request took {took * 1000:.0f} ms at most"
    )


def asked(port: int, path: str) -> http.client.HTTPResponse:
    """Return the answer to a request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", path)
    return connection.getresponse()


if __name__ == "__main__":
    main()
