"""`make run` starts Neo4j again, but not again and again where it cannot come up."""

import socket
from pathlib import Path

from small_disk import small_disk

from common.settings import ROOT, Settings
from graph.server.home import Home
from graph.server.process import EmbeddedServer
from scripts.neo4j_keeper import Neo4jKeeper
from scripts.sandbox import sandbox_settings


def make_keeper(settings: Settings, home: Path, *, stopping: bool = False) -> tuple[Neo4jKeeper, list[str]]:
    said: list[str] = []
    server = EmbeddedServer(Home(home), ROOT / ".cache")
    return Neo4jKeeper(server, settings, said.append, lambda: stopping), said


def test_without_room_it_waits_and_says_so_once(tmp_path: Path) -> None:
    with small_disk(tmp_path / "room", "size=10m") as disk:
        keeper, said = make_keeper(sandbox_settings(tmp_path), disk.seen / "neo4j")
        for _ in range(5):
            keeper.look()
        assert len(said) == 1
        assert "Neo4j has ended; it is started again once there is room (10 MB are free in " in said[0]
        assert not (disk.seen / "neo4j").exists()


def test_a_start_that_fails_is_tried_again_after_a_while(tmp_path: Path) -> None:
    settings = sandbox_settings(tmp_path)
    keeper, said = make_keeper(settings, settings.neo4j_home)
    with socket.create_server(("127.0.0.1", settings.neo4j_bolt_port)):
        for _ in range(5):
            keeper.look()
    assert said[0] == "Neo4j has ended; starting it again"
    assert said[1].startswith("not yet: port ")
    assert len(said) == 2


def test_a_run_that_stops_starts_nothing(tmp_path: Path) -> None:
    settings = sandbox_settings(tmp_path)
    keeper, said = make_keeper(settings, settings.neo4j_home, stopping=True)
    keeper.look()
    assert (said, settings.neo4j_home.exists()) == ([], False)
