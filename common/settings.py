"""Everything that can be configured, read once from the environment and frozen."""

import difflib
import ipaddress
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from common.budget import Budget
from common.errors import SettingsError
from common.files import keep_private

ROOT = Path(__file__).resolve().parent.parent
# Of nothing, or of segments that a browser changes nothing about.
PATH_PREFIX = r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _environment_name(field: str) -> str:
    return field.upper() if field.startswith("neo4j_") else f"RECOMMENDER_{field.upper()}"


class Settings(BaseModel):
    """The settings, one field per environment variable (`NEO4J_*`, `RECOMMENDER_*`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=_environment_name, populate_by_name=True)

    neo4j_home: Path = Field(ROOT / ".neo4j", description="Folder of the embedded Neo4j")
    neo4j_bolt_port: int = Field(7687, ge=1, le=65535, description="Bolt port of the embedded Neo4j")
    neo4j_http_port: int = Field(7474, ge=1, le=65535, description="HTTP and Browser port of the embedded Neo4j")
    neo4j_uri: str | None = Field(
        None, description="Neo4j to use instead of the embedded one", pattern=r"^(bolt|neo4j)"
    )
    neo4j_user: str = Field("neo4j", description="User name at Neo4j")
    neo4j_password: SecretStr | None = Field(None, description="Password; the embedded Neo4j keeps a generated one")
    neo4j_database: str = Field("neo4j", description="Database name")

    data: Path = Field(ROOT / ".data", description="Folder of the staged ratings, event log and run files")
    cache: Path = Field(ROOT / ".cache", description="Folder of what can be fetched again (the servers' jars)")
    host: str = Field("127.0.0.1", description="Address the service listens on")
    port: int = Field(8000, ge=1, le=65535, description="Port the service listens on")
    open: bool = Field(False, description="Nobody needs a key, not even to write: for one's own machine only")
    keys: Path | None = Field(None, description="File of the API keys; empty: keys.json in the data folder")
    requests_per_minute: int = Field(6000, ge=1, le=10_000_000, description="Limit of a new key")
    cors_origins: str = Field(
        "",
        pattern=r"^(https?://[\w.:\[\]-]+(,https?://[\w.:\[\]-]+)*)?$",
        description="Origins whose pages may use the API, separated by commas: https://example.org",
    )
    streams_per_key: int = Field(
        500, ge=1, le=1024, description="Listeners of /v1/stream that an API key may have in each service process"
    )
    streams_per_address: int = Field(
        100, ge=1, le=1024, description="Listeners of /v1/stream that an address may have in each service process"
    )
    trusted_proxies: str = Field(
        "", description="Addresses and networks of proxies whose `X-Forwarded-*` count, separated by commas"
    )
    path_prefix: str = Field(
        "", pattern=PATH_PREFIX, description="Path below which the service is reached if no proxy says so: /reco"
    )
    workers: int = Field(2, ge=1, le=64, description="Service processes")
    deadline: float = Field(
        2.0, gt=0.1, le=60, description="Seconds that an answer of the service may take; the same for all commands"
    )
    log_level: str = Field("INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$", description="Least level that is logged")
    log_format: str = Field("text", pattern=r"^(text|json)$", description="Log lines as text for people, or as json")
    history_limit: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Interactions of a user that are followed; empty: the model's number",
    )
    current: float | None = Field(
        None,
        ge=0,
        le=1,
        description="How much what is current decides, from 0 (the history alone) to 1; empty: the model's number",
    )
    future_minutes: float = Field(
        5.0,
        ge=0,
        le=1440,
        description="Minutes that the moment of an event or rating may be ahead of this machine's clock",
    )
    unknown_movies: str = Field(
        "keep",
        pattern=r"^(keep|refuse)$",
        description="What becomes of a client's events for movies that no catalogue has: keep, or refuse (422)",
    )
    feed_url: str = Field(
        "https://jedha-netflix-real-time-api.herokuapp.com/users-currently-watching-movie",
        pattern=r"^https?://",
        description="Address of the live feed",
    )
    feed_catalogue: str = Field("netflix-prize", description="Catalogue whose movie ids the feed uses")
    feed_calls_per_minute: int = Field(5, ge=1, le=6000, description="Calls to the feed, all workers together")
    finish_after_misses: int = Field(1, ge=1, le=100, description="Polls without a viewing until it is finished")
    shortest_viewing: float = Field(
        0, ge=0, le=86_400, description="Seconds a viewing must last to be a finish, unless a client says it is"
    )
    hit_window: float = Field(
        7.0, gt=0, le=365, description="Days in which a viewing of a recommended movie is a hit; as long are lists kept"
    )
    webhook_url: str | None = Field(None, pattern=r"^https?://", description="Where fresh recommendations are posted")
    webhook_secret: SecretStr | None = Field(None, description="What posts are signed with: whsec_ and base64")
    event_log: str = Field(
        "", description="sqlite:///PATH or kafka://HOST:PORT/TOPIC; empty: events.sqlite in the data folder"
    )

    event_log_days: float = Field(7.0, gt=0, le=3650, description="Days that applied events stay on the event log")
    event_log_megabytes: int = Field(
        2048, ge=16, description="Size that the SQLite event log may have, once its events are applied"
    )
    viewings_days: float | None = Field(
        None, gt=0, le=36_500, description="Days that viewings are kept; empty: for ever"
    )
    interactions_days: float | None = Field(
        None, gt=0, le=36_500, description="Days that likes, listings and clicks are kept; empty: for ever"
    )
    open_viewing_hours: float = Field(
        48.0, ge=1, le=100_000, description="Hours after its last sign in which a viewing without an end is closed"
    )
    dead_letter_days: float = Field(30.0, gt=0, le=3650, description="Days that dead letters are kept")
    dead_letter_megabytes: int = Field(64, ge=1, description="Size that dead letters may have; the oldest go first")
    largest_backlog: int = Field(
        5_000_000, ge=1000, description="Events that may wait on the event log before no more are taken"
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        _read_networks(value)
        return value

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read and check the settings; a data folder that others can look into is closed to them.

        Raises SettingsError, naming each variable, for unknown `RECOMMENDER_*` names and values out of bounds.
        """
        known = {_environment_name(field) for field in cls.model_fields}
        values = {
            name: value for name, value in environment.items() if name in known or name.startswith("RECOMMENDER_")
        }
        try:
            settings = cls.model_validate({name: value for name, value in values.items() if value != ""})
        except ValidationError as error:
            raise SettingsError("; ".join(_explain(problem, known) for problem in error.errors())) from None
        keep_private(settings.data)  # every program begins here
        return settings

    @property
    def bolt_uri(self) -> str:
        """Where Neo4j answers Bolt: the configured one, else the embedded one."""
        return self.neo4j_uri or f"bolt://127.0.0.1:{self.neo4j_bolt_port}"

    @property
    def budget(self) -> Budget:
        """The limits of time that follow from the deadline."""
        return Budget.of(self.deadline)

    @property
    def future(self) -> timedelta:
        """How far a moment may be ahead of this machine's clock."""
        return timedelta(minutes=self.future_minutes)

    @property
    def own_password(self) -> str | None:
        """The configured password; without one the embedded Neo4j's home has it."""
        return self.neo4j_password.get_secret_value() if self.neo4j_password else None

    @property
    def staging(self) -> Path:
        """Folder of the staged ratings (`engine.dataset`)."""
        return self.data / "staging"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the service."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def trusted_networks(self) -> list[Network]:
        """Whose word counts for where a request came from."""
        return _read_networks(self.trusted_proxies)

    @property
    def keys_path(self) -> Path:
        """File of the API keys."""
        return self.keys or self.data / "keys.json"

    @property
    def erased_file(self) -> Path:
        """A copy of what the graph knows of erased users, for when there is no graph (`graph.tombstones`)."""
        return self.data / "erased.json"

    @property
    def event_log_path(self) -> Path:
        """File of the SQLite event log."""
        if not self.event_log:
            return self.data / "events.sqlite"
        scheme, _, path = self.event_log.partition(":///")
        if scheme != "sqlite" or not path:
            raise SettingsError(
                f"RECOMMENDER_EVENT_LOG: {self.event_log!r} is not of the form sqlite:///PATH or kafka://HOST:PORT/TOPIC"
            )
        return Path(path)


def _read_networks(text: str) -> list[Network]:
    return [ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()]


def _explain(problem: Mapping[str, object], known: set[str]) -> str:
    location = problem["loc"]
    name = str(location[0]) if isinstance(location, tuple) and location else "settings"
    if problem["type"] != "extra_forbidden":
        return f"{name}: {problem['msg']} (got {problem['input']!r})"
    similar = difflib.get_close_matches(name, known, n=1)
    return f"{name}: there is no such setting" + (f"; did you mean {similar[0]}?" if similar else "")
