"""`make run` after a kill -9 of `make run` itself: the parts it left are ended, the loaded database is used again."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests
from conftest import await_output

from common.settings import ROOT, Settings
from graph.database import Database
from scripts.rehearsal import rehearse_finish
from scripts.run import System
from scripts.sandbox import environment_of, sandbox_settings


@pytest.mark.slow
def test_a_run_after_a_killed_run_starts_clean(tmp_path: Path) -> None:
    settings = sandbox_settings(tmp_path)

    def run(name: str) -> subprocess.Popen[bytes]:
        output = tmp_path / name
        with output.open("wb") as stream:
            command = [sys.executable, "-m", "scripts.run"]
            process = subprocess.Popen(command, cwd=ROOT, env=environment_of(settings), stdout=stream, stderr=stream)
        await_output(process, output, "Following the live feed")
        return process

    first = run("first.txt")
    left = [child for child in psutil.Process(first.pid).children() if "java" not in child.name()]
    assert len(left) == 3
    first.kill()
    first.wait()
    assert all(part.is_running() for part in left)

    second = run("second.txt")
    assert not any(part.is_running() and part.status() != psutil.STATUS_ZOMBIE for part in left)
    assert "staged" not in (tmp_path / "second.txt").read_text()
    event = {"userId": 1, "movieId": 318, "type": "finished"}
    first_finish = requests.post(f"http://127.0.0.1:{settings.port}/v1/events", json=event, timeout=10)
    assert (first_finish.status_code, first_finish.json()["results"][0]["applied"]) == (200, True)
    second.send_signal(signal.SIGINT)
    assert second.wait(60) == 0


def test_a_rehearsed_finish_leaves_nothing(database: Database, settings: Settings) -> None:
    rehearse_finish(settings)
    assert database.run_text("MATCH (node) RETURN node") == []


@pytest.mark.parametrize(
    ("host", "told", "is_open"),
    [
        ("127.0.0.1", None, True),
        ("localhost", None, True),
        ("::1", None, True),
        ("127.0.0.1", "0", False),
        ("0.0.0.0", None, False),  # noqa: S104
        ("192.168.0.7", None, False),
        ("example.org", None, False),
        ("0.0.0.0", "1", True),  # noqa: S104
    ],
)
def test_a_run_is_open_on_loopback_only_unless_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str, told: str | None, is_open: bool
) -> None:
    monkeypatch.delenv("RECOMMENDER_OPEN", raising=False)
    if told:
        monkeypatch.setenv("RECOMMENDER_OPEN", told)
    monkeypatch.setenv("RECOMMENDER_HOST", host)
    monkeypatch.setenv("RECOMMENDER_DATA", str(tmp_path))
    monkeypatch.setenv("NEO4J_HOME", str(tmp_path))
    banner = System(Settings.from_environment()).banner()
    assert ("nobody needs a key" in banner, "writes need a key" in banner) == (is_open, not is_open)
