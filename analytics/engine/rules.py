"""What of a configuration decides how records count: a batch that has begun is finished by the same, whatever the file says now.

    engine_rules    {"_id": "5f0c…", "rules": <msgpack>, "since": 18, "updated": …, "_v": 1}

Documents of a batch may have been written when its driver dies. Executed by other time zones, bolts or mappings, it would count
some records in other documents a second time.
"""

from datetime import UTC, datetime
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from analytics.config import Config, Game, GamelogSection, Source
from analytics.config.bolt_sections import BoltSection
from analytics.config.mapped import Mapped
from analytics.config.sections import FunnelSection
from analytics.engine.blocks import Uncountable
from analytics.engine.position import PLANS_KEPT
from analytics.store import Store, Write

COLLECTION = "engine_rules"
_TABLES = ("timezone", "games", "bolts", "bolt_files", "funnels")
"""Keys of the configuration that are rules as they are."""


class CountingRules(msgspec.Struct, frozen=True, omit_defaults=True):
    """What decides which records count, where and as what.

    ``sources``: those with a mapping, without their addresses; ``left_out``: bolts that do not run. Without ``funnels`` it is encoded as before there were any.
    """

    timezone: str
    games: dict[str, Game]
    bolts: dict[str, BoltSection]
    bolt_files: dict[str, str]
    sources: list[Source]
    left_out: list[str]
    funnels: dict[str, FunnelSection] = {}

    @classmethod
    def of(cls, config: Config) -> "CountingRules":
        """Return what a configuration says."""
        kept = ("name", "kind", "game", *Mapped.__struct_fields__)
        sources = [
            Source(**{key: getattr(one, key) for key in kept}) for one in config.gamelog.sources if one.format
        ]
        tables = {key: getattr(config, key) for key in _TABLES}
        return cls(sources=sources, left_out=config.worker.left_out, **tables)

    def applied_to(self, config: Config) -> Config:
        """Return a configuration with these in place of its own."""
        worker = replace(config.worker, groups={}, left_out=self.left_out)
        tables = {key: getattr(self, key) for key in _TABLES}
        return replace(config, gamelog=GamelogSection(sources=self.sources), worker=worker, **tables)

    @property
    def fingerprint(self) -> str:
        """What tells these from others."""
        return sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:16]


class KeptRules:
    """The rules of batches, kept as long as their plans are. Every method raises Unavailable if the store does not answer."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, rules: CountingRules, batch: int) -> None:
        """Keep the rules that batches follow from ``batch`` on; forget those that no plan that is kept has followed."""
        document = {
            "rules": msgspec.msgpack.encode(rules),
            "since": batch,
            "updated": datetime.now(UTC),
            "_v": 1,
        }
        self._store.write(COLLECTION, [Write(rules.fingerprint, document, None)])
        ids = list(self._store.ids(COLLECTION))
        found = sorted(self._store.load(COLLECTION, ids).items(), key=lambda one: int(one[1]["since"]))
        later = [int(one["since"]) for _, one in found[1:]]
        old = [id_ for (id_, _), end in zip(found, later, strict=False) if end < batch - PLANS_KEPT]
        if old:
            self._store.delete(COLLECTION, old)

    def load(self, fingerprint: str, batch: int) -> CountingRules:
        """Return the rules by which ``batch`` was planned. Raise Uncountable if they are gone, or of another release."""
        found = self._store.load(COLLECTION, [fingerprint]).get(fingerprint)
        try:
            if found is not None:
                return msgspec.msgpack.decode(found["rules"], type=CountingRules)
            reason = f"{COLLECTION} has no document {fingerprint}"
        except msgspec.MsgspecError as error:
            reason = f"this release can't read that: {error}"
        raise Uncountable(
            f"batch {batch} has begun by another configuration than the one of now, and {reason}. Put that configuration, and its "
            f"release, back until `bin/analytics status` shows batch {batch}"
        )
