"""What of the engine on Spark needs no cluster; `tests/end_to_end/test_crash.py` has one."""

import sys

import pytest

import analytics
from analytics.config import Config
from analytics.config.sections import EngineSection
from analytics.engine.blocks import JournalBlock
from analytics.engine.context import Context
from analytics.engine.engines.spark import SparkBatch, SparkEngine, spread
from analytics.engine.engines.spark_connection import reason
from analytics.engine.engines.spark_probe import findings
from analytics.engine.tasks import AreaSettled, FoldTask, Summary
from analytics.errors import AnalyticsError, Unavailable
from analytics.store.probe import Grade
from analytics.testing.ports import free_ports


def test_areas_are_spread_by_size() -> None:
    assert spread({"a": 9, "b": 1, "c": 2, "d": 3}, 2) == {"a": 0, "d": 1, "c": 1, "b": 1}
    assert spread({"a": 9}, 6) == {"a": 0}
    assert set(spread(dict.fromkeys("abc", 0), 3).values()) == {0, 1, 2}


class Jobs(SparkEngine):
    """Answers each job with what is next; there is no cluster."""

    def __init__(self, *outcomes: list[object]) -> None:
        super().__init__(EngineSection(kind="spark"))
        self._outcomes = list(outcomes)

    def job(self, action):
        return self._outcomes.pop(0)


def test_areas_that_were_settled_before_the_store_went_away_are_reported_with_the_others() -> None:
    folded = [(0, Summary(), {"a": 1, "b": 1})]
    first, second = AreaSettled("a", {"loginday": [1]}), AreaSettled("b", {"loginday": [2]})
    engine = Jobs(folded, [first, Unavailable("the store is away")], [second])
    batch = SparkBatch(engine, 1, [FoldTask(JournalBlock("gamelog_201801010000.txt", 0, 9), 1)])
    with pytest.raises(Unavailable):
        list(batch.settle())
    assert list(batch.settle()) == [first, second]


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
