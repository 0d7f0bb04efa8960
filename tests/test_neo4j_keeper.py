"""`make run` starts Neo4j again, but not again and again where it cannot come up."""

import socket
from pathlib import Path

import pytest
from small_disk import small_disk

from common.settings import ROOT, Settings
from graph.server.home import Home
from graph.server.process import EmbeddedServer
from scripts.neo4j_keeper import Neo4jKeeper
from scripts.sandbox import sandbox_settings


def make_keeper(settings: Settings, home: Path, *, stopping: bool = False) -> Neo4jKeeper:
    return Neo4jKeeper(EmbeddedServer(Home(home), ROOT / ".cache"), settings, lambda: stopping)


def test_without_room_it_waits_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with small_disk(tmp_path / "room", "size=10m") as disk:
        keeper = make_keeper(sandbox_settings(tmp_path), disk.seen / "neo4j")
        for _ in range(5):
            keeper.look()
        [said] = caplog.messages
        assert "Neo4j has ended; it is started again once there is room (10 MB are free in " in said
        assert not (disk.seen / "neo4j").exists()


def test_a_start_that_fails_is_tried_again_after_a_while(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = sandbox_settings(tmp_path)
    keeper = make_keeper(settings, settings.neo4j_home)
    with socket.create_server(("127.0.0.1", settings.neo4j_bolt_port)):
        for _ in range(5):
            keeper.look()
    first, second = caplog.messages
    assert first == "Neo4j has ended; starting it again"
    assert second.startswith("Neo4j cannot be started yet: port ")


def test_a_run_that_stops_starts_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = sandbox_settings(tmp_path)
    keeper = make_keeper(settings, settings.neo4j_home, stopping=True)
    keeper.look()
    assert (caplog.messages, settings.neo4j_home.exists()) == ([], False)
