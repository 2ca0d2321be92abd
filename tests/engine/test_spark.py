"""What of the engine on Spark needs no cluster; `tests/end_to_end/test_crash.py` has one."""

import sys
from pathlib import Path

import pytest

import analytics
from analytics.cli.check import tries
from analytics.config import Config
from analytics.config.sections import EngineSection
from analytics.engine.blocks import JournalBlock
from analytics.engine.context import Context
from analytics.engine.engines import FoldedBatch
from analytics.engine.engines.spark import SparkEngine
from analytics.engine.engines.spark_connection import reason
from analytics.engine.engines.spark_probe import findings
from analytics.engine.extents import DeltasLost, load_extent, write_portions
from analytics.engine.tasks import AreaSettled, Extent, FoldTask, Summary
from analytics.errors import AnalyticsError, Unavailable
from analytics.store.probe import Grade
from analytics.testing.ports import free_ports


class Jobs(SparkEngine):
    """Answers each job with what is next; there is no cluster."""

    def __init__(self, *answers: list[object]) -> None:
        super().__init__(EngineSection(kind="spark"))
        self.answers = list(answers)

    def folder(self, number):
        return Path("/nonexistent")

    def job(self, action):
        return self.answers.pop(0)


def test_areas_that_were_settled_before_the_store_went_away_are_reported_with_the_others() -> None:
    folded = [(0, (Summary(), {0: Extent("a", 0, 1, b""), 1: Extent("a", 1, 1, b"")}))]
    first, second = AreaSettled("a", {"loginday": [1]}), AreaSettled("b", {"loginday": [2]})
    engine = Jobs(folded, [(0, [first]), (1, Unavailable("the store is away"))], [(1, [second])])
    batch = FoldedBatch(engine, 1, [FoldTask(JournalBlock("gamelog_201801010000.txt", 0, 9), 1)])
    with pytest.raises(Unavailable):
        list(batch.settle())
    assert list(batch.settle()) == [first, second]


def test_blocks_whose_deltas_are_lost_are_folded_again() -> None:
    one, other = Extent("a", 0, 1, b""), Extent("b", 0, 1, b"")
    settled = AreaSettled("a")
    engine = Jobs(
        [(0, (Summary(lines=1), {0: one}))],
        [(0, DeltasLost("gone"))],
        [(0, (Summary(lines=1), {0: other}))],
        [(0, [settled])],
    )
    batch = FoldedBatch(engine, 1, [FoldTask(JournalBlock("gamelog_201801010000.txt", 0, 9), 1)])
    with pytest.raises(Unavailable):
        list(batch.settle())
    assert list(batch.settle()) == [settled] and engine.answers == []


def test_deltas_that_are_not_what_was_written_are_lost(tmp_path) -> None:
    path = tmp_path / "0"
    extent = write_portions({0: {"area": {}}}, str(path))[0]
    assert load_extent(extent) == {"area": {}}
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(DeltasLost, match="not what was written"):
        load_extent(extent)
    path.unlink()
    with pytest.raises(DeltasLost, match="can't be read"):
        load_extent(extent)


def test_without_a_master_it_says_so_at_once(tmp_path) -> None:
    pytest.importorskip("py4j")
    (port,) = free_ports(1)
    engine = SparkEngine(EngineSection(kind="spark", master=f"spark://127.0.0.1:{port}"))
    with pytest.raises(Unavailable, match=r"Connection refused; expected a master there"):
        engine.start(Context(Config(), tmp_path, "engine:x"))
    assert engine.state()["executors"] == 0 and "Connection refused" in str(engine.state()["error"])


def test_without_pyspark_it_says_what_to_install(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyspark", "py4j", "py4j.protocol"):
        monkeypatch.setitem(sys.modules, name, None)
    engine = SparkEngine(EngineSection(kind="spark", master="spark://127.0.0.1:1"))
    with pytest.raises(AnalyticsError, match=r"pip install '.\[spark\]'"):
        engine.start(Context(Config(), tmp_path, "engine:x"))


def test_an_error_is_reported_by_its_last_python_line() -> None:
    java = (
        "An error occurred while calling o57.collect.\n: org.apache.spark.SparkException: Job aborted\n"
        '\tat org.apache.Foo(Foo.scala:1)\nTraceback (most recent call last):\n  File "x.py", line 1, in f\n'
        "KeyError: 'area'\n\n\tat org.apache.Bar"
    )
    assert reason(RuntimeError(java)) == "KeyError: 'area'"
    assert reason(OSError("[Errno 111] Connection refused")) == "[Errno 111] Connection refused"


def test_findings_name_the_hosts_of_each_fault() -> None:
    found = list(findings([("h1", 1, []), ("h1", 2, []), ("h2", 1, ["no store"]), ("h3", 1, ["no store"])]))
    assert [(one.grade, one.text) for one in found] == [
        (
            Grade.OK,
            f"2 executors on h1 have release {analytics.__version__}, Python, the shared folder and the store",
        ),
        (Grade.ERROR, "executors on h2, h3: no store"),
    ]


def test_check_says_what_executors_have_before_the_embedded_store_first_runs(tmp_path, monkeypatch) -> None:
    """Its address is not known then, and nothing is wrong with that."""

    def job(engine: SparkEngine, action: object) -> list[object]:
        return [("h1", 1, [])]

    monkeypatch.setattr(SparkEngine, "job", job)
    config = Config(data=tmp_path, engine=EngineSection(kind="spark", master="spark://h:1"))
    (found,) = dict(tries(config))["Spark"]()
    assert found.grade is Grade.OK and found.text.endswith(
        "the store was not tried, as the embedded server is not running"
    )
