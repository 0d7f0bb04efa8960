"""Schemathesis over every operation of the served application, on a real Neo4j: examples, bounds, fuzz, and links."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from conftest import wait_until
from small_catalogue import SMALL_CATALOGUE

from common.settings import ROOT, Settings
from graph.database import Database
from graph.server.ports import free_ports
from scripts.sandbox import environment_of

CONFIGURATION = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "503"]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 414, 415, 422, 428, 429, "5xx"]
"""


@pytest.fixture
def served(database: Database, settings: Settings, tmp_path: Path) -> Iterator[str]:
    """The address of gunicorn's own processes on the tests' Neo4j."""
    database.run_text(SMALL_CATALOGUE)
    settings = settings.model_copy(update={"port": free_ports(1)[0], "open": True})
    command = [sys.executable, "-m", "gunicorn", "--config", "python:service.gunicorn_config"]
    with (tmp_path / "service.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment_of(settings), stdout=log, stderr=log)
    url = f"http://127.0.0.1:{settings.port}"
    try:
        wait_until(lambda: is_ready(url), 60)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/health/ready", timeout=5).ok
    except requests.RequestException:
        return False


def run_schemathesis(url: str, folder: Path, seed: int, *options: str) -> int:
    """How many cases were sent; fails with the tool's own report if one answer was wrong."""
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    report = folder / "report.json"
    command = ["st", "run", f"{url}/openapi.json", "--no-color", "--generation-database", "none"]
    command += ["--exclude-path", "/v1/stream"]  # it never ends
    command += ["--seed", str(seed), "--workers", "2", "--report", "json", "--report-json-path", str(report), *options]
    hooks = {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(Path(__file__).parent)}
    program = str(Path(sys.executable).with_name(command[0]))
    environment = {**os.environ, **hooks}
    done = subprocess.run(
        [program, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    found = json.loads(report.read_text())
    assert found["complete"]
    return int(found["test_cases"]["generated"])


def test_no_answer_surprises_schemathesis(served: str, tmp_path: Path) -> None:
    assert run_schemathesis(served, tmp_path, 1, "--max-time", "30") > 50  # cold at first


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_no_answer_surprises_schemathesis_in_the_long_run(served: str, tmp_path: Path) -> None:
    cases, seed = 0, 0
    while cases < 50_000:
        seed += 1
        cases += run_schemathesis(served, tmp_path, seed, "--max-examples", "1000")
        print(f"{cases} cases with the seeds up to {seed}")
