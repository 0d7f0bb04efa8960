"""`make run`: everything on one machine, from ratings to live recommendations, until Ctrl-C.

The parts are the same commands that docker-compose.yml runs. A part that dies is started again; parts that outlived
a killed run are ended first. A second run on the same folders is refused before it touches anything.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, TextIO

import requests

from common.background import BackgroundLoops
from common.disk import suppressed_full_disk
from common.errors import RecommenderError
from common.files import make_private_folder, write_durably
from common.logs import start_logging
from common.settings import ROOT, Settings
from graph.contents import holds_ratings
from graph.server.ports import require_free_port
from graph.server.process import EmbeddedServer
from scripts.neo4j_keeper import Neo4jKeeper
from scripts.parts import Part, end_leftovers, end_processes
from scripts.rehearsal import rehearse_finish
from scripts.run_lock import only_run
from stream.simulator import PATH

logger = logging.getLogger("make run")

SAMPLE = ROOT / "data" / "ml-latest-small"
READY_SECONDS = 60
TRIED_FIRST = ("", "?genre=Comedy&yearFrom=1990", "/318/explanation")
BANNER = """
  Web pages         {url}
  Recommendations   {url}/v1/users/1/recommendations
  All REST paths    {url}/docs
  Live stream       curl -N {url}/v1/stream
  Neo4j Browser     {browser}   user neo4j, password: cat {password}
  Logs              {logs}/*.log
  Access            {access}

  Try: curl -X POST {url}/v1/events -H 'Content-Type: application/json' \\
            -d '{{"userId": 1, "movieId": 318, "type": "finished"}}'

Following the live feed; Ctrl-C stops everything.
"""

OPEN = "open: nobody needs a key (RECOMMENDER_OPEN=1)"
CLOSED = "writes need a key, and once there is one, all else, too: python -m service keys add NAME --scope write"


class System:
    """All parts of a run, and the file that remembers their processes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = EmbeddedServer.of(settings)
        self._processes = settings.data / "run.json"
        self._parts: list[Part] = []
        self._stopping = False
        self._keeper = Neo4jKeeper(self._server, settings, lambda: self._stopping)
        self._loops = BackgroundLoops()
        self._commands = {
            "service": ["gunicorn", "--config", "python:service.gunicorn_config"],
            "worker": ["stream", "worker"],
        }
        self._environment: dict[str, str] = {}
        if "RECOMMENDER_OPEN" not in os.environ and settings.is_loopback and not settings.keys_path.exists():
            self._environment["RECOMMENDER_OPEN"] = "1"
        self._is_open = settings.open or bool(self._environment)
        self.url = f"http://{settings.host}:{settings.port}"

    def start(self) -> None:
        """Bring everything up. Raises RecommenderError if a part does not come up."""
        end_leftovers(self._processes, self._settings.budget.kill)
        require_free_port(self._settings.port, "RECOMMENDER_PORT")
        if "RECOMMENDER_FEED_URL" not in os.environ:
            self._simulate_feed(self._settings.port + 1)
        self._start_parts("service")  # it waits for Neo4j by itself
        self._load()
        self._start_parts(*(name for name in self._commands if name != "service"))
        await_ready(self.url, READY_SECONDS)
        for path in TRIED_FIRST:  # a Neo4j that has just started may be slower than an answer
            await_ready(self.url, READY_SECONDS, f"/v1/users/1/recommendations{path}")
        rehearse_finish(self._settings)
        self._loops.add("parts", self._revive_dead)
        self._loops.add("neo4j", self._keeper.look)
        self._loops.start()

    def stop(self) -> None:
        """Stop the parts, then Neo4j."""
        self._stopping = True
        self._loops.end(0)
        end_processes([part.process for part in self._parts], self._settings.budget.kill)
        self._server.down()
        self._processes.unlink(missing_ok=True)

    def banner(self) -> str:
        """What is where."""
        return BANNER.format(
            url=self.url,
            browser=f"http://127.0.0.1:{self._settings.neo4j_http_port}/browser/",
            password=self._settings.neo4j_home / "password",
            logs=self._settings.data / "logs",
            access=OPEN if self._is_open else CLOSED,
        )

    def _load(self) -> None:
        if holds_ratings(self._settings):
            return
        load = [sys.executable, "-m", "loader", "bulk", str(SAMPLE)]
        if subprocess.run(load, cwd=ROOT, check=False, stdout=sys.stderr).returncode != 0:
            raise RecommenderError("the sample ratings could not be loaded")
        logger.info("fitting predicted stars")
        if subprocess.run([sys.executable, "-m", "engine", "fit-stars"], cwd=ROOT, check=False).returncode != 0:
            logger.error("predicted stars could not be fitted; without them each movie's mean is shown")

    def _start_parts(self, *names: str) -> None:
        logs = self._settings.data / "logs"
        make_private_folder(logs)
        self._parts += [
            Part(name, [sys.executable, "-m", *self._commands[name]], self._environment, logs) for name in names
        ]
        self._remember()

    def _simulate_feed(self, port: int) -> None:
        require_free_port(port, "RECOMMENDER_PORT (the simulator takes the port after it)")
        self._commands["simulator"] = ["stream", "simulator", "--port", str(port)]
        self._environment |= {
            "RECOMMENDER_FEED_URL": f"http://127.0.0.1:{port}{PATH}",
            "RECOMMENDER_FEED_CATALOGUE": "movielens",
        }

    def _remember(self) -> None:
        known = [[part.process.pid, part.process.create_time()] for part in self._parts]
        with suppressed_full_disk():  # the old file stays: who ends what a killed run left finds less
            write_durably(self._processes, json.dumps(known))

    def _revive_dead(self) -> float:
        """Start again what has ended, but for Neo4j; returns the seconds until the next look."""
        revived = [part.name for part in self._parts if not self._stopping and part.revive()]
        if revived:
            logger.warning("%s had ended and was started again", ", ".join(revived))
            self._remember()
        return 1.0


def await_ready(url: str, seconds: float, path: str = "/health/ready") -> None:
    """Wait until the service at a URL answers otherwise than 503. Raises RecommenderError if it does not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if requests.get(url + path, timeout=3).status_code != requests.codes.unavailable:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise RecommenderError(f"{url} is not ready after {seconds:g} s: see the log of the service")


def follow(url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, data) of all that the service pushes, for ever; reconnects and resumes by itself."""
    last = ""
    while True:
        try:
            headers = {"Last-Event-ID": last} if last else {}
            with requests.get(f"{url}/v1/stream", stream=True, timeout=(3, 60), headers=headers) as answer:
                answer.raise_for_status()
                answer.encoding = "utf-8"
                kind = ""
                for line in answer.iter_lines(chunk_size=None, decode_unicode=True):  # each chunk as it comes
                    name, _, value = line.partition(": ")
                    if name == "id":
                        last = value
                    elif name == "event":
                        kind = value
                    elif name == "data":
                        yield kind, json.loads(value)
        except requests.RequestException:
            time.sleep(1)


def describe(kind: str, data: dict[str, Any]) -> str:
    """One pushed message as a line for people."""
    if kind == "watch":
        mark = "▶" if data["status"] == "started" else "■"
        return f"{mark} user {data['userId']:<8} {data['status']:<8} {_title(data)}"
    lines = [f"★ user {data['userId']:<8} next, by {data['basis']}:"]
    for movie in data["recommendations"][:3]:
        lines.append(f"      {_title(movie)}   {_reasons(movie)}")
    return "\n".join(lines)


def show(text: str, stream: TextIO | None = None) -> None:
    """Print a line; where that goes to a file whose disk is full, it is lost, and nothing ends."""
    with suppressed_full_disk():
        print(text, file=stream, flush=True)


def read_settings() -> Settings:
    """The settings of the environment; from then on what is logged has a time. Raises SettingsError for wrong ones."""
    try:
        settings = Settings.from_environment()
    except RecommenderError:
        start_logging(Settings())
        raise
    start_logging(settings)
    return settings


def _reasons(movie: dict[str, Any]) -> str:
    """Why a movie is on a list; that it is current, where that adds most."""
    because = movie["because"][:2]
    most = because[0]["contribution"] if because else 0.0
    current = ["popular right now"] if movie["current"] >= most else []
    history = [f"because of {', '.join(map(_title, because))}"] if because else []
    return "; ".join(current + history)


def _title(movie: dict[str, Any]) -> str:
    year = f" ({movie['year']})" if movie.get("year") else ""
    return f"{movie['title'] or 'movie ' + str(movie['movieId'])}{year}"


def main() -> int:
    """Run until Ctrl-C or SIGTERM."""
    for name in (signal.SIGINT, signal.SIGTERM):  # a shell's background job begins with SIGINT ignored
        signal.signal(name, signal.default_int_handler)
    system: System | None = None
    with ExitStack() as lock:
        try:
            settings = read_settings()
            lock.enter_context(only_run(settings))
            system = System(settings)
            system.start()
            show(system.banner(), sys.stderr)
            for kind, data in follow(system.url):
                show(describe(kind, data))
        except KeyboardInterrupt:
            if sys.stderr.isatty():
                show("", sys.stderr)  # the terminal has written ^C
            logger.info("stopping")
        except RecommenderError as error:
            logger.error("%s", error)
            return 1
        finally:
            for name in (signal.SIGINT, signal.SIGTERM):
                signal.signal(name, signal.SIG_IGN)
            if system is not None:
                system.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
