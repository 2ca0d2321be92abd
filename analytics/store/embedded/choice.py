"""Which engine a configuration uses: the same answer in every process, as it is recorded beside the data.

``store/engine.json`` records the engine that keeps the documents. With ``store.engine = "auto"`` the record counts as
long as that engine holds data, so neither an upgrade nor a missing program ever starts with an empty database.
Without a record the engine whose folder holds data counts, and without data ``mongod`` where one runs.
"""

from pathlib import Path
from typing import Literal, get_args

import msgspec

from analytics.config import Config
from analytics.errors import AnalyticsError, ConfigError, Unavailable
from analytics.store.embedded.engine import Engine
from analytics.store.embedded.mongod import MongodEngine
from analytics.store.embedded.password import make_folder
from analytics.store.embedded.secantus import Secantus
from analytics.store.mongod import NoMongod, find_mongod
from analytics.system import files

Name = Literal["mongod", "secantus"]
NAMES: tuple[Name, ...] = get_args(Name)
RECORD = "engine.json"
MOVE = "bin/analytics store move"


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """What ``engine.json`` says: which engine keeps the documents.

    ``moving_to`` is the engine that a move, not finished yet, copies to; ``moved_from`` the one that the last finished
    move left behind.
    """

    engine: Name
    moving_to: Name | None = None
    moved_from: Name | None = None


def open_engine(name: Name, config: Config, port: int | None = None) -> Engine:
    """Return the engine of that name; ``port`` is instead of ``store.port``."""
    return MongodEngine(config, port) if name == "mongod" else Secantus(config, port)


def other(name: Name) -> Name:
    """Return the engine that is not ``name``."""
    return "secantus" if name == "mongod" else "mongod"


def engine_name(config: Config) -> Name:
    """Return the engine that this configuration uses. Cheap where it has run before: a few looks at files.

    Raises:
        ConfigError: the documents are with the other engine than ``store.engine`` names, or both engines hold data
            and no record says which of them counts.
    """
    record = read_record(config)
    found = holder(config)
    wanted = config.store.engine
    if wanted == "auto":
        return found or (record.engine if record else preferred(config)[0])
    if found and found != wanted:
        raise ConfigError(
            f'store.engine: expected "{found}" or "auto", since {open_engine(found, config).database} holds the '
            f'documents, got "{wanted}". Move them: {MOVE} --to {wanted}; or start without them: name another `data`'
        )
    return wanted


def settled(config: Config) -> Engine:
    """Return the engine to use, and record it where nothing is recorded yet, so that all processes agree.

    Raises:
        ConfigError: as :func:`engine_name`.
        Unavailable: nothing is recorded, and the data folder is another user's.
    """
    name = engine_name(config)
    if config.store.engine == "auto" and read_record(config) is None:
        write_record(config, Record(name))
    return open_engine(name, config)


def known(config: Config) -> Engine:
    """Return the engine to use, for those who only look: nothing is written.

    Raises:
        ConfigError: as :func:`engine_name`.
        Unavailable: the embedded store has never run with this data folder.
    """
    engine = open_engine(engine_name(config), config)
    if not engine.can_be_reached:
        raise Unavailable(
            f"the embedded store has never run with the data folder {config.data}. Start it: bin/analytics run store"
        )
    return engine


def chosen_at_start(config: Config) -> Engine:
    """Return the engine for the node ``store`` to start, and record it.

    As long as no engine holds data, ``auto`` is decided again: a program may have been installed meanwhile.
    """
    record = read_record(config)
    if config.store.engine == "auto" and holder(config) is None:
        name = preferred(config)[0]
    else:
        name = engine_name(config)
    if record is None or record.engine != name:
        write_record(config, Record(name))
    return open_engine(name, config)


def preferred(config: Config) -> tuple[Name, str]:
    """Return the engine for a new database, and why in words: ``mongod`` where one runs on this machine."""
    try:
        find_mongod(config.store.mongod)
    except NoMongod as error:
        return "secantus", str(error)
    return "mongod", "a mongod runs on this machine"


def reason(config: Config) -> str:
    """Return why the configuration uses its engine, and what else there is to know about the choice."""
    name = engine_name(config)
    if config.store.engine != "auto":
        return f'store.engine = "{name}" is set'
    if holder(config) is None:
        return preferred(config)[1]
    because = f"{open_engine(name, config).database} holds the documents"
    if name == "secantus" and preferred(config)[0] == "mongod":
        return f"{because}; a mongod runs here too and is faster, to use it: {MOVE} --to mongod"
    return because


def elsewhere(config: Config) -> str:
    """Return "", or that the engine that is not used holds data too, and what to do about it."""
    name = engine_name(config)
    unused = open_engine(other(name), config)
    if not unused.holds_data:
        return ""
    record = read_record(config)
    if record is not None and record.moved_from == unused.name:
        return f"{unused.database} holds the documents from before the move to {name}; you may delete it"
    if record is not None and record.moving_to == unused.name:
        return f"a move to {unused.name} was interrupted; to finish it, stop the suite, then: {MOVE} --to {unused.name}"
    return (
        f"{unused.database} holds data of {unused.name}, which nothing reads while {name} is used. Delete the folder; or, "
        f"to replace what {name} has by it, stop the suite, then: {MOVE} --from {unused.name} --to {name} --overwrite"
    )


def holder(config: Config) -> Name | None:
    """Return the engine whose folder holds the documents, or None where neither does.

    Raises:
        ConfigError: both hold data and no record says which counts, or the recorded one is empty and the other is not.
    """
    record = read_record(config)
    holding = [name for name in NAMES if open_engine(name, config).holds_data]
    if record is not None and record.engine in holding:
        return record.engine
    if not holding:
        return None
    if record is not None:
        raise ConfigError(
            f"{_path(config)} says that {record.engine} keeps the documents, but "
            f"{open_engine(record.engine, config).database} holds no database, and that of {holding[0]} does. Restore the "
            f'folder from a backup; or, to use what {holding[0]} has, write {{"engine": "{holding[0]}"}} into the file'
        )
    if len(holding) > 1:
        raise ConfigError(
            f"{config.data / 'store'}: both mongod and secantus hold data, and {RECORD} does not say which counts. Write "
            f'{{"engine": "mongod"}} or {{"engine": "secantus"}} into {_path(config)}'
        )
    return holding[0]


def read_record(config: Config) -> Record | None:
    """Return what is recorded. Raise AnalyticsError where the file is no record."""
    path = _path(config)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise Unavailable(f"{path}: this user may not read it; use the user that runs the suite") from error
    except msgspec.DecodeError as error:
        raise AnalyticsError(
            f'{path}: expected {{"engine": "mongod"}} or "secantus", found something else: {error}. Write the engine whose '
            "folder beside it holds the documents (mongod, or db for secantus)"
        ) from error


def write_record(config: Config, record: Record) -> None:
    """Replace what is recorded; the file changes as a whole."""
    path = _path(config)
    make_folder(path.parent)
    files.write(path, msgspec.json.encode(record) + b"\n", 0o640)


def _path(config: Config) -> Path:
    return config.data.absolute() / "store" / RECORD
