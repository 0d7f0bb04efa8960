"""`make bench`: the figures of docs/benchmarks.md, one JSON line each, in a sandbox of their own."""

import json
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
import psutil
from scipy.sparse import csr_array

from common.commands import CommandGroup
from common.settings import Settings
from engine.comparison import choose_models, compare_models, describe
from engine.evaluation import measure_users
from engine.interactions import Columns, Interactions
from engine.ours import OURS
from engine.protocols import PROTOCOLS
from engine.served import TaskServer, empty_database, serve_task
from engine.timeline import TIME
from graph.server.process import EmbeddedServer
from loader.bulk import bulk_load
from loader.staging.stage import stage
from loader.synthesis.generator import Size, synthesize
from scripts.bench_bulk import measure_bulk, measure_load_csv, scaled_size
from scripts.bench_favourites import measure_favourites
from scripts.bench_live import measure_backlog, measure_push
from scripts.bench_service import measure_service
from scripts.bench_stars import measure_stars
from scripts.bench_traversal import measure_textbook, measure_traversals
from scripts.run import SAMPLE, await_ready
from scripts.sandbox import SERVICE, START_SECONDS, running, sandbox_settings

ALL = {**PROTOCOLS, TIME.name: TIME}
SAMPLE_RATINGS = 100_836
synthetic_option = click.option(
    "--ratings", default=1_000_000, show_default=True, help="Synthetic ratings.", type=click.IntRange(10_000)
)


@click.group(cls=CommandGroup, invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Measure on this machine; without a command, everything but what takes hours or `wrk`, if that is missing."""
    report("machine", **describe_machine())
    if context.invoked_subcommand is None:
        loads = (service,) if shutil.which("wrk") else ()
        for command in (accuracy, diversity, traversal, backlog, push, *loads, bulk):
            context.invoke(command)


@main.command()
@click.option("--seeds", help="Number of splits; unless given as many as the protocol has.", type=click.IntRange(1))
@click.option("--protocol", "names", default=["time", "random", "next"], multiple=True, type=click.Choice(sorted(ALL)))
def accuracy(seeds: int | None, names: tuple[str, ...]) -> None:
    """Accuracy on the sample: all models, each tuned on validation splits, and the traversal on a real database."""
    ratings = read_sample()
    for name in names:
        protocol = ALL[name]
        serve = partial(serve_task, Settings().cache)
        tallies = compare_models(ratings, protocol, choose_models(), seeds or protocol.seeds, serve)
        for tally in tallies:
            report("accuracy", protocol=name, **describe(tally, tallies, protocol))


@main.command()
@click.option("--seeds", default=3, show_default=True, help="Number of splits.", type=click.IntRange(1))
def diversity(seeds: int) -> None:
    """What variety costs: accuracy and likeness of the served lists of `next`, by the value of `diversity`."""
    ratings = read_sample()
    found: dict[float, list[dict[str, float]]] = {}
    for seed in range(seeds):
        task = PROTOCOLS["next"].split(ratings, seed).test[0]
        learned = OURS.learn(task, OURS.item.parameters)
        with empty_database(Settings().cache) as database:
            server = TaskServer(database)
            server.load(task, learned)
            for value in (0.0, 0.1, 0.2, 0.3, 0.5, 0.8):
                ranked = server.rank(task, 20, value)
                measured = measure_users(ranked, task.relevant, (20, 10))
                figures = {name: float(np.nanmean(measured[name])) for name in ("recall@20", "ndcg@20", "hr@10")}
                likeness = mean_likeness(ranked, csr_array(learned.weights))
                found.setdefault(value, []).append({**figures, "likeness": likeness})
    for value, rows in found.items():
        means = {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}
        report("diversity", diversity=value, seeds=seeds, **means)


@main.command()
def traversal() -> None:
    """Latency of the traversal for every user of the sample, one after the other."""
    with loaded_sandbox(SAMPLE) as settings:
        measure_traversals(settings, SAMPLE_RATINGS, report)
        measure_textbook(settings, SAMPLE_RATINGS, report)


@main.command()
@click.option("--events", default=100_000, show_default=True, help="How many wait on the log.", type=click.IntRange(1))
@click.option("--log", "engines", default=["sqlite", "kafka"], multiple=True, type=click.Choice(["sqlite", "kafka"]))
def backlog(events: int, engines: tuple[str, ...]) -> None:
    """How fast a log that has grown is applied to the graph; to a Neo4j just started, then to a warm one."""
    for engine in engines:
        with loaded_sandbox(SAMPLE) as settings:
            measure_backlog(settings, engine, events, report)


@main.command()
@click.option("--rate", default=50, show_default=True, help="Finishes a second.", type=click.IntRange(1))
@click.option("--seconds", default=60, show_default=True, help="How long to follow.", type=click.IntRange(10))
def push(rate: int, seconds: int) -> None:
    """From the poll that shows a finish, or the POST, to the pushed recommendation, in the running system."""
    with loaded_sandbox(SAMPLE) as settings:
        measure_push(settings, rate, seconds, report)


@main.command()
@click.option("--ratings", default=[1_000_000, 10_000_000, Size.ratings], multiple=True, help="Sizes to measure.")
def bulk(ratings: tuple[int, ...]) -> None:
    """From raw text to the first served recommendation, at each size; LOAD CSV beside it. Takes half an hour."""
    for size in ratings:
        measure_bulk(size, report)
    measure_load_csv(min(1_000_000, *ratings), report)


@main.command()
@synthetic_option
def favourites(ratings: int) -> None:
    """Latency of the favourites of Neo4j Browser (`cypher/browser/`), on the sample and on synthetic ratings."""
    with loaded_sandbox(SAMPLE) as settings:
        measure_favourites(settings, SAMPLE_RATINGS, report)
    with tempfile.TemporaryDirectory(prefix="bench") as temporary:
        synthesize(Path(temporary) / "raw", scaled_size(ratings), 1, lambda _: None)
        with loaded_sandbox(Path(temporary) / "raw") as settings:
            measure_favourites(settings, ratings, report)


@main.command()
@synthetic_option
def stars(ratings: int) -> None:
    """The fit of predicted stars, and latency of predictions, on synthetic ratings."""
    with tempfile.TemporaryDirectory(prefix="bench") as temporary:
        synthesize(Path(temporary) / "raw", scaled_size(ratings), 1, lambda _: None)
        with loaded_sandbox(Path(temporary) / "raw") as settings:
            measure_stars(settings, ratings, report)


@main.command()
@click.option("--seconds", default=20, show_default=True, help="How long each load lasts.", type=click.IntRange(5))
def service(seconds: int) -> None:
    """Requests a second and latency with a key and its limit; needs `wrk` (apt-get install wrk)."""
    with loaded_sandbox(SAMPLE) as settings:
        settings = settings.model_copy(update={"open": False, "deadline": 2.0})
        with running(settings, *SERVICE) as url:
            await_ready(url, START_SECONDS)
            measure_service(settings, url, seconds, report)


def read_sample() -> Interactions:
    """The sample's ratings."""
    with tempfile.TemporaryDirectory(prefix="bench") as temporary:
        shards = stage(SAMPLE, Path(temporary), quiet=True).shards()
        return Interactions.from_tables(pl.read_parquet(shard) for shard in shards)[0]


def mean_likeness(ranked: Columns, weights: csr_array) -> float:
    """Mean weight between two movies of a list, either way the larger, over all lists."""
    alike = weights.maximum(weights.T).tocsr()
    pairs = [(one, other) for row in ranked for one in row for other in row if one < other and one >= 0]
    ones, others = (np.array(side) for side in zip(*pairs, strict=True))
    return float(np.maximum(alike[ones, others], 0).mean())


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


@contextmanager
def loaded_sandbox(folder: Path) -> Iterator[Settings]:
    """Settings of an embedded Neo4j that holds a folder's ratings, fitted; stopped and removed in the end."""
    with tempfile.TemporaryDirectory(prefix="bench") as temporary:
        settings = sandbox_settings(Path(temporary))
        try:
            bulk_load(folder, settings, tolerance=0, quiet=True)
            yield settings
        finally:
            EmbeddedServer.of(settings).down()


if __name__ == "__main__":
    main(prog_name="python -m scripts.bench")
