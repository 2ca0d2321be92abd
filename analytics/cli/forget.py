"""``analytics forget``: accts become pseudonyms, in all that is kept of them."""

from contextlib import closing

import click

from analytics.cli.console import some
from analytics.cluster import open_registry
from analytics.cluster.registry import alive
from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.forget.run import ForgettingReport
from analytics.forget.run import forget as run
from analytics.store.embedded.alone import opened_store


@click.command()
@click.argument("accts", nargs=-1, metavar="[ACCT]…")
@click.option(
    "--file", metavar="FILE", help="Take accts from this file in UTF-8, one a line; -: from standard input."
)
@click.option("--dry-run", "dry", is_flag=True, help="Change nothing; show what would be replaced.")
@click.pass_obj
def forget(config: Config, accts: tuple[str, ...], file: str | None, dry: bool) -> None:
    """Replace accts by pseudonyms in documents, journals, the Queue and everything else that is kept; no number changes.

    You can't undo this. Stop the suite first, on all hosts. Records of these accts that come later get the pseudonyms. An
    interrupted call is continued by the next one, also one without accts, which replaces those that were forgotten before. On other
    hosts with spouts, copy forgotten.json into the data folder, then call it there, without accts.
    """
    _refuse_running(config)
    wanted = [*accts, *(_listed(file) if file else ())]
    with opened_store(config, "forget") as store:
        report = run(config, store, wanted, lambda text: click.echo(text, err=True), dry)
    _show(report, dry)


def _listed(file: str) -> list[str]:
    try:
        with click.open_file(file, encoding="utf-8") as lines:
            return [line for text in lines if (line := text.rstrip("\r\n"))]
    except (OSError, UnicodeDecodeError) as error:
        raise AnalyticsError(
            f"--file {file}: expected a readable text in UTF-8, an acct a line: {error}"
        ) from error


def _show(report: ForgettingReport, dry: bool) -> None:
    for kind, count in sorted(report.places.items()):
        files = report.files.get(kind)
        click.echo(f"{kind}: {some(count, 'place')}" + (f" in {some(files, 'file')}" if files else ""))
    for collection, count in sorted(report.documents.items()):
        click.echo(f"{collection}: {some(count, 'document')}")
    done = "would be forgotten" if dry else "forgotten"
    click.echo(f"{some(report.accts, 'acct')} {done} in {report.seconds:.0f} s; {report.forgotten:,} in all")
    if report.not_found:
        click.echo(
            f"nothing that is kept names {report.not_found:,} of these accts: check how they are written. "
            "`bin/analytics export --acct ACCT` shows what is kept of one",
            err=True,
        )
    if report.left:
        raise AnalyticsError(
            "\n".join(
                ["accts may be left where the command changes nothing; look there yourself:", *report.left]
            )
        )


def _refuse_running(config: Config) -> None:
    with closing(open_registry(config)) as registry:
        running = [
            f"{node.name} (process {node.pid} on {node.host})" for node in registry.list() if alive(node)
        ]
        problem = registry.problem
    if running:
        raise AnalyticsError(
            f"nodes run: {', '.join(running)}. Stop them first, on all hosts: bin/analytics stop"
        )
    if problem:
        raise AnalyticsError(
            f"whether nodes of other hosts run is not known: {problem}. Repair this, then call the command again"
        )
