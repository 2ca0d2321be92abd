"""Which server the node ``store`` runs: the one that has the documents, else ``mongod`` where one runs; all processes agree."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from analytics.config import Config, StoreSection
from analytics.errors import AnalyticsError, ConfigError, Unavailable
from analytics.store import embedded_uri, open_store
from analytics.store.embedded import StoreNode
from analytics.store.embedded.choice import (
    NAMES,
    EngineRecord,
    Name,
    chosen_at_start,
    elsewhere,
    engine_name,
    open_engine,
    other,
    read_record,
    reason,
    settled,
    write_record,
)
from analytics.store.mongod import NoMongod


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data=tmp_path)


@pytest.fixture
def no_mongod(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(named: str = "") -> None:
        raise NoMongod("no mongod runs here: this processor lacks AVX")

    monkeypatch.setattr("analytics.store.embedded.choice.find_mongod", refuse)


def with_data(config: Config, name: Name) -> None:
    """Make the folder of an engine look as if it held a database."""
    database = open_engine(name, config).database
    database.mkdir(parents=True)
    (database / "WiredTiger.turtle").touch()


def explicitly(config: Config, name: Name) -> Config:
    return msgspec.structs.replace(config, store=StoreSection(engine=name))


def test_mongod_where_one_runs(config: Config) -> None:
    assert engine_name(config) == "mongod" and "a mongod runs" in reason(config)


@pytest.mark.usefixtures("no_mongod")
def test_secantus_where_none_runs_and_the_reason_is_given(config: Config) -> None:
    assert engine_name(config) == "secantus" and "lacks AVX" in reason(config)


@pytest.mark.parametrize("name", NAMES)
def test_a_named_engine_is_used(config: Config, name: Name) -> None:
    assert settled(explicitly(config, name)).name == name
    assert chosen_at_start(explicitly(config, name)).name == name
    assert read_record(config) == EngineRecord(name)


def test_an_upgrade_keeps_the_engine_that_has_the_documents(config: Config) -> None:
    with_data(config, "secantus")
    assert engine_name(config) == "secantus"
    assert "bin/analytics store move --to mongod" in reason(config)
    with pytest.raises(ConfigError, match=r'expected "secantus" or "auto".*store move --to mongod'):
        engine_name(explicitly(config, "mongod"))


def test_a_first_start_that_left_no_data_decides_again(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analytics.store.embedded.choice.preferred", lambda config: ("secantus", "no mongod"))
        assert settled(config).name == "secantus"
    assert settled(config).name == "secantus", "clients keep to the record"
    assert chosen_at_start(config).name == "mongod"
    assert settled(config).name == "mongod"


@pytest.mark.usefixtures("no_mongod")
def test_data_of_a_mongod_that_is_missing_is_not_left_behind(config: Config) -> None:
    with_data(config, "mongod")
    assert engine_name(config) == "mongod"


def test_data_of_both_needs_a_record(config: Config) -> None:
    for name in NAMES:
        with_data(config, name)
    with pytest.raises(ConfigError, match="both mongod and secantus hold data"):
        engine_name(config)
    write_record(config, EngineRecord("secantus"))
    assert engine_name(config) == "secantus"


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_folder_of_the_engine_that_had_the_documents_is_an_error(config: Config, name: Name) -> None:
    """The other one's documents are old: a move left them behind."""
    with_data(config, other(name))
    write_record(config, EngineRecord(name, moved_from=other(name)))
    with pytest.raises(ConfigError, match=r"engine.json says that .* Restore the folder"):
        engine_name(config)


@pytest.mark.parametrize("name", NAMES)
def test_data_of_the_unused_engine_is_noticed(config: Config, name: Name) -> None:
    with_data(config, name)
    write_record(config, EngineRecord(name))
    assert elsewhere(config) == ""
    with_data(config, other(name))
    assert f"store move --from {other(name)} --to {name} --overwrite" in elsewhere(config)
    write_record(config, EngineRecord(name, moving_to=other(name)))
    assert "was interrupted" in elsewhere(config)
    write_record(config, EngineRecord(name, moved_from=other(name)))
    assert "you may delete it" in elsewhere(config)


def test_a_database_that_is_not_complete_is_no_data(config: Config) -> None:
    with_data(config, "secantus")
    open_engine("secantus", config).making.touch()
    assert engine_name(config) == "mongod"


def test_a_damaged_record_is_no_guess(config: Config) -> None:
    write_record(config, EngineRecord("mongod"))
    (config.data / "store" / "engine.json").write_text('{"engine": "mysql"}')
    with pytest.raises(AnalyticsError, match=r'engine.json: expected {"engine": "mongod"}'):
        engine_name(config)


def test_who_only_looks_writes_nothing(config: Config) -> None:
    with pytest.raises(Unavailable, match=r"has never run .* bin/analytics run store"):
        embedded_uri(config)
    with pytest.raises(Unavailable, match="has never run"):
        open_store(config, timeout=1)
    assert not list(config.data.iterdir())


def test_a_client_that_comes_first_and_the_node_agree(config: Config) -> None:
    store = open_store(config)
    before = embedded_uri(config)
    StoreNode(config)
    assert chosen_at_start(config).uri() == before
    store.close()


def test_a_folder_of_another_user_is_left_alone(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """What root makes there, the service could not read."""
    monkeypatch.setattr("os.geteuid", lambda: config.data.stat().st_uid + 1)
    with pytest.raises(Unavailable, match="Start it as the owner of"):
        open_store(config)
    assert not list(config.data.iterdir())


def test_everybody_who_asks_at_once_gets_the_same_password(config: Config) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: settled(config).uri(), range(40)))
    assert len(found) == 1
    assert sorted(path.name for path in (config.data / "store").iterdir()) == ["engine.json", "password"]
    assert (config.data / "store" / "password").stat().st_mode & 0o777 == 0o600
