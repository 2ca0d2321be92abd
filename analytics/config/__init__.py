"""The configuration: one frozen value that holds every option, read from one TOML file and checked at start."""

from analytics.config.addresses import is_loopback
from analytics.config.areas import areas, fingerprint
from analytics.config.catalogue import Catalogue, catalogue, groups
from analytics.config.funnels import funnels
from analytics.config.mapped import EventSection, FieldSection, Mapped, TimeSection
from analytics.config.reading import load
from analytics.config.sections import (
    AreaSection,
    BrokerSection,
    Config,
    DashboardSection,
    DocumentsSection,
    EngineSection,
    EtcdSection,
    ExcludedSection,
    Game,
    GamelogSection,
    Interface,
    JournalSection,
    MetricsSection,
    MongoDB,
    NumberSection,
    Polled,
    Roles,
    SegmentSection,
    ServiceSection,
    Source,
    StoreSection,
    TimersSection,
    WorkerSection,
)
from analytics.config.segments import segments

__all__ = [
    "AreaSection",
    "BrokerSection",
    "Catalogue",
    "Config",
    "DashboardSection",
    "DocumentsSection",
    "EngineSection",
    "EtcdSection",
    "EventSection",
    "ExcludedSection",
    "FieldSection",
    "Game",
    "GamelogSection",
    "Interface",
    "JournalSection",
    "Mapped",
    "MetricsSection",
    "MongoDB",
    "NumberSection",
    "Polled",
    "Roles",
    "SegmentSection",
    "ServiceSection",
    "Source",
    "StoreSection",
    "TimeSection",
    "TimersSection",
    "WorkerSection",
    "areas",
    "catalogue",
    "fingerprint",
    "funnels",
    "groups",
    "is_loopback",
    "load",
    "segments",
]
