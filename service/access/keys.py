"""API keys: made once, shown once, kept as digests in one file."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from common.errors import RecommenderError
from common.files import exclusive, write_durably

PREFIX = "mrk_"
MOST_KEYS = 1024
Scope = Literal["read", "write"]
READ: Scope = "read"
WRITE: Scope = "write"


class KeysError(RecommenderError):
    """The file of keys cannot be read, or a key cannot be added or removed."""


class Key(BaseModel):
    """What is kept of a key."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    slot: int = Field(ge=0, lt=MOST_KEYS)
    per_minute: int = Field(ge=1)
    created_at: datetime

    def allows(self, scope: Scope) -> bool:
        """Whether the key may do that; who may write may read."""
        return scope in self.scopes or WRITE in self.scopes

    @property
    def fingerprint(self) -> str:
        """By which a later key of the same name is not taken for this one."""
        return digest_of(self.sha256)


class KeyFile(BaseModel):
    """The file's content."""

    model_config = ConfigDict(extra="forbid")

    keys: list[Key]


class KeyRing:
    """The keys of a file, read again whenever it has changed."""

    def __init__(self, file: Path, *, required: bool = False) -> None:
        """`required`: a file that is not there is an error from the start on, not only once it has been read."""
        self._file = file
        self._required = required
        self._held: tuple[object, tuple[Key, ...]] | None = None

    def keys(self) -> tuple[Key, ...] | None:
        """All keys; None as long as there has never been one. Raises KeysError if the file cannot be read."""
        held = self._held
        try:
            stat = self._file.stat()
            mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if held is None or held[0] != mark:
                self._held = held = (mark, tuple(read_keys(self._file)))
        except FileNotFoundError:
            if held is None and not self._required:
                return None
            told = "put it back, or make a key (`python -m service keys add`)"
            raise KeysError(f"there is no {self._file}: {told}") from None
        except OSError as error:
            raise KeysError(f"the keys cannot be read: {error}") from error
        return held[1]

    def find(self, presented: str) -> Key | None:
        """The key that somebody presents. Compared with each one, in a time that tells nothing."""
        digest = digest_of(presented)
        found = None
        for key in self.keys() or ():
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def find_same(self, name: str, fingerprint: str) -> Key | None:
        """The key of a name, if it is still the one with that fingerprint."""
        key = next((key for key in self.keys() or () if key.name == name), None)
        return key if key and hmac.compare_digest(key.fingerprint, fingerprint) else None


def digest_of(secret: str) -> str:
    """What is kept of a key; a slow hash is for what people choose, these are 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def read_keys(file: Path) -> list[Key]:
    """The keys of a file. Raises KeysError if it is broken, OSError if it is not there."""
    try:
        keys = KeyFile.model_validate_json(file.read_bytes()).keys
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "content"
        raise KeysError(f"{file} is broken ({place}: {problem['msg']}): mend it, or put a copy back") from None
    for field in ("name", "slot"):
        if len({getattr(key, field) for key in keys}) < len(keys):
            raise KeysError(f"{file} is broken: two keys have the same {field}")
    return keys


def add_key(file: Path, name: str, scope: Scope, per_minute: int) -> str:
    """Make a key and return it: it cannot be told again. Raises KeysError if the name is taken or not possible."""
    secret = PREFIX + secrets.token_urlsafe(32)
    with exclusive(file.with_suffix(".lock")):
        keys = _read_if_there(file)
        if name in {key.name for key in keys}:
            raise KeysError(f"there is a key {name!r} already: choose another name, or remove it first")
        unused = set(range(MOST_KEYS)) - {key.slot for key in keys}
        if not unused:
            raise KeysError(f"there are {MOST_KEYS} keys already: remove one first")
        fields = {"name": name, "sha256": digest_of(secret), "slot": min(unused), "per_minute": per_minute}
        scopes = (READ, WRITE) if scope == WRITE else (READ,)
        try:
            added = Key.model_validate({**fields, "scopes": scopes, "created_at": datetime.now(UTC)})
        except ValidationError as error:
            problem = error.errors()[0]
            raise KeysError(f"{problem['loc'][0]} {problem['input']!r}: {problem['msg']}") from None
        _write_keys(file, [*keys, added])
    return secret


def remove_key(file: Path, name: str) -> None:
    """Remove a key; the file stays, so the service stays closed. Raises KeysError if there is none of that name."""
    with exclusive(file.with_suffix(".lock")):
        keys = _read_if_there(file)
        left = [key for key in keys if key.name != name]
        if len(left) == len(keys):
            raise KeysError(f"there is no key {name!r}; see `python -m service keys list`")
        _write_keys(file, left)


def _read_if_there(file: Path) -> list[Key]:
    return read_keys(file) if os.path.lexists(file) else []


def _write_keys(file: Path, keys: Sequence[Key]) -> None:
    write_durably(file, KeyFile(keys=list(keys)).model_dump_json(by_alias=True, indent=2) + "\n")
