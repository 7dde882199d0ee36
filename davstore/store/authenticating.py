"""From credentials to a principal: the one way in for every entrance (docs/adr/0014).

The rows of user, device and service are read on each request, so a change of password, a revocation and a disabled
user count at once in every worker. The remembered mark of a password saves its hash only.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

from davstore.errors import Throttled, Unauthenticated
from davstore.metadata import principals
from davstore.metadata.database import Database
from davstore.metadata.guesses import FORGET_US, Guess
from davstore.metadata.principals import Credentials
from davstore.metadata.services import find_service
from davstore.metadata.volatile import Throttle
from davstore.model.networks import network_of
from davstore.model.principals import Asker, Principal, User
from davstore.protocol.http.authorization import Basic, Bearer
from davstore.store.hashing import DUMMY, TRACE_BYTES, Passwords

_SECRET = re.compile(r"dvs_([0-9a-f]{16})_[0-9a-f]{64}")
_NO_DIGEST = "0" * 64
_ADDRESS_LENGTH = 64
"""No address is longer, with its zone; a forwarded one may be anything."""
_MET = 10_000
"""Networks of users that one worker remembers to have written down today."""
_WRONG = "no such user or device, or the wrong secret"
"""Of a service too: `config/fail2ban/davstore.conf` looks for these words."""
_REPEATED = "the same wrong secret as before"
"""No new guess, and no reason to ban an address: `config/fail2ban/davstore.conf` does not look for it."""


def new_secret() -> tuple[str, str]:
    """Return the public part and the whole text of a new secret, `dvs_<public part>_<256 bits>`."""
    key = secrets.token_hex(8)
    return key, f"dvs_{key}_{secrets.token_hex(32)}"


def digest(secret: str) -> str:
    """Return the stored digest of the secret of a device or service: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


class _Attempt(NamedTuple):
    """The address, the name and the time of one sign-in. Most sign-ins need the time alone."""

    name: str | None
    address: str
    now_us: int

    @property
    def network(self) -> str:
        """The network of the client, '' for a local socket."""
        return network_of(self.address[:_ADDRESS_LENGTH]) or ""

    @property
    def guess(self) -> Guess:
        """The key of counted failures: the account, whether it exists or not, and the network."""
        account = "" if self.name is None else hashlib.sha256(self.name.encode()).hexdigest()
        return Guess(account, self.network, self.now_us)


class Authenticator:
    """Judges credentials. Authenticators with the same key share the passwords that were proven.

    The key is in memory only: without it a mark in the throttle's file is no hash to guess passwords with. After a
    restart a password is hashed once more; failures and known networks are kept without the key.
    """

    def __init__(
        self, database: Database, throttle: Throttle, passwords: Passwords, *, key: bytes | None = None
    ) -> None:
        self._database = database
        self._throttle = throttle
        self._passwords = passwords
        self._key = key or secrets.token_bytes(32)
        self._proven: dict[int, bytes] = {}
        self._met: dict[tuple[int, int, str], int] = {}

    def authenticate(self, credentials: Basic | Bearer, *, address: str, now_us: int) -> Asker:
        """Return the asker. A password may be the secret of a device or a service, a bearer token must be one.

        address is that of the client.

        A valid secret, or a password that was verified since the start, is never delayed.

        Raises:
            Unauthenticated: no such user, device or service, the wrong secret, a user disabled, a device or service
                revoked.
            Throttled: too many failures before, see `metadata.guesses`; nothing was judged.
        """
        secret = credentials.token if isinstance(credentials, Bearer) else credentials.password
        name = credentials.user if isinstance(credentials, Basic) else None
        attempt = _Attempt(name, address, now_us)
        match = _SECRET.fullmatch(secret)
        if match:
            return self._by_secret(match[1], secret, attempt)
        if name is None:
            raise self._failure(attempt.guess, trace=self._mark(None, secret))
        return Principal(self._by_password(name, secret, attempt))

    def _by_secret(self, key: str, secret: str, attempt: _Attempt) -> Asker:
        found = self._database.look(lambda unit: principals.find_enrolled(unit, key) or find_service(unit, key))
        right = hmac.compare_digest(digest(secret), found.secret_sha256 if found else _NO_DIGEST)
        if not found or not right or attempt.name not in (None, found.name):
            raise self._failure(attempt.guess, trace=hashlib.sha256(secret.encode()).digest())
        if found.is_refused:  # no guess: it does not count as one
            raise Unauthenticated("the device or service is revoked, or its user disabled")
        return found.asker

    def _by_password(self, name: str, password: str, attempt: _Attempt) -> User:
        found = self._database.look(lambda unit: principals.find_credentials(unit, name))
        user_id, mark = found.user.id if found else 0, self._mark(found, password)
        if found and hmac.compare_digest(self._proven.get(user_id, b""), mark):
            self._meet(found.user, attempt)
            return found.user
        guess = attempt.guess
        if self._throttle.guesses.is_repeated(guess, mark):
            raise Unauthenticated(_REPEATED)
        with self._passwords.slot():
            # Another request, here or in another worker, may have proven it.
            if hmac.compare_digest(self._throttle.proofs.find(user_id), mark) and found:
                user = found.user
            else:
                user = self._verify(found, password, mark, guess)
                self._throttle.proofs.record(user_id, mark, guess)
        self._proven[user_id] = mark
        self._meet(user, attempt)
        return user

    def _verify(self, found: Credentials | None, password: str, mark: bytes, guess: Guess) -> User:
        """Return the user if the password is right. The delay is checked in the slot: no burst of guesses evades it.

        A disabled user is answered and counted like a wrong guess, so that no guesser learns that it was right.
        """
        user_id, version = (found.user.id, found.user.version) if found else (0, 0)
        is_known = self._throttle.guesses.is_known(user_id, version, guess)
        if wait_seconds := self._throttle.guesses.wait_seconds(guess, is_known=is_known):
            raise Throttled(wait_seconds)
        right, trace = self._passwords.judge(found.password_hash if found else DUMMY, password)
        if not right or not found or found.user.disabled:
            raise self._failure(guess, trace=trace, mark=mark, is_known=is_known)
        return found.user

    def _failure(
        self, guess: Guess, *, trace: bytes, mark: bytes = b"", is_known: bool = False
    ) -> Unauthenticated | Throttled:
        """Count a failed guess and return the error to raise."""
        if wait_seconds := self._throttle.guesses.wait_seconds(guess, is_known=is_known):
            return Throttled(wait_seconds)
        is_new = self._throttle.guesses.record(guess, mark, trace[:TRACE_BYTES])
        return Unauthenticated(_WRONG if is_new else _REPEATED)

    def _meet(self, user: User, attempt: _Attempt) -> None:
        """Remember, once a day, from where a user signs in."""
        met, place = self._met, (user.id, user.version, attempt.address)
        if abs(attempt.now_us - met.get(place, 0)) >= FORGET_US:
            if len(met) >= _MET:
                met.clear()
            met[place] = attempt.now_us
            if attempt.network:
                self._throttle.guesses.record_known(user.id, user.version, attempt.guess)

    def _mark(self, found: Credentials | None, password: str) -> bytes:
        """Return the mark of a proven password. It fits only this row: hash and version are in it."""
        row = f"{found.user.id} {found.user.version} {found.password_hash}" if found else ""
        return hashlib.blake2b(f"{row}\0{password}".encode(), digest_size=32, key=self._key).digest()
