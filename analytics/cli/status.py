"""``analytics status``: every node and the balance."""

import sys
import time
from collections.abc import Sequence
from typing import Any

import click
import msgspec
from rich.table import Column, Table

from analytics.broker.wire import BrokerState
from analytics.cli.console import Console, console, escape, right
from analytics.cli.streams import data_stream
from analytics.config import Config
from analytics.runtime.engine_progress import EngineReport
from analytics.runtime.report import SECONDS, StatusReport, facts, report
from analytics.runtime.service.control import lsb_status
from analytics.runtime.usefulness import SourceShare

SOURCES_SHOWN = 20


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.option(
    "--lsb",
    is_flag=True,
    help="Exit statuses of init scripts: 0 healthy, 1 killed, 3 stopped, 150 unhealthy.",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0, min_open=True),
    default=SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long broker and store may take to answer. More on a machine that is busy.",
)
@click.pass_obj
def status(config: Config, as_json: bool, lsb: bool, patience: float) -> None:
    """Show every node, healthy or not, and the balance of records.

    The exit status is 0 only if every node that the configuration needs is healthy, broker (or engine) and store answer, and
    the balance adds up.
    """
    found = report(config, patience)
    if as_json:
        data_stream().write(msgspec.json.format(msgspec.json.encode(facts(found))).decode() + "\n")
    else:
        _show(found, console(highlight=False))
    sys.exit(lsb_status(config, found.healthy) if lsb else 0 if found.healthy else 1)


def _show(found: StatusReport, console: Console) -> None:
    console.print(_nodes(found))
    for warning in found.warnings:
        console.print(f"[yellow]Warning:[/yellow] {escape(warning)}")
    for peer in found.peers:
        if peer.problem and peer.name == "etcd":
            console.print(f"[red]Other hosts are not known, work goes on:[/red] {escape(peer.problem)}")
        elif peer.problem and peer.name not in ("broker", "engine"):
            console.print(f"[red]No answer:[/red] {peer.name}: {escape(peer.problem)}")
    if found.balance is None:
        console.print(f"[red]No balance:[/red] {escape(found.problem)}")
        return
    console.print(_spouts(found))
    if found.engine is not None:
        console.print(_engine(found.engine, found.at))
        if found.shares:
            console.print(_counted(found.shares))
    else:
        console.print(_bolts(found))
    for one in found.shares:
        if one.rejected:
            console.print(
                f"Source {escape(one.source)} ({one.spout}): {one.rejected:,} of {one.accepted + one.rejected:,} records "
                f"rejected so far ({one.percent:g} %); `bin/analytics rejected` lists those that are neither replayed nor dismissed."
            )
    for topic in found.unread:
        hint = f"; if that is {topic.nearest}, map it" if topic.nearest else ""
        console.print(
            f"Op code {escape(topic.op_code)}: {topic.records:,} records, which no bolt reads{hint}."
        )
    for node in found.nodes:
        if node.state.get("runs"):
            console.print(_timers(node.state, found.at))
    if found.problem:
        console.print(f"[red]The broker accepts nothing:[/red] {escape(found.problem)}")
    if found.broker is not None:
        _filter(found.broker, console)
        _refused(found.broker, console)
    for fault in found.balance.faults:
        console.print(f"[red]Does not add up:[/red] {escape(fault)}")
    if not found.balance.faults:
        lag = f"{found.lag:,} records, " if found.lag is not None else ""
        lag += f"{found.lag_seconds:.1f} s"
        console.print(f"The balance adds up. Lag: {lag}.")


def _filter(state: BrokerState, console: Console) -> None:
    streams = sum(known.streams for known in state.sources.values())
    if streams > state.active_streams:
        console.print(
            f"The filter knows {streams:,} streams, {state.active_streams:,} of them in memory. It forgets none."
        )


def _refused(state: BrokerState, console: Console) -> None:
    if state.refused_keys:
        console.print(
            f"[yellow]Keys that are not known came {state.refused_keys:,} times[/yellow]; see the broker's log."
        )
    if state.refused_keyless:
        console.print(
            f"[yellow]Connections without the right keys were refused {state.refused_keyless:,} times[/yellow]: a host "
            "whose `broker.keys` is empty or of another suite, or a stranger."
        )


def _titled(title: str, *columns: Column | str) -> Table:
    return Table(*columns, title=title, title_justify="left")


def _nodes(found: StatusReport) -> Table:
    numbers = right("pid", "running", "a second", "MB", "files")
    table = _titled("Nodes", "node", "role", "host", "health", *numbers, "last error")
    for node in found.nodes:
        healthy = "healthy, standby" if node.state.get("standby") else "healthy"
        health = f"[green]{healthy}[/green]" if node.healthy else f"[red]{escape(node.problem)}[/red]"
        error = "" if node.last_error in node.problem else node.last_error
        running = ("", "", "", "")
        if node.pid:
            memory = f"{node.process.memory_bytes / 1e6:,.0f}"
            files = str(node.process.descriptors)
            running = (_duration(found.at - node.since), f"{node.rate:,.0f}", memory, files)
        table.add_row(node.name, node.role, node.host, health, str(node.pid or ""), *running, escape(error))
    return table


def _spouts(found: StatusReport) -> Table:
    now = right("read", "journaled", "rejected", "repeated", "published")
    ever = right("ever accepted", "ever rejected", "sources", "lost parts")
    table = _titled("Spouts: records since their start, and distinct ones ever", "spout", *now, *ever)
    assert found.balance is not None
    for one in found.balance.spouts:
        values = (
            one.read, one.journaled, one.rejected, one.repeated, one.published,
            one.ever_accepted, one.ever_rejected, one.sources, one.lost,
        )  # fmt: skip
        table.add_row(one.name, *("–" if value is None else f"{value:,}" for value in values))
    return table


def _engine(found: EngineReport, now: float) -> str:
    """Return how far the engine is."""
    if not found.batch:
        return f"Engine ({found.kind}): no batch yet; {found.waiting_bytes:,} bytes of journals wait."
    timers = f" Timer bolts are at batch {found.timers_batch:,}." if found.timers_batch is not None else ""
    oldest = f", from byte {found.oldest[1]:,} of {found.oldest[0]} on" if found.oldest else ""
    lost = f" {found.tasks_lost:,} tasks were lost and run again." if found.tasks_lost else ""
    held = " Batches wait for a backfill, or for `bin/analytics forget`." if found.held else ""
    return (
        f"Engine ({found.kind}, executors: {found.executors:,}): batch {found.batch:,} was committed {_duration(now - found.batch_at)} ago; "
        f"{sum(found.records.values()):,} records counted, {found.repeated:,} repeated; {found.waiting_bytes:,} bytes of journals "
        f"wait{oldest}.{timers}{lost}{held}"
    )


def _counted(shares: Sequence[SourceShare]) -> str:
    """Return how many records of each source are counted, those with the most first."""
    most = sorted(shares, key=lambda one: -one.accepted)[:SOURCES_SHOWN]
    shown = ", ".join(f"{escape(f'{one.spout} {one.source}'.rstrip())} {one.accepted:,}" for one in most)
    more = len(shares) - len(most)
    return f"Counted by source: {shown}{f' and {more:,} more' if more else ''}."


def _bolts(found: StatusReport) -> Table:
    numbers = right("in the Queue", "accounted for", "lag", "seconds")
    table = _titled("Bolts: records of each topic that they account for", "bolt", "topic", *numbers)
    assert found.balance is not None
    for one in found.balance.bolts:
        total = found.balance.topics.get(one.topic, 0)
        lag = f"[yellow]{one.lag:,}[/yellow]" if one.lag else "0"
        seconds = f"{one.waiting:,.1f}" if one.lag else ""
        table.add_row(one.bolt, one.topic, f"{total:,}", f"{one.accounted:,}", lag, seconds)
    return table


def _timers(state: dict[str, Any], now: float) -> str:
    """Return a summary of the timer bolts' last run and pending work."""
    unknown, large = state["unknown_areas"], state.get("large_games", {})
    asked = large.get("waiting_for")
    since = f" ({asked} for {_duration(max(0.0, now - large['since']))} now)" if asked else ""
    return (
        f"Timer bolts: last run {_duration(max(0.0, now - state['ran_at']))} ago took {state['seconds']:.1f} s; "
        f"{sum(state['documents'].values()):,} documents written since the start; {state['changed_days']:,} changed "
        "area-days not in their documents yet"
        + (f"; computed on the cluster: {', '.join(large['names'])}{since}" if large.get("names") else "")
        + (f"; skipped, since they are not configured: areas {', '.join(unknown)}" if unknown else "")
    )


def _duration(seconds: float) -> str:
    return (
        time.strftime("%H:%M:%S", time.gmtime(seconds)) if seconds < 86400 else f"{seconds / 86400:.1f} days"
    )
