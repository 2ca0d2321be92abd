"""Forgotten accts: under which pseudonym the records of each continue.

``data/forgotten.json`` has a secret and, by the keyed hash of each acct, its pseudonym. No acct is in it, and without the
secret nobody can try accts.
"""

import secrets
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

import msgspec

from analytics import sealed

FILE = "forgotten.json"
_SECRET_BYTES = 32
_DIGEST_BYTES = 16


class _ForgottenFile(msgspec.Struct):
    """What the file has. ``secret``: in hexadecimal digits; ``names``: by hash the pseudonym."""

    secret: str
    names: dict[str, str]


_decode = msgspec.json.Decoder(_ForgottenFile).decode


class Forgotten:
    """The pseudonyms of a suite."""

    def __init__(self, secret: bytes, names: Mapping[str, str]) -> None:
        """``names``: by hash of an acct its pseudonym."""
        self._secret = secret
        self._names = dict(names)
        self.pseudonyms = frozenset(self._names.values())

    @classmethod
    def load(cls, path: Path) -> "Forgotten | None":
        """Return the pseudonyms that a file has; None where there is none. Raise StateError where it is damaged."""
        found = sealed.read(path, _decode)
        return None if found is None else cls(bytes.fromhex(found[0].secret), found[0].names)

    @classmethod
    def new(cls) -> "Forgotten":
        """Return pseudonyms of nobody, with a secret."""
        return cls(secrets.token_bytes(_SECRET_BYTES), {})

    def __len__(self) -> int:
        return len(self._names)

    @property
    def key(self) -> str:
        """What tells the secret from others, and does not give it away."""
        return blake2b(self._secret, digest_size=_DIGEST_BYTES).hexdigest()

    def of(self, acct: str) -> str | None:
        """Return the pseudonym of an acct, None if it was not forgotten."""
        return self._names.get(self._hash(acct))

    def with_names(self, more: Mapping[str, str]) -> "Forgotten":
        """Return the pseudonyms of these accts, too. ``more``: by acct."""
        return Forgotten(self._secret, self._names | {self._hash(acct): name for acct, name in more.items()})

    def save(self, path: Path) -> None:
        """Keep the pseudonyms durably.

        An earlier generation is not kept: it would take the place of a damaged file, and lack the newest pseudonyms.
        """
        text = msgspec.json.encode(_ForgottenFile(self._secret.hex(), self._names))
        sealed.write(path, text)
        sealed.older(path).unlink(missing_ok=True)

    def _hash(self, acct: str) -> str:
        return blake2b(
            acct.encode(errors="surrogatepass"), key=self._secret, digest_size=_DIGEST_BYTES
        ).hexdigest()
