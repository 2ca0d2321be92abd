"""Connects to a server and logs in; each cause of a failure has its sentence."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient, ReadPreference
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from analytics.store.probe.finding import ProbeStopped

LOG_IN_REFUSED = frozenset([18, 8000])
"""Codes: MongoDB's own, and Atlas's."""

_TIMEOUTS = re.compile(r" \(configured timeouts: [^)]*\)")


@dataclass(frozen=True, slots=True)
class HelloAnswer:
    """The server's answer to `hello`, and the Unix seconds just before and after it."""

    hello: dict[str, Any]
    asked: float
    answered: float


def reach(client: MongoClient[dict[str, Any]]) -> None:
    """Connect to any server of the deployment and log in. Raise ProbeStopped if that fails."""
    try:
        client.admin.command("ping", read_preference=ReadPreference.NEAREST)
    except OperationFailure as error:
        if error.code in LOG_IN_REFUSED:
            raise ProbeStopped(_LOG_IN.format(reason=_short(error))) from error
        raise ProbeStopped(f"the server refuses even a ping: {_short(error)}; read its log") from error
    except ConnectionFailure as error:
        raise ProbeStopped(_unreachable(client, error)) from error
    except PyMongoError as error:
        raise ProbeStopped(
            f"the server can't be used: {_short(error)}; correct the URI, or upgrade it"
        ) from error


def ask(client: MongoClient[dict[str, Any]], now: Callable[[], float]) -> HelloAnswer:
    """Return the answer to `hello` of a server that was reached."""
    asked = now()
    hello = client.admin.command("hello", read_preference=ReadPreference.NEAREST)
    return HelloAnswer(hello, asked, now())


_LOG_IN = (
    "the server refused the log-in ({reason}); expected the name and password of one of its users: correct them in the URI. "
    "If they are right, the user belongs to another database than the URI says: name it with authSource=… "
    "(without that, it is the database after the host, else admin)"
)


def _short(error: PyMongoError) -> str:
    details = getattr(error, "details", None) or {}
    return str(details.get("errmsg") or error).split(", full error: ")[0].rstrip(".")[:300]


def _unreachable(client: MongoClient[dict[str, Any]], error: ConnectionFailure) -> str:
    """Return why no server could be used, for each address, and what to do about the first."""
    servers = client.topology_description.server_descriptions().values()
    causes = {
        f"{server.address[0]}:{server.address[1]}": _TIMEOUTS.sub("", str(server.error or "no answer"))
        for server in servers
    }
    # pymongo begins some messages with the address already.
    texts = [
        cause if address in cause else f"{address}: {cause}" for address, cause in sorted(causes.items())
    ]
    found = "; ".join(texts) or str(error).split(", Timeout: ")[0]
    return f"no server can be used: {found[:600]}. {_advice(found)}"


_ADVICE = (
    ("CERTIFICATE_VERIFY_FAILED", "Expected a certificate of an authority that this machine trusts, for the name in the URI: name the authority's file with tlsCAFile=…, or correct the host"),
    ("SSL", "Expected a server that speaks TLS: take tls=true out of the URI, or turn TLS on in the server (net.tls.mode)"),
    ("connection closed", "A server that demands TLS does so, as does one that is full: try tls=true in the URI, then read the server's log"),
    ("No replica set members", "The servers answer, but none is of the set that the URI names: correct replicaSet=…, or leave it out for a standalone server"),
    ("not known", "Expected a host name that this machine can resolve: correct the host in the URI, or DNS"),
    ("refused", "Expected a server at that address: start it, or correct host and port in the URI; net.bindIp of the server has to name an address that this machine reaches"),
)  # fmt: skip
_NO_ANSWER = "Expected an answer within seconds: see whether the server runs and is not frozen, and whether a firewall lies between"


def _advice(found: str) -> str:
    return next((advice for sign, advice in _ADVICE if sign in found), _NO_ANSWER)
