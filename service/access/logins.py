"""Logins of people who look at pages: a signed cookie that stands for a key."""

import hashlib
import hmac
import secrets
from functools import cached_property
from pathlib import Path

from itsdangerous import BadData, URLSafeTimedSerializer

from common.files import exclusive, write_durably
from service.access.keys import Key, KeyRing, KeysError

COOKIE = "recommender_login"
LOGIN_SECONDS = 12 * 3600


class Logins:
    """Makes and recognises the cookies. The signing secret is in a file that all processes share."""

    def __init__(self, secret_file: Path, ring: KeyRing) -> None:
        self._secret_file = secret_file
        self._ring = ring

    def issue(self, key: Key) -> str:
        """A cookie for the holder of a key."""
        return self._serializer.dumps([key.name, _fingerprint(key)])

    def recognise(self, cookie: str) -> Key | None:
        """The key that a cookie stands for; None if it is forged, too old, or the key has gone or is another one."""
        try:
            name, fingerprint = self._serializer.loads(cookie, max_age=LOGIN_SECONDS)
        except (BadData, TypeError, ValueError):
            return None
        key = next((key for key in self._ring.keys() or () if key.name == name), None)
        return key if key and hmac.compare_digest(_fingerprint(key), str(fingerprint)) else None

    @cached_property
    def _serializer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            self._read_secret(), salt="login", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )

    def _read_secret(self) -> str:
        try:
            with exclusive(self._secret_file.with_suffix(".lock")):
                if not self._secret_file.exists():
                    write_durably(self._secret_file, secrets.token_hex(32))
                secret = self._secret_file.read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise KeysError(f"the secret that signs logins cannot be read: {error}") from error
        if len(secret) < 64:
            raise KeysError(f"{self._secret_file} is broken: remove it, and everybody logs in again")
        return secret


def _fingerprint(key: Key) -> str:
    return hashlib.sha256(key.sha256.encode()).hexdigest()[:32]
