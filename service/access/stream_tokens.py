"""Tokens that open the stream for other sites' EventSource, which can send neither a key nor a login's cookie."""

import hashlib
from functools import cached_property
from pathlib import Path

from itsdangerous import BadData, URLSafeTimedSerializer

from service.access.keys import Key, KeyRing
from service.access.secret import read_secret

PARAMETER = "token"
TOKEN_SECONDS = 300
# No token is longer, also of a key with the longest name.
LONGEST = 300


class StreamTokens:
    """Makes and recognises signed values that stand for a key. The secret is in a file that all processes share."""

    def __init__(self, secret_file: Path, ring: KeyRing) -> None:
        self._secret_file = secret_file
        self._ring = ring

    def issue(self, key: Key) -> str:
        """A token for the holder of a key. Raises KeysError."""
        return self._serializer.dumps([key.name, key.fingerprint])

    def recognise(self, token: str) -> Key | None:
        """The key of a token; None if that is forged or too old, or the key has gone or is another one."""
        try:
            name, fingerprint = self._serializer.loads(token, max_age=TOKEN_SECONDS)
        except (BadData, TypeError, ValueError):
            return None
        return self._ring.find_same(name, str(fingerprint))

    @cached_property
    def _serializer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            read_secret(self._secret_file),
            salt="stream",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )
