"""One area-day with 2,000,000 accts: is every one there, how large does a document get, and what does it take?"""

import shutil
import tempfile
import time
from pathlib import Path

import bson
import click
import msgspec

from analytics.config import load
from analytics.core.settle import part_ids
from analytics.store import open_store
from benchmarks import lines, road

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
    seconds, used = road.run(
        work / "run", source, accts, "", {"main": BOLTS}, check=lambda: look(work, accts)
    )
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


if __name__ == "__main__":
    main()
