"""`python -m scripts.bench bulk`: from raw text to the first served recommendation, up to the Netflix Prize's size."""

import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import requests

from common.settings import ROOT, Settings
from engine.dataset import current_dataset
from graph.database import Database
from graph.server.home import Home
from graph.server.process import EmbeddedServer
from loader.synthesis.generator import Size, synthesize
from scripts.bench_traversal import Report, measure_swap, measure_textbook, measure_traversals
from scripts.sandbox import SERVICE, environment_of, running, sandbox_settings

FULL = Size()
SAMPLE_SECONDS = 0.2
ADDED_RATINGS = 1_000_000
# Edges out of a movie, to be compared with the default.
OTHER_NEIGHBOURS = (20, 100)
LOAD_CSV = """
LOAD CSV WITH HEADERS FROM $url AS row
CALL (row) {
  MERGE (user:User {userId: toInteger(row.userId)})
  MERGE (movie:Movie {movieId: toInteger(row.movieId)})
  MERGE (user)-[rated:RATED]->(movie)
  SET rated.rating = toFloat(row.rating), rated.at = localdatetime(row.at)
} IN TRANSACTIONS OF 10000 ROWS
"""


def measure_bulk(ratings: int, report: Report) -> None:
    """Synthesize so many ratings, load them twice (the second time staged and fitted already), then add some more."""
    size = scaled_size(ratings)
    with tempfile.TemporaryDirectory(prefix="bench") as temporary:
        folder = Path(temporary)
        settings = sandbox_settings(folder)
        begin = time.monotonic()
        synthesize(folder / "raw", size, 1, lambda _: None)
        seconds = time.monotonic() - begin
        raw = bytes_of(folder / "raw")
        report("synthesize", ratings=ratings, seconds=round(seconds, 1), perSecond=round(ratings / seconds), bytes=raw)
        try:
            for run in ("first", "staged"):
                report("bulk", run=run, ratings=ratings, **measure_load(settings, folder / "raw"))
            measure_traversals(settings, ratings, report)
            measure_textbook(settings, ratings, report)
            measure_swap(settings, ratings, report, partial(measure_command, settings, "engine", ["fit"]))
            for neighbours in OTHER_NEIGHBOURS:
                measure_command(settings, "engine", ["fit", "--neighbours", str(neighbours), "--margin", "1"])
                measure_traversals(settings, ratings, partial(report, neighbours=neighbours))
            more = Size(size.users, size.movies, min(ADDED_RATINGS, ratings // 10))
            synthesize(folder / "more", more, 2, lambda _: None)
            figures = measure_command(settings, "loader", ["add", str(folder / "more")])
            added = more.ratings / figures["stages"]["added"]
            report("add", ratings=more.ratings, into=ratings, addedPerSecond=round(added), **figures)
        finally:
            EmbeddedServer.of(settings).down()


def measure_load_csv(ratings: int, report: Report) -> None:
    """The same ratings by LOAD CSV … CALL IN TRANSACTIONS into an empty database with its constraints."""
    with tempfile.TemporaryDirectory(prefix="bench") as temporary:
        folder = Path(temporary)
        settings = sandbox_settings(folder)
        synthesize(folder / "raw", scaled_size(ratings), 1, lambda _: None)
        measure_command(settings, "loader", ["bulk", str(folder / "raw"), "--no-start"])
        csv = folder / "csv"
        csv.mkdir()
        table = current_dataset(settings.staging).ratings().with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%S"))
        table.drop("probe").sample(fraction=1, shuffle=True, seed=1).write_csv(csv / "ratings.csv")
        server = EmbeddedServer(Home(folder / "empty"), settings.cache)
        running = server.up(settings.neo4j_bolt_port, settings.neo4j_http_port)
        try:
            with serving_files(csv) as url, Database(running.bolt_uri, "neo4j", server.home.password()) as database:
                begin = time.monotonic()
                database.run_alone(LOAD_CSV, url=f"{url}/ratings.csv")
                seconds = time.monotonic() - begin
            report("load csv", ratings=ratings, seconds=round(seconds, 1), perSecond=round(ratings / seconds))
        finally:
            server.down()


def scaled_size(ratings: int) -> Size:
    """The Netflix Prize's shape with fewer ratings: fewer users of the same activity."""
    share = ratings / FULL.ratings
    return Size(max(1, round(FULL.users * share)), FULL.movies, ratings)


def measure_load(settings: Settings, raw: Path) -> dict[str, Any]:
    """One bulk load with the service waiting beside it, until it answers a user from the history."""
    with running(settings, *SERVICE) as url:
        begin = time.monotonic()
        figures = measure_command(settings, "loader", ["bulk", str(raw)])
        user = pl.read_parquet(current_dataset(settings.staging).shard_file(0), n_rows=1)["userId"][0]
        while not is_served(f"{url}/v1/users/{user}/recommendations"):
            time.sleep(0.1)
        figures["toFirstRecommendationSeconds"] = round(time.monotonic() - begin, 1)
    staged, home = bytes_of(settings.staging), bytes_of(settings.neo4j_home)
    return {**figures, "stagedBytes": staged, "databaseBytes": home}


def measure_command(settings: Settings, package: str, arguments: list[str]) -> dict[str, Any]:
    """Run a command of a package; its time, its stages' times, and the peak memory of Python and of Java."""
    begin = time.monotonic()
    command = [sys.executable, "-m", package, *arguments, "--quiet"]
    with psutil.Popen(
        command, cwd=ROOT, env=environment_of(settings), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        peaks: Counter[str] = Counter()
        threading.Thread(target=watch_memory, args=(process, peaks), daemon=True).start()
        log = process.stderr.read()
    if process.returncode != 0:
        raise RuntimeError(log)
    stages = {what: float(seconds) for what, seconds in re.findall(r": (\w[\w ]*) in ([\d.]+) s$", log, re.MULTILINE)}
    return {
        "seconds": round(time.monotonic() - begin, 1),
        "stages": stages,
        "peakGB": {name: round(size / 1e9, 2) for name, size in peaks.items()},
    }


def watch_memory(process: psutil.Process, peaks: Counter[str]) -> None:
    """Note the most memory that a command's Python, and its Java all together, ever have."""
    while process.is_running():
        now: Counter[str] = Counter()
        try:
            for member in (process, *process.children(recursive=True)):
                now["java" if "java" in member.name() else "python"] += member.memory_info().rss
        except psutil.Error:
            continue
        for name, size in now.items():
            peaks[name] = max(peaks[name], size)
        time.sleep(SAMPLE_SECONDS)


def is_served(url: str) -> bool:
    """Whether a user is answered from the history."""
    try:
        answer = requests.get(url, timeout=5)
        return answer.ok and answer.json()["basis"] == "history"
    except requests.RequestException:
        return False


def bytes_of(folder: Path) -> int:
    """Size of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


@contextmanager
def serving_files(folder: Path) -> Iterator[str]:
    """URL of a folder's files."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
