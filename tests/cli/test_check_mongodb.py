"""``check`` says what is wrong with a MongoDB, marks warnings and errors, and shows no secret."""

from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from in_process import in_process
from mongod_users import QUOTED, add_root, add_user

from analytics.testing.mongod import Server
from analytics.testing.ports import free_ports
from analytics.testing.setting import on_ports

VARIABLE = "ANALYTICS_TEST_URI"


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a user who may read and write logs in; the URI holds the password."""
    with Server(tmp_path_factory.mktemp("mongod"), flags=["--auth"]) as server:
        add_root(server)
        yield add_user(server, "writer", [{"role": "readWrite", "db": "analytics"}])


def checked(folder: Path, uri: str, more: str = "", status: int = 1) -> CompletedProcess[str]:
    file = folder / "analytics.toml"
    text = f'data = "data"\n{on_ports(*free_ports(4))}[mongodb]\nuri_env = "{VARIABLE}"\n{more}'
    file.write_text(text)
    done = in_process("--config", str(file), "check", env={VARIABLE: uri})
    assert done.returncode == status, done.stdout + done.stderr
    assert QUOTED not in done.stdout + done.stderr
    return done


def test_a_warning_is_no_error(tmp_path: Path, uri: str) -> None:
    output = checked(tmp_path, uri, status=0).stdout
    assert "ok      store: may read, write, delete and index in database analytics\n" in output
    assert "WARNING store: MongoDB 6.0.5 works, but is no longer supported" in output
    assert "WRONG" not in output and "ERROR" not in output


@pytest.mark.parametrize(
    "option", ["readConcernLevel=snapshot", "w=5", "w=nearby", "readPreference=secondary"]
)
def test_an_option_that_weakens_the_suite(tmp_path: Path, uri: str, option: str) -> None:
    output = checked(tmp_path, f"{uri}&{option}").stdout
    assert f"ERROR   store: mongodb.uri_env: expected no option {option}: " in output


def test_an_option_that_is_obeyed_and_impossible(tmp_path: Path, uri: str) -> None:
    output = checked(tmp_path, f"{uri}&w=5", "unsafe_uri_options = true\n").stdout
    assert "WARNING store: mongodb.unsafe_uri_options = true obeys options of the URI" in output
    assert "ERROR   store: the server can't keep the write concern {w: 5}: " in output


def test_a_uri_of_another_kind_shows_its_scheme_only(tmp_path: Path) -> None:
    output = checked(tmp_path, f"db://u:{QUOTED}@host/").stdout
    assert "ERROR   store: mongodb.uri: expected" in output and "one that begins with 'db:'" in output
    assert QUOTED[:4] not in output
