"""The service alone, as gunicorn runs it, with processes and folders of the tests' own."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests
from conftest import wait_until
from prometheus_client.parser import text_string_to_metric_families

from common.settings import ROOT, Settings
from graph.server.ports import free_ports
from graph.server.process import EmbeddedServer, RunningServer
from scripts.sandbox import environment_of


@dataclass(frozen=True)
class Address:
    """A server that is sent bytes."""

    port: int

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def send(self, *pieces: bytes, pause: float = 0.0, seconds: float = 15) -> bytes:
        """What comes back for bytes sent with pauses between, until the connection is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            received = b""
            with suppress(BrokenPipeError, ConnectionResetError):  # who refuses a body does not read it
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
            with suppress(ConnectionResetError):
                while data := connection.recv(65536):
                    received += data
            return received


@dataclass(frozen=True)
class GunicornService:
    """A running service."""

    settings: Settings
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.settings.port}"

    def get(self, path: str, **named: Any) -> requests.Response:
        """An answer, on a connection of its own."""
        return requests.get(self.url + path, timeout=10, **named)

    def answers(self) -> bool:
        """Whether it answers."""
        try:
            return self.get("/health/live").ok
        except requests.RequestException:
            return False

    def lines(self) -> list[dict[str, Any]]:
        """The lines of its log, all of which must be JSON objects."""
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    def workers(self) -> list[int]:
        """Ids of its processes but the master."""
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Everything that /metrics tells: (name, labels) to value."""
        answer = self.get("/metrics")
        assert answer.status_code == 200, answer.text
        return read_samples(answer.text)

    def metric(self, name: str, **labels: str) -> float | None:
        """One value, None if it is absent."""
        return self.metrics().get((name, frozenset(labels.items())))


def read_samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The samples of Prometheus's text format."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def service_settings(neo4j: EmbeddedServer, data: Path) -> Settings:
    """Settings for a service on the tests' Neo4j."""
    running = neo4j.running()
    assert isinstance(running, RunningServer)
    return Settings(
        neo4j_home=neo4j.home.path,
        neo4j_bolt_port=running.bolt_port,
        neo4j_http_port=running.http_port,
        data=data,
        port=free_ports(1)[0],
        log_format="json",
        open=True,
        deadline=10,
    )


@contextmanager
def serving(
    settings: Settings, folder: Path, *, begin: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[GunicornService]:
    """A service with these settings, until the end of the block; `begin` begins its command."""
    output = folder / "service.log"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [*begin, sys.executable, "-m", "gunicorn", "--config", "python:service.gunicorn_config"],
            cwd=ROOT,
            env=environment_of(settings) | dict(environment or {}),
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    service = GunicornService(settings, process, output)
    try:
        wait_until(lambda: service.answers() and len(service.workers()) == settings.workers)
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(20)
