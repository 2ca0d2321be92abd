"""Which engine a configuration uses. It is recorded beside the data, so that every process gets the same answer.

``store/engine.json`` records the engine that has the documents. With ``store.engine = "auto"``, the record counts while that
engine has data, so neither an upgrade nor a missing program ever starts with an empty database. Without a record, it is the
engine whose folder has data, and without data ``mongod`` if one runs.
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


class EngineRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """The contents of ``engine.json``: which engine has the documents.

    ``moving_to`` is the target of an unfinished move; ``moved_from`` the source of the last finished one.
    """

    engine: Name
    moving_to: Name | None = None
    moved_from: Name | None = None


def open_engine(name: Name, config: Config, port: int | None = None) -> Engine:
    """Return the engine of that name; ``port`` replaces ``store.port``."""
    return MongodEngine(config, port) if name == "mongod" else Secantus(config, port)


def other(name: Name) -> Name:
    """Return the engine that is not ``name``."""
    return "secantus" if name == "mongod" else "mongod"


def engine_name(config: Config) -> Name:
    """Return the engine that this configuration uses. Cheap if it has run before: it reads a few files.

    Raises:
        ConfigError: another engine than ``store.engine`` has the documents, or both engines have data and there is
            no record.
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
    """Return the engine to use, and record it if there is no record, so that all processes agree.

    Raises:
        ConfigError: as :func:`engine_name`.
        Unavailable: nothing is recorded, and the data folder is another user's.
    """
    name = engine_name(config)
    if config.store.engine == "auto" and read_record(config) is None:
        write_record(config, EngineRecord(name))
    return open_engine(name, config)


def known(config: Config) -> Engine:
    """Return the engine to use, without writing anything.

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
        write_record(config, EngineRecord(name))
    return open_engine(name, config)


def preferred(config: Config) -> tuple[Name, str]:
    """Return the engine for a new database, ``mongod`` if one runs on this machine, and a text that says why."""
    try:
        find_mongod(config.store.mongod)
    except NoMongod as error:
        return "secantus", str(error)
    return "mongod", "a mongod runs on this machine"


def reason(config: Config) -> str:
    """Return why the configuration uses its engine, with further advice."""
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
    """Return "" or, if the unused engine has data as well, what to do about it."""
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
    """Return the engine whose folder holds the documents, or None if neither does.

    Raise ConfigError if both hold data and no record says which counts, or the recorded one is empty and the other is not.
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


def read_record(config: Config) -> EngineRecord | None:
    """Return what is recorded. Raise AnalyticsError if the file is no record."""
    path = _path(config)
    try:
        return msgspec.json.decode(path.read_bytes(), type=EngineRecord)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise Unavailable(f"{path}: this user may not read it; use the user that runs the suite") from error
    except msgspec.DecodeError as error:
        raise AnalyticsError(
            f'{path}: expected {{"engine": "mongod"}} or "secantus", found something else: {error}. Write the engine whose '
            "folder beside it holds the documents (mongod, or db for secantus)"
        ) from error


def write_record(config: Config, record: EngineRecord) -> None:
    """Replace what is recorded; the file is replaced atomically."""
    path = _path(config)
    make_folder(path.parent)
    files.write(path, msgspec.json.encode(record) + b"\n", 0o640)


def _path(config: Config) -> Path:
    return config.data.absolute() / "store" / RECORD
