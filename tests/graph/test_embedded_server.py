import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import requests
from click.testing import CliRunner
from conftest import SMALL, frozen

from common.settings import ROOT
from graph.__main__ import main
from graph.database import Database
from graph.errors import ServerError
from graph.server.class_archive import archive_classes
from graph.server.home import Home
from graph.server.ports import free_ports
from graph.server.process import EmbeddedServer


@pytest.fixture
def server(tmp_path: Path) -> EmbeddedServer:
    return EmbeddedServer(Home(tmp_path / "home"), ROOT / ".cache")


def run(arguments: list[str], home: Home, bolt_port: int = 7687, http_port: int = 7474) -> tuple[int, str]:
    environment = {
        "NEO4J_HOME": str(home.path),
        "NEO4J_BOLT_PORT": str(bolt_port),
        "NEO4J_HTTP_PORT": str(http_port),
    }
    result = CliRunner().invoke(main, arguments, env=environment)
    return result.exit_code, result.output


def test_life_of_a_server(server: EmbeddedServer) -> None:
    ports = free_ports(2)
    archive = archive_classes(ROOT / ".cache")
    assert run(["status"], server.home) == (1, "Neo4j is not running: start it with `python -m graph up`.\n")

    code, output = run(["up"], server.home, *ports)
    assert (code, "Neo4j is up" in output) == (0, True)
    with Database(f"bolt://127.0.0.1:{ports[0]}", "neo4j", server.home.password()) as database:
        database.run_text("DROP CONSTRAINT user_id")
    assert "already running" in run(["up"], server.home, *ports)[1]
    assert requests.get(f"http://127.0.0.1:{ports[1]}/browser/", timeout=10).ok
    password_file = server.home.path / "password"
    assert password_file.stat().st_mode & 0o777 == 0o600
    with Database(f"bolt://127.0.0.1:{ports[0]}", "neo4j", server.home.password()) as database:
        names = {record["name"] for record in database.run_text("SHOW CONSTRAINTS YIELD name")}
        assert {"user_id", "movie_id", "watched_event"} <= names
    listening = psutil.Process(server.running().pid).net_connections("inet")  # type: ignore[union-attr]
    assert {connection.laddr.ip.removeprefix("::ffff:") for connection in listening} == {"127.0.0.1"}

    pid = server.running().pid  # type: ignore[union-attr]
    assert str(archive) in {mapped.path for mapped in psutil.Process(pid).memory_maps()}

    # Frozen: the process lives, and that is all.
    with frozen(pid):
        for command in ("status", "up"):
            begin = time.monotonic()
            code, output = run([command], server.home, *ports)
            assert (code, f"process {pid} runs but does not answer" in output) == (1, True)
            assert time.monotonic() - begin < 10

    # Ended by another process, it leaves a zombie of this one, which nobody waits for.
    command = [sys.executable, "-m", "graph", "down"]
    environment = {**os.environ, "NEO4J_HOME": str(server.home.path)}
    down = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert down.stdout == "Neo4j is down.\n"
    assert server.running() is None
    assert run(["down"], server.home) == (0, "Neo4j was not running.\n")


@pytest.mark.slow
def test_a_killed_server_does_not_hinder_the_next(server: EmbeddedServer) -> None:
    """The process file is stale, and the next start does not mind. What the last one printed is kept."""
    ports = free_ports(2)
    pid = server.up(*ports, memory=SMALL).pid
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], 10)
    server.home.console_log.write_text("last words")
    assert run(["status"], server.home)[0] == 1
    assert run(["up"], server.home, *ports)[0] == 0
    assert server.home.console_log.with_name("console.previous.log").read_text() == "last words"
    assert server.down()


@pytest.mark.slow
def test_a_password_may_look_like_an_option(server: EmbeddedServer) -> None:
    ports = free_ports(2)
    server.up(*ports, memory=SMALL, password="-QYrVKQ1DPgc7piHdomnQA")
    try:
        with Database(f"bolt://127.0.0.1:{ports[0]}", "neo4j", "-QYrVKQ1DPgc7piHdomnQA") as database:
            assert database.run_text("RETURN 1 AS one")[0]["one"] == 1
    finally:
        server.down()


def test_of_a_neo4j_that_is_not_ours_that_is_told_and_none_is_started(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_URI", "bolt://db:7687")
    for command in ("status", "up"):
        code, output = run([command], server.home)
        assert (code, "NEO4J_URI names a Neo4j that we do not run" in output) == (1, True)
    assert not server.home.path.exists()


def test_a_taken_port_is_named_with_the_variable_that_moves_it(server: EmbeddedServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, output = run(["up"], server.home, port, *free_ports(1))
    assert code == 1
    assert output == f"Error: port {port} is taken by another program: set NEO4J_BOLT_PORT to a free one\n"


def test_a_folder_with_other_content_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    code, output = run(["up"], Home(tmp_path))
    assert code == 1
    assert f"{tmp_path} is no home of ours" in output
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_process_file_of_another_process_counts_for_nothing(server: EmbeddedServer) -> None:
    server.home.create()
    mine = {"pid": os.getpid(), "created": 1.0, "bolt_port": 1, "http_port": 2}
    server.home.process_file.write_text(json.dumps(mine))
    assert server.running() is None
    server.down()
    assert not server.home.process_file.exists()


@pytest.mark.slow
def test_a_port_taken_while_neo4j_starts_is_told(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    bolt_port, http_port = free_ports(2)
    monkeypatch.setattr("graph.server.process.require_free_port", lambda *_: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", bolt_port))
        taken.listen()
        monkeypatch.setattr("graph.server.process.answers", lambda _: False)
        with pytest.raises(ServerError, match=r"stopped while starting: .*Address already in use"):
            server.up(bolt_port, http_port, memory=SMALL)


def test_a_server_that_ends_while_starting_tells_its_own_words(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.server.home.CONFIGURATION", "no.such.setting=1\n")
    with pytest.raises(ServerError, match=r"no\.such\.setting"):
        server.up(*free_ports(2), memory=SMALL)
    assert server.running() is None


def test_without_a_home_the_remedy_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="python -m graph up"):
        Home(tmp_path / "nothing").password()


def test_first_password_is_no_argument(server: EmbeddedServer) -> None:
    password = "@p\"a's\\s #wörd€ -1"
    seen: list[str] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    seen.extend(child.cmdline())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        running = server.up(*free_ports(2), password=password)
        with server.connect(running) as database:
            assert database.is_reachable()
    finally:
        ended.set()
        watcher.join()
        server.down()
    assert "set-initial-password" in seen
    assert not [argument for argument in seen if password in argument]
    assert not list(server.home.path.glob("first-password*"))
