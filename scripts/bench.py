"""`make bench`: the figures of docs/benchmarks.md, one JSON line each, in a sandbox of their own."""

import csv
import json
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
import psutil
import requests
from numpy.typing import NDArray

from engine.comparison import LIST_LENGTH, ModelAccuracy, summarise
from engine.evaluation import RELEVANT_FROM, Accuracy, group_by_user, measure_rankings, split_random
from graph.commands import CommandGroup
from graph.database import Database
from graph.errors import RecommenderError
from graph.repositories.recommendations import Recommendations
from graph.server.home import Home
from graph.server.process import EmbeddedServer
from graph.settings import ROOT, Settings
from loader.bulk import bulk_load
from loader.staging import stage
from scripts.bench_bulk import measure_bulk, measure_load_csv
from scripts.run import SAMPLE, await_ready, follow
from scripts.sandbox import environment_of, sandbox_settings

USERS_OF_THE_SAMPLE = 610
WHOLE_HISTORY = 100_000
START_SECONDS = 240


@click.group(cls=CommandGroup, invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Measure on this machine; without a command, everything that needs nothing installed."""
    report("machine", **describe_machine())
    if context.invoked_subcommand is None:
        for command in (accuracy, traversal, push, bulk):
            context.invoke(command)


@main.command()
@click.option("--seeds", default=5, show_default=True, help="Number of splits.", type=click.IntRange(2))
def accuracy(seeds: int) -> None:
    """Recall@20 and NDCG@20 of the served traversal: bulk-loaded splits of the sample, real database."""
    with tempfile.TemporaryDirectory(prefix="bench") as temporary:
        ratings = stage(SAMPLE, Path(temporary), quiet=True).ratings()
    limits = (Settings().history_limit, WHOLE_HISTORY)
    measured = [measure_served(ratings, seed, limits) for seed in range(seeds)]
    for limit, accuracies in zip(limits, zip(*measured, strict=True), strict=True):
        row = summarise("served", list(accuracies))
        report("accuracy", historyLimit=limit, seeds=seeds, **{name: round(v, 4) for name, v in figures_of(row)})


@main.command()
def traversal() -> None:
    """Latency of the traversal for every user of the sample, one after the other."""
    with loaded_sandbox(SAMPLE) as settings, Database.from_settings(settings) as database:
        recommendations = Recommendations(database)
        for run in ("cold", "warm"):
            milliseconds = []
            for user_id in range(1, USERS_OF_THE_SAMPLE + 1):
                begin = time.perf_counter()
                recommendations.recommend_for_user(user_id)
                milliseconds.append((time.perf_counter() - begin) * 1000)
            report("traversal", run=run, users=len(milliseconds), **percentiles(milliseconds))


@main.command()
@click.option("--seconds", default=60, show_default=True, help="How long to follow the feed.")
def push(seconds: int) -> None:
    """From the poll that shows a finish, or the POST, to the pushed recommendation, in the running system."""
    with running_system() as settings:
        url = f"http://127.0.0.1:{settings.port}"
        threading.Thread(target=post_finishes, args=(url, seconds), daemon=True).start()
        found = collect_waits(url, seconds)
        for source, milliseconds in found.items():
            report("push", source=source, finishes=len(milliseconds), **percentiles(milliseconds))


@main.command()
@click.option("--ratings", default=[1_000_000, 10_000_000, 100_480_507], multiple=True, help="Sizes to measure.")
def bulk(ratings: tuple[int, ...]) -> None:
    """From raw text to the first served recommendation, at each size; LOAD CSV beside it. Takes half an hour."""
    for size in ratings:
        measure_bulk(size, report)
    measure_load_csv(min(1_000_000, *ratings), report)


@main.command()
@click.option("--listeners", default=200, show_default=True, help="Open server-sent event connections.")
@click.option("--seconds", default=10, show_default=True, help="How long to load each worker class.")
def workers(listeners: int, seconds: int) -> None:
    """Requests a second by gunicorn worker class with listeners connected; needs `wrk` (apt-get install wrk)."""
    with loaded_sandbox(SAMPLE) as settings:
        for arguments in (["--worker-class", "gevent"], ["--worker-class", "gthread", "--threads", "256"]):
            with serving(settings, arguments) as url, ExitStack() as stack:
                for _ in range(listeners):
                    stack.enter_context(requests.get(f"{url}/v1/stream", stream=True, timeout=30))
                load(f"{url}/v1/users/1/recommendations", seconds)  # not counted: Neo4j warms up
                for path in ("/health/live", "/v1/movies/318", "/v1/users/1/recommendations"):
                    report("workers", arguments=arguments, listeners=listeners, path=path, **load(url + path, seconds))


def describe_machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": psutil.cpu_count(),
        "memoryGiB": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "load": round(psutil.getloadavg()[0], 2),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def report(what: str, **figures: Any) -> None:
    """Print one line of figures."""
    print(json.dumps({"benchmark": what, **figures}, ensure_ascii=False), flush=True)


def percentiles(milliseconds: list[float]) -> dict[str, float]:
    """p50, p99 and the largest, in milliseconds."""
    if not milliseconds:
        raise RecommenderError("nothing was measured: is the machine too busy?")
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return {"p50ms": round(float(p50), 1), "p99ms": round(float(p99), 1), "maxms": round(max(milliseconds), 1)}


@contextmanager
def loaded_sandbox(folder: Path) -> Iterator[Settings]:
    """Settings of an embedded Neo4j that holds a folder's ratings, fitted; stopped and removed in the end."""
    with tempfile.TemporaryDirectory(prefix="bench") as temporary:
        settings = sandbox_settings(Path(temporary))
        try:
            bulk_load(folder, settings, tolerance=0, quiet=True)
            yield settings
        finally:
            EmbeddedServer(Home(settings.neo4j_home), settings.cache).down()


@contextmanager
def running_system() -> Iterator[Settings]:
    """Settings of a whole `make run` that is ready."""
    with tempfile.TemporaryDirectory(prefix="bench") as temporary:
        settings = sandbox_settings(Path(temporary))
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.run"],
            cwd=ROOT,
            env=environment_of(settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            await_ready(f"http://127.0.0.1:{settings.port}", START_SECONDS)
            yield settings
        finally:
            process.terminate()
            process.wait()


@contextmanager
def serving(settings: Settings, arguments: list[str]) -> Iterator[str]:
    """URL of the service under gunicorn with some arguments."""
    command = [sys.executable, "-m", "gunicorn", "--config", "python:service.gunicorn_config", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=environment_of(settings), stderr=subprocess.DEVNULL)
    try:
        await_ready(f"http://127.0.0.1:{settings.port}", START_SECONDS)
        yield f"http://127.0.0.1:{settings.port}"
    finally:
        process.terminate()
        process.wait()


def load(url: str, seconds: int) -> dict[str, Any]:
    """Requests a second and latency of one path under `wrk` with 8 connections."""
    script = Path(__file__).with_name("wrk_report.lua")
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "-s", str(script), url]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise RecommenderError("wrk is missing: apt-get install wrk") from None
    figures: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return figures


def figures_of(row: ModelAccuracy) -> list[tuple[str, float]]:
    """The figures of a model, by name."""
    return [(name, value) for name, value in vars(row).items() if isinstance(value, float)]


def measure_served(ratings: pl.DataFrame, seed: int, limits: tuple[int, ...]) -> list[Accuracy]:
    """Accuracy of the real traversal, by history limit: the training part bulk-loaded, the test part to be found."""
    users = ratings["userId"].cast(pl.Int64).to_numpy()
    test = pl.Series(split_random(users, seed))
    with tempfile.TemporaryDirectory(prefix="bench") as temporary:
        write_movielens(ratings.filter(~test), Path(temporary))
        with loaded_sandbox(Path(temporary)) as settings, Database.from_settings(settings) as database:
            ranked = [rank_served(Recommendations(database, limit), np.unique(users)) for limit in limits]
    wanted = (test & (ratings["rating"] >= RELEVANT_FROM)).to_numpy()
    movies = ratings["movieId"].cast(pl.Int64).to_numpy()
    user_ids, rows = np.unique(users, return_inverse=True)
    relevant = group_by_user(rows[wanted], movies[wanted], len(user_ids))
    return [measure_rankings(lists, relevant, LIST_LENGTH) for lists in ranked]


def rank_served(recommendations: Recommendations, user_ids: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The list of each user, by the traversal."""
    lists = (recommendations.recommend_for_user(int(user_id), LIST_LENGTH) for user_id in user_ids)
    return [np.array([movie.movie_id for movie in found.recommendations], dtype=np.int64) for found in lists]


def write_movielens(ratings: pl.DataFrame, folder: Path) -> None:
    """Write ratings as a MovieLens folder."""
    columns = ("userId", "movieId", "rating", (pl.col("at").dt.epoch("s")).alias("timestamp"))
    ratings.select(*columns).write_csv(folder / "ratings.csv")
    with (folder / "movies.csv").open("w", newline="") as stream:
        csv.writer(stream).writerow(["movieId", "title", "genres"])


def post_finishes(url: str, seconds: int) -> None:
    """Finish a movie a second, each by another user, its moment told by our clock."""
    for user_id in range(1, seconds - 5):
        event = {"userId": user_id, "movieId": 318, "type": "finished", "at": datetime.now(UTC).isoformat()}
        requests.post(f"{url}/v1/events", json=event, timeout=10).raise_for_status()
        time.sleep(1)


def collect_waits(url: str, seconds: int) -> dict[str, list[float]]:
    """Milliseconds from each finish to its pushed recommendations, by the source of the finish."""
    finished_at: dict[str, datetime] = {}
    waits: dict[str, list[float]] = {"feed": [], "post": []}
    deadline = time.monotonic() + seconds
    for kind, data in follow(url):
        now = datetime.now(UTC)
        if kind == "watch" and data["status"] == "finished":
            finished_at[data["eventId"]] = datetime.fromisoformat(data["at"])
        elif kind == "recommendations" and (at := finished_at.get(data["batchId"])):
            source = "feed" if data["batchId"].startswith("feed:") else "post"
            waits[source].append((now - at).total_seconds() * 1000)
        if time.monotonic() > deadline:
            break
    return waits


if __name__ == "__main__":
    main(prog_name="python -m scripts.bench")
