"""kill -9 at random moments of a load, and a disk that is full: what serves is whole, the same command goes on."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import wait_until
from loader_tools import WRONG_STATISTICS, load_apart, read, start_loader, whole_graph, write_netflix

from common.settings import ROOT, Settings
from graph.server.home import Home
from graph.server.process import EmbeddedServer
from scripts.sandbox import environment_of, sandbox_settings

KILLS = 20
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Settings]:
    """Settings of an embedded Neo4j of this test's own."""
    settings = sandbox_settings(tmp_path / "apart")
    yield settings
    server(settings).down()


def server(settings: Settings) -> EmbeddedServer:
    return EmbeddedServer.of(settings)


def kill_after(process: "subprocess.Popen[str]", seconds: float) -> bool:
    """Kill a command, and it alone, after so many seconds: its Java lives on. Returns whether it still ran."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return True
    finally:
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
    return False


def test_a_killed_bulk_load_changes_nothing_and_goes_on(apart: Settings, tmp_path: Path) -> None:
    """Two inputs take turns; each round is killed once, then run to its end."""
    inputs = [tmp_path / "first", tmp_path / "second"]
    undisturbed, seconds = [], 0.0
    for seed, folder in enumerate(inputs):
        write_netflix(folder, users=300, movies=60, seed=seed)
        begin = time.monotonic()
        load_apart(apart, "bulk", folder)
        seconds = time.monotonic() - begin
        undisturbed.append(whole_graph(apart))
    assert undisturbed[0] != undisturbed[1]
    moments = random.Random(4)
    killed = 0
    for round_number in range(KILLS):
        turn = round_number % 2
        killed += kill_after(start_loader(apart, "bulk", inputs[turn]), moments.uniform(0.5, seconds * 0.95))
        if server(apart).running() is None:  # killed between stop and start
            server(apart).up(apart.neo4j_bolt_port, apart.neo4j_http_port)
        assert whole_graph(apart) in undisturbed
        load_apart(apart, "bulk", inputs[turn])
        assert whole_graph(apart) == undisturbed[turn]
        assert not (apart.neo4j_home / "incoming").exists()
        assert len(list((apart.neo4j_home / "stores").iterdir())) == 1
    assert killed >= KILLS * 0.8


def test_a_store_whose_first_start_was_cut_off_is_imported_anew(apart: Settings, tmp_path: Path) -> None:
    inputs = [write_netflix(tmp_path / name, users=300, movies=60, seed=seed) for seed, name in enumerate("ab")]
    load_apart(apart, "bulk", tmp_path / "a")
    process = start_loader(apart, "bulk", tmp_path / "b")
    aside = server(apart).beside(Home(apart.neo4j_home).incoming)
    wait_until(lambda: aside.running() is not None, 120)
    assert kill_after(process, 0)
    aside.down()
    shutil.rmtree(aside.home.data / "transactions" / "neo4j")  # as a cut off start has left it
    load_apart(apart, "bulk", tmp_path / "b")
    assert read(apart, "MATCH ()-[r:RATED]->() RETURN count(r)") == [(len(inputs[1]),)]


def test_a_killed_addition_goes_on_where_it_was(apart: Settings, tmp_path: Path) -> None:
    write_netflix(tmp_path / "base", users=300, movies=60)
    write_netflix(tmp_path / "more", users=4_000, movies=300, seed=1)
    load_apart(apart, "bulk", tmp_path / "base")
    load_apart(apart, "add", tmp_path / "more")
    undisturbed = whole_graph(apart)
    load_apart(apart, "bulk", tmp_path / "base")
    assert whole_graph(apart) != undisturbed
    moments = random.Random(5)
    positions = [0]
    for kill in range(KILLS):
        process = start_loader(apart, "add", tmp_path / "more")
        if kill >= KILLS // 4:  # the first ones hit the start and the staging, the others the writing
            while process.poll() is None and position(apart) == positions[-1]:
                time.sleep(0.02)
            assert kill_after(process, moments.uniform(0, 0.8))
        else:
            assert kill_after(process, moments.uniform(0.3, 4))
        positions.append(position(apart))
        # Each batch is whole: the statistics that it keeps agree with the ratings. (The server may still be at the last
        # one, and a read sees what is committed meanwhile.)
        wait_until(lambda: read(apart, WRONG_STATISTICS) == [])
    assert positions == sorted(positions)
    assert len(set(positions)) > KILLS // 2
    load_apart(apart, "add", tmp_path / "more")
    assert whole_graph(apart) == undisturbed


def position(settings: Settings) -> int:
    """How many ratings of an addition are written."""
    rows = read(settings, "MATCH (p:IngestOffset) WHERE p.source STARTS WITH 'add:' RETURN p.offset")
    return int(str(rows[0][0])) if rows else 0


def in_small_room(room: Path, size: str, settings: Settings, *steps: str) -> subprocess.CompletedProcess[str]:
    """Run shell steps in a mount namespace of their own where `room` is a small file system."""
    script = " ; ".join([f"mount -t tmpfs -o size={size} tmpfs {room}", *steps])
    command = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--mount", "sh", "-c", script]
    return subprocess.run(
        command, cwd=ROOT, env=environment_of(settings), capture_output=True, text=True, check=False, timeout=900
    )


def test_a_disk_that_is_full_while_staging(apart: Settings, tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    write_netflix(tmp_path / "raw", users=2_000, movies=300)
    settings = apart.model_copy(update={"data": room / "data"})
    python = f"{sys.executable} -m"
    done = in_small_room(
        room, "4m", settings, f"{python} loader bulk {tmp_path / 'raw'}", "echo code $?", f"ls -R {room} | tail -n 30"
    )
    assert "code 1" in done.stdout
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert "part-000" not in done.stdout, "its room is given back"
    assert not (apart.neo4j_home / "incoming").exists()


def test_a_disk_that_is_full_while_importing(apart: Settings, tmp_path: Path) -> None:
    """The serving database, on the same disk, goes on; with room again the same command succeeds."""
    room = tmp_path / "room"
    room.mkdir()
    write_netflix(tmp_path / "old", users=300, movies=60)
    write_netflix(tmp_path / "new", users=2_000, movies=300)
    settings = apart.model_copy(update={"neo4j_home": room / "neo4j"})
    python = f"{sys.executable} -m"
    count = (
        f'{sys.executable} -c "from common.settings import Settings; from graph.database import Database; '
        "print('ratings', Database.from_settings(Settings.from_environment())"
        ".run_text('MATCH ()-[r:RATED]->() RETURN count(r) AS n')[0]['n'])\""
    )
    done = in_small_room(
        room,
        "3g",
        settings,
        f"{python} loader bulk {tmp_path / 'old'}",
        count,
        f"dd if=/dev/zero of={room / 'filler'} bs=1M count=$(($(df -m --output=avail {room} | tail -n 1) - 20))",
        f"{python} loader bulk {tmp_path / 'new'}",
        "echo code $?",
        count,
        f"rm {room / 'filler'}",
        f"{python} loader bulk {tmp_path / 'new'}",
        "echo code $?",
        count,
        f"{python} graph down",
    )
    told = [line for line in done.stdout.splitlines() if line.startswith(("ratings ", "code "))]
    old, new = (len(write_netflix(tmp_path / "again", users, movies)) for users, movies in ((300, 60), (2_000, 300)))
    assert told == [f"ratings {old}", "code 1", f"ratings {old}", "code 0", f"ratings {new}"], done.stderr
    assert re.search("the disk .*is full", done.stderr)
    assert "Traceback" not in done.stderr
