"""The home folder of one embedded Neo4j: its configuration, password and process file."""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from common.files import exclusive, keep_private, make_private_folder, open_privately
from graph.credentials import password_file, read_kept_password
from graph.errors import ServerError

MEGABYTE = 1 << 20
GIGABYTE = 1 << 30
FIRST_STORE = "first"

CONFIGURATION = """\
# Written anew by every `python -m graph up`; changes made here are lost.
server.default_listen_address=127.0.0.1
server.bolt.listen_address=127.0.0.1:{bolt_port}
server.bolt.advertised_address=127.0.0.1:{bolt_port}
server.http.listen_address=127.0.0.1:{http_port}
server.http.advertised_address=127.0.0.1:{http_port}
server.https.enabled=false
server.memory.pagecache.size={page_cache}m
dbms.memory.transaction.total.max={transactions}m
db.memory.transaction.max={transaction}m
# Transactions name users who may be erased by now: few stay beside those since the last checkpoint.
db.tx_log.rotation.size=4m
db.tx_log.rotation.retention_policy=2 files
dbms.security.allow_csv_import_from_file_urls=false
dbms.usage_report.enabled=false
client.allow_telemetry=false
# On a full disk it refuses to write until it is started again, and reads on. Without this it does neither.
internal.dbms.out_of_disk_space_protection=true
# Databases are closed by then; the default of 5 s only makes every stop slow.
internal.server.bolt.connection_shutdown_wait_time=50ms
internal.server.bolt.thread_pool_shutdown_wait_time=50ms
"""


@dataclass(frozen=True)
class Memory:
    """What the server may use, in bytes."""

    heap: int
    page_cache: int

    @classmethod
    def of_machine(cls) -> "Memory":
        """An eighth of the machine's memory as heap, a quarter as page cache, within bounds."""
        total = psutil.virtual_memory().total
        return cls(
            heap=min(max(total // 8, 512 * MEGABYTE), 4 * GIGABYTE),
            page_cache=min(max(total // 4, 256 * MEGABYTE), 8 * GIGABYTE),
        )

    def halved(self) -> "Memory":
        """For a server beside another one."""
        return Memory(self.heap // 2, self.page_cache // 2)


@dataclass(frozen=True)
class Home:
    """A folder that holds one embedded Neo4j. It carries our marker: nothing else is ever touched."""

    path: Path

    @property
    def conf(self) -> Path:
        """Folder of `neo4j.conf`."""
        return self.path / "conf"

    @property
    def data(self) -> Path:
        """Folder of the databases: a link to one of the stores, so that another one takes its place all at once."""
        return self.path / "data"

    @property
    def lock_file(self) -> Path:
        """Held by whoever starts, stops or exchanges the server."""
        return self.path / "server.lock"

    @property
    def incoming(self) -> "Home":
        """The home of the next database while it is made."""
        return Home(self.path / "incoming")

    @property
    def aside(self) -> "Home":
        """The home of a copy that a backup or restore works on."""
        return Home(self.path / "aside")

    @property
    def load_lock(self) -> Path:
        """Held alone by what puts another database in place, a bulk load or restore; shared by what works on one."""
        return self.path / "load.lock"

    @property
    def aside_lock(self) -> Path:
        """Held by a backup or restore, which have the home beside to themselves."""
        return self.path / "aside.lock"

    @property
    def run_lock(self) -> Path:
        """Held by `make run`, which names itself in it and stops the server in the end."""
        return self.path / "run.lock"

    def store(self, name: str) -> Path:
        """One of the folders of databases that can be served."""
        return self.path / "stores" / name

    @property
    def console_log(self) -> Path:
        """What the server printed."""
        return self.path / "logs" / "console.log"

    @property
    def process_file(self) -> Path:
        """Which process runs here (`graph.server.process`)."""
        return self.path / "process.json"

    @property
    def _marker(self) -> Path:
        return self.path / ".movie-recommender"

    @property
    def is_ours(self) -> bool:
        """Whether this folder carries our marker."""
        return self._marker.is_file()

    @property
    def has_database(self) -> bool:
        """Whether there are a database's files."""
        return (self.data / "databases" / "neo4j").is_dir()

    def require_no_run(self) -> None:
        """Raise LockedError if a `make run` uses this Neo4j: it would start it again."""
        if self.is_ours:
            run = self.run_lock.read_text() if self.run_lock.exists() else ""
            with exclusive(self.run_lock, f"`make run` uses this Neo4j: {run}: end that (Ctrl-C), which stops both"):
                pass

    def create(self, password: str | None = None, store: Path | None = None) -> None:
        """Make the folder, its password and the link to its store (by default one of its own), unless they are there.

        Raises ServerError for a folder with other content, which is never touched.
        """
        if not self.is_ours and self.path.is_dir() and any(self.path.iterdir()):
            raise ServerError(
                f"{self.path} is no home of ours (it has other files): set NEO4J_HOME to an empty or new folder"
            )
        keep_private(self.path)
        for name in ("conf", "logs", "run", "plugins", "import"):
            make_private_folder(self.path / name)
        self._marker.touch()
        if not self.data.exists():
            if self.data.is_symlink():
                raise ServerError(
                    f"{self.data} leads to {self.data.resolve()}, which is gone: put it back, or load again"
                )
            store = store or self.store(FIRST_STORE)
            make_private_folder(store)
            self.link_store(store)
        if not (file := password_file(self.path)).is_file():
            file.touch(mode=0o600)
            file.write_text(password or secrets.token_hex(16))

    def link_store(self, store: Path) -> None:
        """Let `data` lead to a store from now on. The server must be down."""
        if self.data.is_dir() and not self.data.is_symlink():  # as homes were made at first
            make_private_folder(self.store(FIRST_STORE).parent)
            self.data.rename(self.store(FIRST_STORE))
        link = self.path / "data.next"
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(store.resolve(), self.path.resolve()))
        link.replace(self.data)

    def remove_other_stores(self) -> None:
        """Remove all stores but the one in use."""
        for store in self.store("").glob("*"):
            if store.resolve() != self.data.resolve():
                shutil.rmtree(store)

    def password(self) -> str:
        """The password of user `neo4j`. Raises ServerError if this home was never made."""
        return read_kept_password(self.path)

    @contextmanager
    def password_argument(self) -> Iterator[str]:
        """The password for Neo4j's admin tool: an argument that names a file, since all can see a process's arguments.

        The tool (picocli) reads a file of words, with quotes and backslashes; a first @ is doubled.
        """
        file = self.path / "first-password"
        word = re.sub(r'(["\\])', r"\\\1", re.sub("^@", "@@", self.password()))
        try:
            with open(file, "w", encoding="utf-8", opener=open_privately) as stream:
                stream.write(f'"{word}"')
            yield f"@{file}"
        finally:
            file.unlink(missing_ok=True)

    def write_configuration(self, bolt_port: int, http_port: int, memory: Memory) -> None:
        """Write `neo4j.conf`."""
        make_private_folder(self.conf)
        text = CONFIGURATION.format(
            bolt_port=bolt_port,
            http_port=http_port,
            page_cache=memory.page_cache // MEGABYTE,
            transactions=memory.heap // 2 // MEGABYTE,
            transaction=memory.heap // 4 // MEGABYTE,
        )
        (self.conf / "neo4j.conf").write_text(text)
