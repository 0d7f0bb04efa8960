"""A second `make run` beside a first one, which goes on as if nothing had happened."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from conftest import RunningSystem, wait_until

from common.settings import ROOT, Settings
from graph.server.ports import free_ports
from graph.server.process import EmbeddedServer
from scripts.sandbox import environment_of, sandbox_settings

# Holds the lock as `make run` does, and starts a part that outlives it.
HOLDER = """
import sys
from common.settings import ROOT, Settings
from scripts.parts import Part
from scripts.run_lock import only_run

settings = Settings.from_environment()
with only_run(settings):
    part = Part("part", [sys.executable, "-c", "import time; time.sleep(60)"], {}, settings.data)
    print(part.process.pid, flush=True)
    sys.stdin.read()
"""
SECONDS = 60
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"


def run(settings: Settings) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.run"]
    environment = environment_of(settings)
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS)


def processes_of(system: RunningSystem) -> set[psutil.Process]:
    """The first run's parts, the service's workers included, and Neo4j."""
    neo4j = EmbeddedServer.of(system.settings).running()
    assert neo4j
    return {psutil.Process(neo4j.pid), *psutil.Process(system.process.pid).children(recursive=True)}


def count_restarts(system: RunningSystem) -> int:
    """How often the first run has started parts again."""
    return system.output.read_text().count("started again")


@pytest.mark.parametrize("alike", ["folders and ports", "folders", "the Neo4j"])
def test_a_second_run_says_which_one_runs_and_touches_nothing(
    system: RunningSystem, tmp_path: Path, alike: str
) -> None:
    second = system.settings
    if alike != "folders and ports":
        bolt, http, port = free_ports(3)
        second = second.model_copy(update={"neo4j_bolt_port": bolt, "neo4j_http_port": http, "port": port})
    if alike == "the Neo4j":
        second = second.model_copy(update={"data": tmp_path})
    before, restarts = processes_of(system), count_restarts(system)
    refused = run(second)
    assert refused.returncode == 1
    assert f"already running: {system.url} (process {system.process.pid})" in refused.stderr
    assert "Ctrl-C" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert processes_of(system) == before
    assert all(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in before)
    wait_until(lambda: system.get("/health/ready").ok)
    assert count_restarts(system) == restarts


def test_neo4j_is_not_stopped_under_a_run(system: RunningSystem) -> None:
    command = [sys.executable, "-m", "graph", "down"]
    environment = environment_of(system.settings)
    before = processes_of(system)
    refused = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert refused.returncode == 1
    assert f"{system.url} (process {system.process.pid})" in refused.stderr
    assert processes_of(system) == before


def test_a_killed_run_holds_no_lock_though_its_parts_live(tmp_path: Path) -> None:
    settings = sandbox_settings(tmp_path)

    def hold() -> tuple[subprocess.Popen[str], int]:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER],
            cwd=ROOT,
            env=environment_of(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert holder.stdout
        return holder, int(holder.stdout.readline())

    first, left = hold()
    [refusal] = run(settings).stderr.splitlines()
    assert re.match(rf"{MOMENT} ERROR make run: already running: http://127.0.0.1:{settings.port} \(", refusal)
    assert f"(process {first.pid})" in refusal
    first.kill()
    first.communicate()
    assert psutil.pid_exists(left)
    second, part = hold()
    assert f"(process {second.pid})" in run(settings).stderr
    second.communicate("")
    assert second.returncode == 0
    for pid in (left, part):
        os.kill(pid, signal.SIGKILL)
