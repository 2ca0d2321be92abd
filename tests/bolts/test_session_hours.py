"""The logins of sessions are the same, whether lines are read as columns or as tuples."""

import msgspec

from analytics.bolts.sessions import LOGIN, sessionhour
from analytics.core.areas import Area, Areas
from analytics.core.fold import Folder
from analytics.core.periods import zone

BEGIN = 1_420_686_000


def test_columns_and_tuples_say_the_same() -> None:
    areas = Areas([Area(f"{n:024x}", "g", "p", zone("Asia/Shanghai")) for n in range(2)])
    lines = [
        {"id": f"s:{n}", "area": f"{n % 2:024x}", "ts": BEGIN + n * 700, "data": {"acct": f"a {n % 5} 名"}}
        for n in (0, 3, 1, 2, 9, 0)
    ]
    body = b"\n".join(msgspec.json.encode({"op": {"code": "login_logcount"}} | one) for one in lines)
    columns, tuples = Folder([sessionhour], areas), Folder([sessionhour], areas)
    tuples.decode_only()
    folded = [
        {key: (sorted(set(delta.states[0])), delta.tuples) for key, delta in found["sessionhour"].items()}
        for found, _ in (one.fold(LOGIN, 1, body) for one in (columns, tuples))
    ]
    assert folded[0] == folded[1] and len(folded[0]) == 3
    assert folded[0][f"{0:024x}", BEGIN] == ([f"{BEGIN} a 0 名", f"{BEGIN + 1400} a 2 名"], 3)
    assert all(plan.can_read({"ts", "data.acct"}) for plan in columns._plans[LOGIN])
