"""Ports, environments and processes of one's own, so that tests and benchmarks never meet a running system."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.settings import ROOT, Settings
from graph.server.ports import free_ports

SERVICE = ("gunicorn", "--config", "python:service.gunicorn_config")
START_SECONDS = 400  # loading and fitting the sample takes a minute or two


def sandbox_settings(folder: Path) -> Settings:
    """Settings with everything below one folder and on free ports."""
    bolt, http, port = free_ports(3)
    return Settings(
        neo4j_home=folder / "neo4j",
        neo4j_bolt_port=bolt,
        neo4j_http_port=http,
        data=folder / "data",
        port=port,
        deadline=10,
        open=True,
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment that gives a command these settings, and none of ours."""
    named = {name: str(value) for name, value in settings.model_dump(by_alias=True, exclude_unset=True).items()}
    others = {name: value for name, value in os.environ.items() if not name.startswith(("NEO4J_", "RECOMMENDER_"))}
    return {**others, **named}


@contextmanager
def running(settings: Settings, *command: object, stderr: int | None = subprocess.DEVNULL) -> Iterator[str]:
    """URL of the service while a module, which is or starts it, runs with some settings; it may not be ready yet."""
    words = [sys.executable, "-m", *map(str, command)]
    process = subprocess.Popen(words, cwd=ROOT, env=environment_of(settings), stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        yield f"http://127.0.0.1:{settings.port}"
    finally:
        process.terminate()
        process.wait()
