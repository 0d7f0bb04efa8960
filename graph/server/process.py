"""Starting, stopping and asking after the embedded Neo4j's process."""

import json
import os
import socket
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from graph.database import Database
from graph.errors import ServerError
from graph.schema import apply_schema
from graph.server.home import MEGABYTE, Home, Memory
from graph.server.jars import ensure_jars
from graph.server.java import find_java

START_SECONDS = 180
STOP_SECONDS = 120
OPENED_PACKAGES = ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent")


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

    def __init__(self, home: Home, cache: Path) -> None:
        self.home = home
        self._cache = cache

    def running(self) -> RunningServer | None:
        """The server's process, if it is alive; a process file left by a dead one counts for nothing."""
        try:
            server = RunningServer(**json.loads(self.home.process_file.read_text()))
            process = psutil.Process(server.pid)
        except (OSError, ValueError, TypeError, psutil.NoSuchProcess):
            return None
        alive = process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - server.created) < 1
        return server if alive else None

    def up(
        self, bolt_port: int, http_port: int, memory: Memory | None = None, password: str | None = None
    ) -> RunningServer:
        """Start the server; return once Bolt answers and the schema is applied. Running already: the same server.

        Raises ServerError if a port is taken or the server does not come up.
        """
        if server := self.running():
            return server
        self.home.create(password)
        require_free_port(bolt_port, "NEO4J_BOLT_PORT")
        require_free_port(http_port, "NEO4J_HTTP_PORT")
        memory = memory or Memory.of_machine()
        self.home.write_configuration(bolt_port, http_port, memory)
        if not (self.home.data / "databases" / "system").is_dir():
            self.admin("dbms", "set-initial-password", self.home.password())
        server = self._spawn(bolt_port, http_port, memory)
        with Database(server.bolt_uri, "neo4j", self.home.password()) as database:
            self._await(server, database)
            apply_schema(database)
        return server

    def down(self) -> bool:
        """Stop the server and wait for its end. Returns whether one was running."""
        server = self.running()
        if server is not None:
            process = psutil.Process(server.pid)
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait()
        self.home.process_file.unlink(missing_ok=True)
        return server is not None

    def admin(self, *arguments: str, heap: int = 512 * MEGABYTE) -> str:
        """Run Neo4j's admin tool on this home and return what it printed. Raises ServerError if it fails."""
        command = [*self._java(heap), "org.neo4j.cli.AdminTool", *arguments]
        environment = {**os.environ, "NEO4J_HOME": str(self.home.path), "NEO4J_CONF": str(self.home.conf)}
        answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if answer.returncode != 0:
            raise ServerError(f"neo4j-admin {' '.join(arguments[:3])} failed: {_last_line(answer.stderr)}")
        return answer.stdout

    def _java(self, heap: int) -> list[str]:
        return [
            str(find_java()),
            *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED_PACKAGES),
            f"-Xms{min(heap, 512 * MEGABYTE)}",
            f"-Xmx{heap}",
            "-XX:+ExitOnOutOfMemoryError",
            "-cp",
            f"{ensure_jars(self._cache)}/*",
        ]

    def _spawn(self, bolt_port: int, http_port: int, memory: Memory) -> RunningServer:
        command = [
            *self._java(memory.heap),
            "org.neo4j.server.CommunityEntryPoint",
            f"--home-dir={self.home.path}",
            f"--config-dir={self.home.conf}",
        ]
        with self.home.console_log.open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        process.returncode = 0  # it outlives us: no warning that nobody waited for it
        server = RunningServer(process.pid, psutil.Process(process.pid).create_time(), bolt_port, http_port)
        self.home.process_file.write_text(json.dumps(asdict(server)))
        return server

    def _await(self, server: RunningServer, database: Database) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not (_answers(server.bolt_port) and database.is_reachable()):
            if self.running() is None:
                raise ServerError(f"Neo4j stopped while starting: {_last_line(self.home.console_log.read_text())}")
            if time.monotonic() > deadline:
                self.down()
                raise ServerError(f"Neo4j did not answer within {START_SECONDS} s: see {self.home.console_log}")
            time.sleep(0.1)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def require_free_port(port: int, variable: str) -> None:
    """Raise ServerError, naming the variable that moves it, if a port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ServerError(f"port {port} is taken by another program: set {variable} to a free one") from None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if " ERROR " in line or "Exception" in line]
    return errors[0] if errors else (lines or ["it printed nothing"])[-1]
