"""Logins of people who look at pages: a random cookie, and a file of the logins that are open.

All processes share the file. It has digests of the cookies; who reads it cannot log in with what it holds.
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from common.files import exclusive, write_durably
from service.access.keys import Key, KeyRing, KeysError, digest_of

COOKIE = "recommender_login"
LOGIN_SECONDS = 12 * 3600
# Of one key at a time; of more the oldest end.
MOST_LOGINS = 1000


class Login(BaseModel):
    """What is kept of a login."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")  # of the cookie
    key: str
    fingerprint: str  # a key of the same name may be another one
    since: float  # seconds since 1970

    def is_open(self) -> bool:
        """Whether it is not too old; a clock that was set back does not make it last for ever."""
        return abs(time.time() - self.since) < LOGIN_SECONDS


class LoginFile(BaseModel):
    """The file's content, the oldest login first."""

    model_config = ConfigDict(extra="forbid")

    logins: list[Login]


class Logins:
    """Begins, recognises and ends logins."""

    def __init__(self, file: Path, ring: KeyRing) -> None:
        self._file = file
        self._ring = ring
        self._held: tuple[object, Mapping[str, Login]] = (None, {})

    def begin(self, key: Key, earlier: str | None = None) -> str:
        """A cookie for the holder of a key; the login of an earlier cookie ends. Raises KeysError."""
        cookie = secrets.token_urlsafe(32)
        login = Login(sha256=digest_of(cookie), key=key.name, fingerprint=key.fingerprint, since=time.time())
        with self._changing() as logins:
            logins.pop(digest_of(earlier or ""), None)
            own = [digest for digest, other in logins.items() if other.key == key.name]
            for digest in own[: max(0, len(own) - MOST_LOGINS + 1)]:
                del logins[digest]
            logins[login.sha256] = login
        return cookie

    def recognise(self, cookie: str) -> Key | None:
        """The key of a cookie's login; None if that has ended, or the key has gone or changed. Raises KeysError."""
        login = self._read().get(digest_of(cookie))
        if login is None or not login.is_open():
            return None
        return self._ring.find_same(login.key, login.fingerprint)

    def end(self, cookie: str) -> None:
        """End a cookie's login, for all processes and for good. Raises KeysError."""
        digest = digest_of(cookie)
        if digest in self._read():
            with self._changing() as logins:
                logins.pop(digest, None)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Login]]:
        """The open logins, to be changed in the block and then written."""
        try:
            with exclusive(self._file.with_suffix(".lock")):
                logins = {digest: login for digest, login in self._read().items() if login.is_open()}
                yield logins
                text = LoginFile(logins=list(logins.values())).model_dump_json(by_alias=True)
                write_durably(self._file, text + "\n")
        except OSError as error:
            raise KeysError(f"the logins cannot be written: {error}") from error

    def _read(self) -> Mapping[str, Login]:
        """The logins by their cookies' digests, read again whenever the file has changed."""
        mark, logins = self._held
        try:
            stat = self._file.stat()
            found = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if mark != found:
                listed = LoginFile.model_validate_json(self._file.read_bytes()).logins
                logins = {login.sha256: login for login in listed}
                self._held = (found, logins)
        except FileNotFoundError:
            return {}
        except ValidationError:
            raise KeysError(f"{self._file} is broken: remove it, and everybody logs in again") from None
        except OSError as error:
            raise KeysError(f"the logins cannot be read: {error}") from error
        return logins
