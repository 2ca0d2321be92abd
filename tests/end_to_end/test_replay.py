"""A journal may be piped in again, in any order, whatever dies meanwhile: nothing counts twice."""

import json

from end_to_end_harness import COUNTING, NODES, configured, documents, pipe, settled

from analytics.runtime.suite import Suite

AREA = "549140c8dbdb67794fc0fa3b"
START = 1420646400
REASONS = ("shop", "pay", "quest")
MEASURES = ("count", "amount", "gain_count", "gain_amount")


def journal(count):
    """Lines of a journal, each with an amount of its own, so that a double or missing one shows in the sums."""
    for n in range(1, count + 1):
        data = {"acct": f"a{n % 7}", "amount": n if n % 5 else -n, "reason": REASONS[n % 3]}
        op = {"code": "yuanbao_logchange", "id": 1010}
        one = {"id": f"gamelog/s1@1:{n}", "op": op, "area": AREA, "ts": START + n, "data": data}
        yield json.dumps(one, separators=(",", ":")).encode()


def sums(lines):
    """Return, per reason, how often and how much was spent and gained."""
    found = {}
    for line in lines:
        data = json.loads(line)["data"]
        one = found.setdefault(data["reason"], dict.fromkeys(MEASURES, 0))
        gained = data["amount"] > 0
        one["gain_count" if gained else "count"] += 1
        one["gain_amount" if gained else "amount"] += abs(data["amount"])
    return found


def test_a_journal_again_in_reverse_and_around_a_crash(tmp_path, database):
    lines = list(journal(3_000))
    first, second = lines[:1_500], lines[1_500:]
    file = configured(tmp_path, {AREA: {"game": "dl", "plat": "2001"}}, "Asia/Shanghai", database.toml)
    with Suite(file, NODES) as suite:
        assert pipe(file, first[::-1]) == "read 1500, accepted 1500, repeated 0, rejected 0"
        suite.kill("broker")
        suite.kill(COUNTING)
        suite.restart("broker")
        suite.restart(COUNTING)
        # The half that is new, among lines that are known.
        closing = pipe(file, second + first[500:])
        assert closing == "read 2500, accepted 1500, repeated 1000, rejected 0"
        assert pipe(file, lines) == "read 3000, accepted 0, repeated 3000, rejected 0"
        assert pipe(file, lines[::-1]) == "read 3000, accepted 0, repeated 3000, rejected 0"
        state = settled(suite.config)
        assert state.sources["gamelog/s1"].accepted == 3_000
        assert state.heads["gamelog.yuanbao_logchange"].records == 3_000
        found = {
            one["reason"]: {name: one[name] for name in MEASURES}
            for one in documents(suite.config, "cointype")
        }
        assert found == sums(lines)
