"""Every option with its type and default.

Paths are relative to the file. Secrets come from the environment: a key whose name ends in ``_env``
names the variable. Each section is documented key by key in ``conf/analytics.toml``.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from analytics.config.alert_sections import AlertSection, ChannelSection, DigestSection
from analytics.config.bolt_sections import BoltSection
from analytics.config.mapped import Mapped
from analytics.config.section import Section

Port = Annotated[int, Meta(ge=1, le=65535)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
AtLeastOne = Annotated[int, Meta(ge=1)]
PortOrAny = Annotated[int, Meta(ge=0, le=65535)]
Language = Literal["en", "zh"]
"""Languages of the dashboard; their texts are in analytics/web/languages."""


class MongoDB(Section, frozen=True):
    """The database of the documents. An empty ``uri`` means the embedded server.

    ``unsafe_uri_options``: obey options of the URI that may lose acknowledged records, instead of refusing them.
    """

    uri: str = ""
    uri_env: str = ""
    database: str = "analytics"
    unsafe_uri_options: bool = False


class StoreSection(Section, frozen=True):
    """The embedded server (node ``store``). ``mongod``: a path, or a name on ``PATH``; empty: search for it."""

    engine: Literal["auto", "mongod", "secantus"] = "auto"
    mongod: str = ""
    port: Port = 27027
    power_loss_safe: bool = False
    cache_mb: Annotated[int, Meta(ge=64)] = 1024


class BrokerSection(Section, frozen=True):
    """The broker's endpoints and its log on disk. Port 0, any free port, is for tests; a file needs real ones.

    ``keys``, the folder of CURVE keys, is absolute once loaded. ``key_name``: the pair that this host's nodes use.
    ``sockets`` is no key of the file: once loaded, the folder of unix sockets, "" if the nodes of this host use TCP.
    """

    host: str = "127.0.0.1"
    reached_at: str = ""
    keys: str = ""
    key_name: str = "client"
    let_anyone_in: bool = False
    sockets: str = ""
    receiver_port: PortOrAny = 5000
    sender_port: PortOrAny = 5001
    refill_port: PortOrAny = 5002
    silence_seconds: Annotated[float, Meta(ge=1)] = 15.0
    segment_mb: Positive = 64
    keep_hours: NotNegative = 24.0
    keep_mb: NotNegative = 1024
    min_free_mb: NotNegative = 512
    fsync: bool = True


class EtcdSection(Section, frozen=True):
    """The registry of several hosts. Without ``endpoints``, it is on this machine only.

    ``ca``, ``cert`` and ``key`` are absolute once loaded. The times concern the lease of an entry or an active
    instance: its time to live, the interval of renewals, and the interval of attempts to take over.
    """

    endpoints: list[str] = []
    api: Literal["v3", "v2"] = "v3"
    prefix: str = "analytics"
    host_name: str = ""
    user: str = ""
    password_env: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    timeout_seconds: Positive = 3.0
    ttl_seconds: Annotated[int, Meta(ge=2)] = 5
    beat_seconds: Positive = 1.5
    poll_seconds: Positive = 1.0


class JournalSection(Section, frozen=True):
    """Rotation and retention of ``data/*.txt``. ``keep_days`` 0 keeps them forever."""

    rotate_mb: Positive = 256
    rotate_minutes: Positive = 60
    keep_days: NotNegative = 0


class DocumentsSection(Section, frozen=True):
    """How long documents are kept. ``keep_days``: by collection, days after the end of their period; others are kept forever."""

    keep_days: dict[str, int] = {}


SOURCE_KINDS = {
    "http": ("url", "rotated_url", "headers", "ca", "proxy", "poll_seconds", "timeout_seconds"),
    "file": ("path", "poll_seconds"),
    "tcp": ("port", "host"),
}
"""The keys that apply to each kind of source, beside those that apply to all. The first one is required."""


class Source(Mapped, frozen=True, kw_only=True):
    """One named source of game logs. ``kind``, of :data:`SOURCE_KINDS`, decides which other keys apply. ``path`` and ``ca`` are
    absolute once loaded."""

    name: str
    kind: str
    game: str = ""
    url: str = ""
    rotated_url: str = ""
    headers: dict[str, str] = {}
    ca: str = ""
    proxy: str = ""
    poll_seconds: Positive = 1.0
    timeout_seconds: Positive = 10.0
    path: str = ""
    host: str = "127.0.0.1"
    port: PortOrAny = 0


class GamelogSection(Section, frozen=True):
    """The gamelog spout."""

    batch_lines: AtLeastOne = 1500
    batch_seconds: Positive = 0.2
    window: AtLeastOne = 8
    sources: list[Source] = []


class Polled(Section, frozen=True):
    """An HTTP JSON interface that is polled for every area. An empty ``url`` turns it off.

    ``clock_url`` answers ``{"now": Unix seconds}``, the interface's time; empty means this machine's
    clock. ``ca`` is absolute once loaded.
    """

    url: str = ""
    clock_url: str = ""
    headers: dict[str, str] = {}
    ca: str = ""
    proxy: str = ""
    token_env: str = ""
    every_seconds: Positive = 60.0
    timeout_seconds: Positive = 10.0
    retries: Annotated[int, Meta(ge=0)] = 5
    concurrency: AtLeastOne = 8


class Interface(Polled, frozen=True):
    """An interface that is polled for every area and day.

    ``since`` (YYYY-MM-DD) is the first day to poll at the first start; empty means yesterday.
    """

    since: str = ""
    settle_hours: NotNegative = 6.0


class Roles(Polled, frozen=True):
    """An interface that is polled for the changed roles of every area, and at longer intervals for all roles."""

    full_every_seconds: Positive = 86_400.0
    overlap_seconds: AtLeastOne = 60


class WorkerSection(Section, frozen=True):
    """How bolts run. ``groups``: process name to its bolts. Bolts in no group run in one more process; those in
    ``left_out`` do not run."""

    groups: dict[str, list[str]] = {}
    left_out: list[str] = []
    flush_seconds: Positive = 1.0
    max_pending_tuples: AtLeastOne = 800_000
    max_known_accts: AtLeastOne = 2_000_000


class EngineSection(Section, frozen=True):
    """The engine that counts instead of broker and workers. ``kind`` "": there is none.

    ``shared`` is absolute once loaded, "" if all nodes run on this host: then the journals lie in the data folder.
    """

    kind: Literal["", "local", "spark"] = ""
    master: str = ""
    shared: str = ""
    batch_seconds: Positive = 5.0
    block_mb: Positive = 16
    batch_mb: Positive = 512
    tasks: AtLeastOne = 2
    conf: dict[str, str] = {}


class TimersSection(Section, frozen=True):
    """How timer bolts run. ``every_seconds`` 0: they don't. ``absent_days``: days without a login after which an acct is lost.

    ``session_gap_minutes``: so soon after it has left, an acct goes on with its session. ``session_limit_hours``: when a session
    ends whose logout is lost.
    """

    every_seconds: NotNegative = 60.0
    max_known_mb: Positive = 1536
    absent_days: Annotated[int, Meta(ge=2, le=30)] = 7
    session_gap_minutes: Annotated[float, Meta(ge=0, le=60)] = 5
    session_limit_hours: Annotated[float, Meta(ge=1, le=22)] = 12


class ServiceSection(Section, frozen=True):
    """The suite in the background. ``nodes``: the nodes of this host; empty means all that are needed."""

    nodes: list[str] = []
    drain_seconds: NotNegative = 30.0
    restarts: AtLeastOne = 10
    log_mb: Positive = 16
    log_files: AtLeastOne = 4


class MetricsSection(Section, frozen=True):
    """Metrics on a separate port of the loopback (node ``metrics``). ``port`` 0: no such node."""

    port: PortOrAny = 0


class RightsSection(Section, frozen=True):
    """What a user of the dashboard sees: these ``games``, all if left out, and with ``lists`` accts by name."""

    games: list[str] | None = None
    lists: bool = True


class OidcSection(Section, frozen=True):
    """Log-in through an OpenID Connect provider. ``users``: the values of ``claim`` that may log in. "" as ``issuer``: none."""

    issuer: str = ""
    client_id: str = ""
    client_secret_env: str = ""
    claim: str = "email"
    users: list[str] = []


class DashboardSection(Section, frozen=True):
    """The dashboard (node ``dashboard``). ``port`` 0: no dashboard.

    ``users``: names and hashed passwords, as ``bin/analytics password`` makes them. Unless ``host`` is on the loopback,
    users are required, and TLS or, with ``behind_proxy``, a web server that provides it at one of the addresses or
    networks ``proxies``. ``rights``: by user; one without them sees everything. ``audit_days``: how long the audit log is
    kept. ``language`` is for browsers that ask for none of the available ones.
    """

    host: str = "127.0.0.1"
    port: PortOrAny = 5080
    users: dict[str, str] = {}
    oidc: OidcSection = OidcSection()
    rights: dict[str, RightsSection] = {}
    session_hours: Positive = 12.0
    audit_days: Annotated[int, Meta(ge=1, le=3660)] = 366
    tls_cert: str = ""
    tls_key: str = ""
    behind_proxy: bool = False
    proxies: list[str] = msgspec.field(default_factory=lambda: ["127.0.0.1", "::1"])
    language: Language = "en"

    @property
    def known_users(self) -> frozenset[str]:
        """Everyone who may log in, by password or through the provider."""
        return frozenset((*self.users, *(self.oidc.users if self.oidc.issuer else ())))


class AreaSection(Section, frozen=True):
    """One area of a game. ``name`` is for people; empty: ``server_name``. ``corpid`` and ``server_name`` find it for logs that carry no ``area``. ``opened`` (YYYY-MM-DD): records of
    earlier days do not count as the area's start. ``merged_into``: the area of the same game that took over its players, ``merged_on``
    (YYYY-MM-DD) the first day on which they played there. ``currency``: of payments that name none; empty: the game's."""

    plat: str
    name: str = ""
    opened: str = ""
    merged_into: str = ""
    merged_on: str = ""
    timezone: str = ""
    currency: str = ""
    corpid: str | int = ""
    server_name: str = ""


class SegmentSection(Section, frozen=True):
    """A property of a game's accts by which numbers are divided. ``from_`` is the key ``from``: ``<op code>.data.<field>``."""

    from_: str = msgspec.field(name="from")
    values: list[str]
    other: bool = False


class FunnelSection(Section, frozen=True):
    """Steps that the accts of a sign-up day go through, and how long after their sign-up a step counts, such as ``7d``."""

    steps: list[str]
    within: str = "7d"


class TiersSection(Section, frozen=True):
    """From how much in a month on, in currency units, a payer is a dolphin and a whale. Below that it is a minnow."""

    dolphin: Positive = 10
    whale: Positive = 100


class ExcludedSection(Section, frozen=True):
    """Accts of a game whose records do not count: named, fitting a pattern of ``*``, ``?`` and ``[…]``, or listed in a file. Once
    loaded, ``accts_file`` is absolute, and its accts are among ``accts``."""

    accts: list[str] = []
    patterns: list[str] = []
    accts_file: str = ""


class Game(Section, frozen=True):
    """One game: its areas by id, its segments, the accts that do not count, and its own op codes mapped to the suite's.

    ``currency``: its money, by a name that rates and payments use, or by its sign alone. ``signs``: of currencies. ``rates``: by currency and
    day (YYYY-MM-DD) what one of it is from then on in the game's, a decimal number as text; once loaded, ``rates_file`` is absolute, and
    its rates are among them."""

    timezone: str = ""
    currency: Annotated[str, Meta(max_length=8)] = ""
    signs: dict[str, Annotated[str, Meta(max_length=8)]] = {}
    rates_file: str = ""
    rates: dict[str, dict[str, str]] = {}
    opcodes: dict[str, str] = {}
    tiers: TiersSection = TiersSection()
    excluded: ExcludedSection = ExcludedSection()
    segments: dict[str, SegmentSection] = {}
    areas: dict[str, AreaSection] = {}


class NumberSection(Section, frozen=True):
    """A formula over numbers of documents, which the dashboard shows by day. ``page``: the title of its page."""

    value: str
    title: str = ""
    page: Annotated[str, Meta(max_length=40)] = "Numbers"


class Config(Section, frozen=True):
    """The whole configuration. ``data`` is absolute once loaded; ``file`` is the file it was read from.

    ``bolt_files`` is no key of the file: once loaded, the Python files in the folder ``bolts`` beside it, path to text.
    """

    data: Path = Path("../data")
    timezone: str = "Asia/Shanghai"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "logfmt", "json"] = "text"
    mongodb: MongoDB = MongoDB()
    store: StoreSection = StoreSection()
    broker: BrokerSection = BrokerSection()
    etcd: EtcdSection = EtcdSection()
    journal: JournalSection = JournalSection()
    documents: DocumentsSection = DocumentsSection()
    gamelog: GamelogSection = GamelogSection()
    payment: Interface = Interface()
    syncuser: Roles = Roles()
    worker: WorkerSection = WorkerSection()
    engine: EngineSection = EngineSection()
    timers: TimersSection = TimersSection()
    service: ServiceSection = ServiceSection()
    metrics: MetricsSection = MetricsSection()
    dashboard: DashboardSection = DashboardSection()
    games: dict[str, Game] = {}
    bolts: dict[str, BoltSection] = {}
    bolt_files: dict[str, str] = {}
    alerts: dict[str, AlertSection] = {}
    channels: dict[str, ChannelSection] = {}
    digest: DigestSection = DigestSection()
    numbers: dict[str, NumberSection] = {}
    funnels: dict[str, FunnelSection] = {}
    file: Path = Path()
