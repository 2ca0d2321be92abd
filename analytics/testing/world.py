"""What the suite is surrounded by while it is being broken: files that rotate, a web server, interfaces, a TCP sender."""

import gzip
import random
import shutil
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import gevent
import msgspec
from gevent.pywsgi import WSGIServer

from analytics.core.areas import Areas
from analytics.simulate.faults import Environ, Faults, StartResponse
from analytics.simulate.server import Handler, send_file

ROTATED_KEPT = 3


class RotatedLog:
    """A log file that its writer renames away now and then, the older ones gzipped."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        folder.mkdir(parents=True)
        self._path = folder / "game.log"
        self._rng = rng
        self._number = 0
        self._renamed: list[Path] = []

    def append(self, lines: Iterable[bytes]) -> None:
        """Write whole lines, and rotate before that at times."""
        if self._path.exists() and self._rng.random() < 0.02:
            self._rotate()
        with self._path.open("ab") as file:
            file.writelines(line + b"\n" for line in lines)

    def _rotate(self) -> None:
        self._number += 1
        renamed = self._path.with_name(f"game.log.{self._number}")
        self._path.rename(renamed)
        self._renamed.append(renamed)
        if len(self._renamed) > ROTATED_KEPT:
            oldest = self._renamed.pop(0)
            packed = oldest.with_name("packing")  # sources that follow game.log* must not see half of it
            with oldest.open("rb") as plain, gzip.open(packed, "wb") as file:
                shutil.copyfileobj(plain, file)
            packed.rename(oldest.with_name(oldest.name + ".gz"))
            oldest.unlink()


class PaymentInterface:
    """What the payment interface says: it only ever changes for today and yesterday, as a real one does."""

    def __init__(self, areas: Areas, rng: random.Random) -> None:
        self._areas = list(areas.values())
        self._rng = rng
        self._paid: dict[tuple[str, int], dict[str, list[int]]] = {}

    def some(self) -> None:
        """Let a few accts pay."""
        for _ in range(self._rng.randrange(5)):
            area = self._rng.choice(self._areas)
            today = area.zone.start("day", int(datetime.now().timestamp()))
            day = area.zone.day_after(today, self._rng.choice([0, -1]))
            paid = self._paid.setdefault((area.id, day), {}).setdefault(
                f"acct{self._rng.randrange(50)}", [0, 0]
            )
            paid[0] += 1
            paid[1] += self._rng.randrange(1, 10_000)

    def answer(self, area: str, day: str) -> dict[str, Any]:
        """Return the interface's answer for one area and day (``YYYY-MM-DD``)."""
        zone = next(one.zone for one in self._areas if one.id == area)
        return {"users": _users(self._paid.get((area, zone.day_of(day)), {})), "next": None}

    def tuples(self) -> list[Mapping[str, Any]]:
        """Return the payments as they stand, as tuples."""
        return [
            {"area": area, "ts": day, "at": 1, "users": _users(paid)}
            for (area, day), paid in self._paid.items()
        ]


def _users(paid: Mapping[str, list[int]]) -> dict[str, Any]:
    return {acct: {"times": times, "amount": cents / 100} for acct, (times, cents) in paid.items()}


class RoleInterface:
    """What the role interface says. A role never changes: which of its states were asked for would be a matter of luck."""

    def __init__(self, areas: Areas, rng: random.Random) -> None:
        self._areas = list(areas.values())
        self._rng = rng
        self._roles: list[dict[str, Any]] = []

    def some(self) -> None:
        """Let a few accts create roles."""
        for _ in range(self._rng.randrange(3)):
            area = self._rng.choice(self._areas)
            self._roles.append(
                {
                    "game": area.game,
                    "area": area.id,
                    "plat": area.plat,
                    "ts": int(time.time()),
                    "uid": f"role{len(self._roles)}",
                    "name": f"name{len(self._roles)}",
                    "grade": self._rng.randrange(1, 100),
                    "rest_yuanbao": self._rng.randrange(1_000),
                    "acctid": f"acct{self._rng.randrange(50)}",
                }
            )

    def answer(self, area: str, since: int) -> dict[str, Any]:
        """Return the interface's answer: the roles of one area since then."""
        found = [role for role in self._roles if role["area"] == area and role["ts"] >= since]
        return {"roles": found, "next": None}

    def tuples(self) -> list[Mapping[str, Any]]:
        """Return all roles as tuples."""
        return list(self._roles)


class Web:
    """Serves one log file at ``/logs/game.log``, and the interfaces ``/payment`` and ``/roles``, not always well."""

    def __init__(
        self,
        log: Path,
        payments: PaymentInterface,
        roles: RoleInterface,
        seed: int,
        faults: float,
        port: int = 0,
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        self.log = log
        self.payments = payments
        self.roles = roles
        self._application = Faults(self._site, faults, seed)
        self._port = port
        self._start()

    def restart(self, seconds: float) -> None:
        """Refuse connections for some seconds."""
        self.close()
        gevent.sleep(seconds)
        self._start()

    def close(self) -> None:
        self._server.stop(timeout=1)

    def _start(self) -> None:
        self._server = WSGIServer(
            ("127.0.0.1", self._port), self._application, handler_class=Handler, log=None, error_log=None
        )
        self._server.start()

    def _site(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/logs/game.log":
            return send_file(self.log, environ, start_response)
        query = {key: values[-1] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
        if environ["PATH_INFO"] == "/roles":
            found = self.roles.answer(query["area"], int(query["since"]))
        else:
            found = self.payments.answer(query["area"], query["day"])
        body = msgspec.json.encode(found)
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]
