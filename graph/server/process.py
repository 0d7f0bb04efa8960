"""Starting, stopping and asking after the embedded Neo4j's process."""

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import psutil

from common.errors import RecommenderError
from common.files import LockedError, exclusive, shared, write_durably
from common.settings import Settings
from graph.database import Database
from graph.errors import ServerError
from graph.schema import SchemaError, apply_schema
from graph.server.home import FIRST_STORE, MEGABYTE, Home, Memory
from graph.server.jars import class_archive, ensure_jars
from graph.server.java import ADMIN_TOOL, OPENED_PACKAGES, find_java
from graph.server.ports import answers, free_ports, require_free_port

START_SECONDS = 180
STOP_SECONDS = 120
NO_PORT = 0  # of the admin tool
LEAST_ROOM = 128 * MEGABYTE
FAULT_SECONDS = 10.0
# What Neo4j answers after an error that it gave up at.
CRITICAL = "needs to be restarted"
FULL_DISK = ("No space left on device", "out of disk space")


@dataclass(frozen=True)
class RunningServer:
    """A running embedded Neo4j. `created` tells its process from a later one with the same id."""

    pid: int
    created: float
    bolt_port: int
    http_port: int

    @property
    def bolt_uri(self) -> str:
        """Where drivers connect."""
        return f"bolt://127.0.0.1:{self.bolt_port}"

    @property
    def browser_url(self) -> str:
        """Where Neo4j Browser is."""
        return f"http://127.0.0.1:{self.http_port}/browser/"


class EmbeddedServer:
    """The embedded Neo4j of one home."""

    def __init__(self, home: Home, cache: Path, *java_options: str) -> None:
        self.home = home
        self._cache = cache
        self._java_options = java_options

    @classmethod
    def of(cls, settings: Settings) -> "EmbeddedServer":
        """The one that the settings name, running or not."""
        return cls(Home(settings.neo4j_home), settings.cache)

    def beside(self, home: Home) -> "EmbeddedServer":
        """A server of another home, from the same jars."""
        return EmbeddedServer(home, self._cache)

    def running(self) -> RunningServer | None:
        """The server's process, if it is alive; a process file left by a dead one counts for nothing."""
        process = self._alive()
        return process if process and process.bolt_port != NO_PORT else None

    def up(
        self, bolt_port: int, http_port: int, memory: Memory | None = None, password: str | None = None
    ) -> RunningServer:
        """Start the server; return once Bolt answers and the schema is applied. Running already: the same server.

        Raises ServerError if a port is taken or the server does not come up.
        """
        self.home.create(password)
        with exclusive(self.home.lock_file):
            if server := self.running():
                self._complete(server)
                return server
            return self._start(bolt_port, http_port, memory)

    def in_place(self) -> contextlib.AbstractContextManager[None]:
        """While no load or restore puts another database in place, where what is written meanwhile would be missing.

        Raises LockedError if one is under way.
        """
        taken = "a load or restore is putting another database in place: run the same command again when it has ended"
        return shared(self.home.load_lock, taken) if self.home.is_ours else contextlib.nullcontext()

    def connect(self, server: RunningServer) -> Database:
        """The database of this server, which runs."""
        return Database(server.bolt_uri, "neo4j", self.home.password())

    @contextlib.contextmanager
    def temporarily_up(self, memory: Memory | None = None) -> Iterator[Database]:
        """The database of a server on ports of its own, which is stopped in the end."""
        bolt_port, http_port = free_ports(2)
        try:
            with self.connect(self.up(bolt_port, http_port, memory)) as database:
                yield database
        finally:
            self.down()

    def down(self) -> bool:
        """Stop the server, and what a killed load left; wait for the end. Returns whether the server was running."""
        if not self.home.is_ours:
            return False
        with contextlib.suppress(LockedError), exclusive(self.home.load_lock, "a load is running"):
            for home in (self.home.incoming, self.home.aside):
                self.beside(home).down()
        with exclusive(self.home.lock_file):
            return self._stop()

    def pause(self, work: Callable[[], object]) -> None:
        """Do something with the files while the server, if it runs, stands still; whatever comes of it, it runs on."""
        with exclusive(self.home.lock_file):
            running = self.running()
            self._stop()
            try:
                work()
            finally:
                if running:
                    self._start(running.bolt_port, running.http_port)

    def restart(self) -> None:
        """Stop the server, and start it on the same ports."""
        self.pause(lambda: None)

    def find_fault(self, server: RunningServer) -> str | None:
        """Why this server, which runs, must be started again before it writes; None if it need not be."""
        with self.connect(server) as database:
            try:
                database.run_text("RETURN 1", FAULT_SECONDS)
                [record] = database.run_text("SHOW DATABASE neo4j YIELD access", FAULT_SECONDS)
            except RecommenderError as error:  # one that only does not answer may be busy
                return "has met an error that it gave up at" if CRITICAL in str(error) else None
        return "writes no more since its disk was full" if record["access"] == "read-only" else None

    def exchange(self, store: Path, bolt_port: int, http_port: int, check: Callable[[], None], *, start: bool) -> None:
        """Serve another store from now on: stop, switch, start. If it does not come up or `check` fails, the old one
        is put back and the error raised."""
        if not (store / "databases" / "neo4j").is_dir():
            raise ServerError(f"{store} holds no database")
        with exclusive(self.home.lock_file):
            was_running = self._stop()
            before = self.home.data.resolve() if self.home.data.is_symlink() else self.home.store(FIRST_STORE)
            self.home.link_store(store)
            if not start:
                return
            try:
                self._start(bolt_port, http_port)
                check()
            except BaseException:  # Ctrl-C, too
                self._stop()
                self.home.link_store(before)
                if was_running:
                    self._start(bolt_port, http_port)
                raise

    def admin(
        self, *arguments: str, heap: int = 512 * MEGABYTE, watch: Callable[[str], object] = lambda _: None
    ) -> str:
        """Run Neo4j's admin tool on this home and return what it printed; `watch` gets that piece by piece.

        It counts as what is running here, so that `down` ends it if we do not live to. Raises ServerError if it fails.
        """
        command = [*self._java(heap), *ADMIN_TOOL, *arguments]
        environment = {**os.environ, "NEO4J_HOME": str(self.home.path), "NEO4J_CONF": str(self.home.conf)}
        errors = self.home.path / "logs" / "admin.log"
        with (
            errors.open("wb") as log,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment) as process,
        ):
            self._remember(process.pid)
            try:
                output = _read_all(process.stdout, watch)
            except BaseException:
                process.kill()
                raise
        self.home.process_file.unlink(missing_ok=True)
        if process.returncode != 0:
            told = self._explain(errors.read_text(errors="replace") or output)
            raise ServerError(f"neo4j-admin {' '.join(arguments[:2])} failed: {told}")
        return output

    def _start(self, bolt_port: int, http_port: int, memory: Memory | None = None) -> RunningServer:
        require_free_port(bolt_port, "NEO4J_BOLT_PORT")
        require_free_port(http_port, "NEO4J_HTTP_PORT")
        memory = memory or Memory.of_machine()
        self.home.write_configuration(bolt_port, http_port, memory)
        if not (self.home.data / "databases" / "system").is_dir():
            with self.home.password_argument() as password:
                self.admin("dbms", "set-initial-password", "--", password)
        server = self._spawn(bolt_port, http_port, memory)
        try:
            self._complete(server)
        except SchemaError:
            self._stop()
            raise
        return server

    def _complete(self, server: RunningServer) -> None:
        with self.connect(server) as database:
            self._await(server, database)
            apply_schema(database)

    def _alive(self) -> RunningServer | None:
        """What runs here, be it the server or the admin tool."""
        try:
            server = RunningServer(**json.loads(self.home.process_file.read_text()))
            process = psutil.Process(server.pid)
        except (OSError, ValueError, TypeError, psutil.NoSuchProcess):
            return None
        alive = process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - server.created) < 1
        return server if alive else None

    def _stop(self) -> bool:
        server = self._alive()
        if server is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(server.pid)
                process.terminate()
                if not _has_ended(process, STOP_SECONDS):
                    process.kill()
                    _has_ended(process, STOP_SECONDS)
        self.home.process_file.unlink(missing_ok=True)
        return server is not None

    def _java(self, heap: int) -> list[str]:
        jars = ensure_jars(self._cache)
        archive = class_archive(jars)
        return [
            str(find_java()),
            *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED_PACKAGES),
            f"-Xms{min(heap, 512 * MEGABYTE)}",
            f"-Xmx{heap}",
            "-XX:+ExitOnOutOfMemoryError",
            *([f"-XX:SharedArchiveFile={archive}"] if archive.is_file() else []),
            "-cp",
            f"{jars}/*",
        ]

    def _spawn(self, bolt_port: int, http_port: int, memory: Memory) -> RunningServer:
        command = [
            *self._java(memory.heap),
            *self._java_options,
            "org.neo4j.server.CommunityEntryPoint",
            f"--home-dir={self.home.path}",
            f"--config-dir={self.home.conf}",
        ]
        console = self.home.console_log
        if console.is_file():  # it may hold why the last one ended
            console.replace(console.with_suffix(".previous.log"))
        return self._remember(_start_detached(command, console), bolt_port, http_port)

    def _remember(self, pid: int, bolt_port: int = NO_PORT, http_port: int = NO_PORT) -> RunningServer:
        process = psutil.Process(pid)
        server = RunningServer(pid, process.create_time(), bolt_port, http_port)
        try:
            write_durably(self.home.process_file, json.dumps(asdict(server)))
        except OSError as error:  # nobody would find it
            process.kill()
            raise ServerError(f"Neo4j cannot be started: {error}") from error
        return server

    def _await(self, server: RunningServer, database: Database) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not (answers(server.bolt_port) and database.is_reachable()):
            if self.running() is None:
                raise ServerError(f"Neo4j stopped while starting: {self._explain(self._last_words(server))}")
            if time.monotonic() > deadline:
                self._stop()
                raise ServerError(f"Neo4j did not answer within {START_SECONDS} s: see {self.home.console_log}")
            time.sleep(0.1)

    def _last_words(self, server: RunningServer) -> str:
        """What a server that has ended printed, and wrote into its log since its start."""
        log = self.home.path / "logs" / "neo4j.log"
        is_its_own = log.is_file() and log.stat().st_mtime > server.created
        written = log.read_text(errors="replace").rpartition("Starting...")[2] if is_its_own else ""
        return self.home.console_log.read_text(errors="replace") + written

    def _explain(self, printed: str) -> str:
        """Why a program failed. On a full disk it may not even have been able to say so."""
        free = shutil.disk_usage(self.home.path).free
        if free < LEAST_ROOM or any(sign in printed for sign in FULL_DISK):
            return f"the disk of {self.home.path} is full: free some room, or move NEO4J_HOME"
        return _last_line(printed)


def _start_detached(command: list[str], console: Path) -> int:
    """Start a program that outlives us, in a session of its own; returns its process id."""
    log = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(console), log, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], command, os.environ, file_actions=files, setsid=True)


def _has_ended(process: psutil.Process, seconds: float) -> bool:
    """Wait for a process's end. A zombie counts: the server may be the child of another process than ours, which does
    not wait for it."""
    deadline = time.monotonic() + seconds
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _read_all(stream: IO[bytes] | None, watch: Callable[[str], object]) -> str:
    """All that comes, told to `watch` as it comes."""
    pieces = []
    while stream and (piece := os.read(stream.fileno(), 1 << 16).decode(errors="replace")):
        pieces.append(piece)
        watch(piece)
    return "".join(pieces)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    errors = [line for line in lines if " ERROR " in line or "Exception" in line]
    return (causes[-1:] or errors or lines[-1:] or ["it printed nothing"])[0]
