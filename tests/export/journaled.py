"""A simulated game's journals: with repeats, late records, lines that are no records, gzipped and torn ones; and its books."""

import gzip
import random
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from analytics.config import AreaSection, Config, Game, areas
from analytics.config.sections import FunnelSection, SegmentSection
from analytics.core.periods import Zone, dates
from analytics.core.periods import zone as local
from analytics.simulate import channels, funnel
from analytics.simulate.game import SimulatedGame
from analytics.simulate.world import WorldSettings, game_servers
from analytics.spouts.days import AreaDay
from analytics.spouts.paid import encoded, payment_tuple
from analytics.spouts.records import convert
from analytics.spouts.rules import Rules

FIRST = date(2026, 3, 6)
DAYS = 4
CHANNEL = msgspec.convert(channels.SECTION, SegmentSection)
Documents = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True)
class Journaled:
    """``lines``: of game logs, each once, in the journals' form; ``documents``: what the suite makes of all."""

    config: Config
    lines: list[bytes]
    documents: Documents


def journaled(folder: Path, zone: str = "Asia/Shanghai", seed: int = 1) -> Journaled:
    """Play a small game and write its journals to ``folder/data``; the newest of each spout ends in a torn line."""
    settings = WorldSettings(FIRST, seed, 2, 40, DAYS, zone)
    servers = game_servers(settings)
    sections = {server.id: AreaSection(plat=server.plat) for server in servers}
    games = {
        name: Game(
            areas={one.id: sections[one.id] for one in servers if one.game == name},
            segments={channels.SEGMENT: CHANNEL} if name in channels.GAMES else {},
        )
        for name in {server.game for server in servers}
    }
    funnels = {funnel.NAME: msgspec.convert(funnel.SECTION, FunnelSection)}
    config = Config(
        data=folder / "data", timezone=zone, games=games, funnels=funnels, file=folder / "analytics.toml"
    )
    config.data.mkdir(parents=True)
    game = SimulatedGame(settings, folder / "game", speed=1e12)
    try:
        game.run()
        now = game.clock.end
        lines = _gamelog(config, game, now)
        polled = {"payment": _payments(config, game), "syncuser": _roles(config, game)}
        documents = _with_dates(game.ledger.documents(now), local(zone))
    finally:
        game.close()
    rng = random.Random(seed)
    for spout, of_spout in {"gamelog": lines, **polled}.items():
        _write(config.data, spout, of_spout, rng)
    return Journaled(config, lines, documents)


def _with_dates(documents: Documents, zone: Zone) -> Documents:
    """Return the ledger's documents with what is stored besides."""
    return {
        name: {id: {**dates(zone, one["ts"]), **one} if "ts" in one else one for id, one in by_id.items()}
        for name, by_id in documents.items()
    }


def _gamelog(config: Config, game: SimulatedGame, now: int) -> list[bytes]:
    """Return the game's lines as the spout journals them."""
    rules = Rules(areas(config), {})
    found: list[bytes] = []
    for server in game.servers:
        path = game.log_path(server.id)
        assert path is not None
        (share,) = convert(path.read_bytes(), f"gamelog/{server.server_name}@0123456789abcdef", 1, rules, now)
        assert not share.bad
        found += [line for lines in share.topics.values() for line in lines.body.split(b"\n")]
    return found


def _payments(config: Config, game: SimulatedGame) -> list[bytes]:
    """Return two snapshots of each day: what half of the accts had paid at noon, and everything."""
    found = []
    paid_days = game.ledger.documents(game.clock.end)["paysummary"].values()
    for area in areas(config).values():
        for day in sorted({one["ts"] for one in paid_days if one["area"] == area.id}):
            paid = game.ledger.payments(area.id, day)
            users = {
                acct: {"times": one.times, "amount": one.gross / 100, "refunded": one.refunds / 100}
                for acct, one in paid.items()
            }
            early = {acct: {"times": 1, "amount": 0.01} for acct in list(users)[::2]}
            for at, some in ((day + 43_200, early), (day + 86_400, users)):
                found.append(payment_tuple(AreaDay(area, day), at * 1000, encoded(some)))
    return [b'{"id":"payment/all:%d",' % n + one[1:] for n, one in enumerate(found, 1)]


def _roles(config: Config, game: SimulatedGame) -> list[bytes]:
    roles = [role for area in areas(config) for role in game.ledger.roles(area)]
    for server in game.servers:
        game.ledger.answered(server.id, game.ledger.roles(server.id))
    return [
        msgspec.json.encode({"id": f"syncuser/all:{n}", "at": 1, **role}) for n, role in enumerate(roles, 1)
    ]


def _write(folder: Path, spout: str, lines: list[bytes], rng: random.Random) -> None:
    """Write the lines, some of them twice, out of order, to a gzipped, a plain and a growing journal."""
    every = [*lines, *rng.sample(lines, len(lines) // 5)]
    rng.shuffle(every)
    every[3:3] = [b"no record", b'{"id":"%b/x:1"' % spout.encode()]
    third = len(every) // 3
    old, plain, newest = (
        b"".join(line + b"\n" for line in part)
        for part in (every[:third], every[third : 2 * third], every[2 * third :])
    )
    stem = f"{spout}_{FIRST:%Y%m%d}"
    (folder / f"{stem}0000.txt.gz").write_bytes(gzip.compress(old))
    (folder / f"{stem}0100.txt").write_bytes(plain)
    (folder / f"{stem}0100.txt.gz").write_bytes(gzip.compress(plain)[:50])  # it is being gzipped
    later = FIRST.replace(day=FIRST.day + DAYS)
    (folder / f"{spout}_{later:%Y%m%d}2300-2.txt").write_bytes(newest + lines[0][:30])
