"""Commands of the learning: `python -m engine fit|rollback|evaluate`."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import pandas as pd
import polars as pl

from common.commands import CommandGroup, translated_system_failures
from common.errors import RecommenderError
from common.files import exclusive
from common.logs import start_logging
from common.settings import Settings
from engine.comparison import MODELS, choose_models, compare_models, describe
from engine.dataset import current_dataset
from engine.interactions import Interactions
from engine.models import SLIM, STORABLE
from engine.protocols import PROTOCOLS, Protocol, files_protocol, strong_protocol
from engine.served import serve_task
from engine.stars import StarsParameters
from engine.stars_evaluation import (
    FOLDS,
    calibrate,
    describe_tally,
    evaluate_stars,
    split_folds,
    split_probe,
    split_time,
)
from engine.stars_training import CHOSEN, refit_stars
from engine.timeline import TIME
from engine.versions import MARGIN, refit, roll_back
from graph.contents import working_on
from graph.repositories.models import Models
from graph.repositories.stars import Stars
from graph.schema import require_known_schema
from graph.serving_rule import NEIGHBOURS

logger = logging.getLogger(__name__)


class Duration(click.ParamType[float]):
    """A time such as 24h, 90m or 30s, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; click's error if it is no such time."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([dhms])", str(value))
        if not found or float(found[1]) == 0:
            self.fail(f"{value!r} is no time such as 24h, 90m or 30s", param, ctx)
        return float(found[1]) * {"d": 86400, "h": 3600, "m": 60, "s": 1}[found[2]]


INPUT = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=CommandGroup)
def main() -> None:
    """The learning: item–item weights from the staged ratings and what happened live since."""
    start_logging(Settings.from_environment())


@main.command()
@click.option(
    "--model", "key", type=click.Choice(sorted(STORABLE)), default=SLIM.key, show_default=True, help="What to fit."
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 1),
    default=MARGIN,
    show_default=True,
    help="How much worse than the version in use a new one may be, as a share of its accuracy.",
)
@click.option(
    "--neighbours",
    type=click.IntRange(1, 1000),
    default=NEIGHBOURS,
    show_default=True,
    help="SIMILAR edges kept out of a movie, the strongest.",
)
@click.option("--every", type=Duration(), help="Fit again and again, so often: 24h, 90m.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def fit(key: str, margin: float, neighbours: int, every: float | None, quiet: bool) -> None:
    """Fit again and put the new SIMILAR edges to use while the service runs.

    What it is served by (how interactions count, how much what is current does) is chosen on moments of the past. A new
    version that finds what people watched next worse than the one in use does, by more than the margin, is not put to
    use.
    """
    settings = Settings.from_environment()
    while True:
        begin = time.monotonic()
        try:
            with _alone(settings) as (models, _):
                model = refit(settings, models, STORABLE[key], margin, neighbours, quiet=quiet)
            click.echo(f"model {model.version}: {model.edges:,} edges out of {model.movies:,} movies")
        except RecommenderError as error:
            if every is None:
                raise
            logger.error("%s", error)
        if every is None:
            return
        time.sleep(max(0.0, every - (time.monotonic() - begin)))


@main.command()
@click.argument("version", required=False)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def rollback(version: str | None, quiet: bool) -> None:
    """Go back to an earlier version of the model, the one before the one in use if none is named; nothing is fitted."""
    settings = Settings.from_environment()
    with _alone(settings) as (models, _):
        model = roll_back(settings, models, version, quiet=quiet)
    click.echo(f"model {model.version} of {model.fitted_at:%Y-%m-%d %H:%M} UTC is in use again")


@main.command()
@click.option(
    "--neighbours",
    type=click.IntRange(1, 1000),
    default=StarsParameters.neighbours,
    show_default=True,
    help="STARS edges kept out of a movie.",
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def fit_stars(neighbours: int, quiet: bool) -> None:
    """Fit predicted stars and put them to use while the service runs: STARS edges, and biases of the movies.

    Parameters and the interval's width are chosen on ratings hidden from first fits. A new rating counts at once in
    what is predicted; how much it tells of other movies is learned at the next fit.
    """
    settings = Settings.from_environment()
    with _alone(settings) as (models, stars):
        fitted = refit_stars(settings, models, stars, StarsParameters(neighbours=neighbours), quiet=quiet)
    click.echo(f"stars {fitted.version}: {len(fitted.edges):,} edges, biases of {len(fitted.movies):,} movies")
    chosen = ", ".join(f"{name} {fitted.properties[name]}" for name in CHOSEN)
    click.echo(f"chosen on {fitted.properties['chosenOn']}: {chosen}")


@contextmanager
def _alone(settings: Settings) -> Iterator[tuple[Models, Stars]]:
    """The models, while nobody else loads or fits."""
    taken = "a load is running, or another fit: try again when it has ended"
    with (
        translated_system_failures(),
        exclusive(settings.data / "load.lock", taken),
        working_on(settings) as database,
    ):
        require_known_schema(database)
        yield Models(database), Stars(database)


@main.command()
@click.option(
    "--protocol",
    "name",
    type=click.Choice(["time", "random", "next", "strong", "files", "stars"]),
    default="random",
    show_default=True,
    help="time: what is watched after a moment, learned from all before it. random: a fifth of each user's ratings. "
    "next: the last movie of each user. strong: users whom nothing was learned from (Liang et al. 2018). "
    "files: published splits. stars: RMSE of predicted stars.",
)
@click.option(
    "--seeds",
    help="Number of splits: 5 unless given; 1 of `time`, where seeds only draw among movies of one moment.",
    type=click.IntRange(1, 100),
)
@click.option(
    "--k", "cutoffs", multiple=True, type=click.IntRange(1, 1000), help="Lengths of lists; the first decides."
)
@click.option("--train", type=INPUT, help="files: lines `user item item …` to learn from.")
@click.option("--test", type=INPUT, help="files: lines `user item item …` to be found.")
@click.option("--held-out", type=click.IntRange(1), help="strong: users held out, twice; a tenth if not given.")
@click.option("--folds", default=FOLDS, show_default=True, type=click.IntRange(2, 100), help="stars: folds to predict.")
@click.option(
    "--probe",
    is_flag=True,
    help="stars: predict the Netflix Prize's probe set, learned from all else; without the matrix factorisations, "
    "which take hours and 30 GB there.",
)
@click.option(
    "--by-time", is_flag=True, help="stars: learn from what came before cuts at 50 to 90 %, predict the rest."
)
@click.option("--model", "names", multiple=True, type=click.Choice(sorted(MODELS)), help="Only these models.")
@click.option("--untuned", is_flag=True, help="Every model with its usual parameters; ours chooses its rule.")
@click.option("--served", is_flag=True, help="Also through the real traversal, on a Neo4j started for it.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--quiet", is_flag=True, help="Do not tell what is being fitted.")
def evaluate(
    name: str,
    seeds: int | None,
    cutoffs: tuple[int, ...],
    train: Path | None,
    test: Path | None,
    held_out: int | None,
    folds: int,
    probe: bool,
    by_time: bool,
    names: tuple[str, ...],
    untuned: bool,
    served: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Accuracy of the engine and of its baselines on splits of the staged ratings.

    Parameters are chosen on a validation split inside what a model may learn from, split by split; the test part is
    looked at once. Figures are means over users (of `time`, over users and cuts), ± 95 % confidence over users; `ours
    less` is the paired difference.
    Definitions and results: docs/evaluation.md.
    """
    settings = Settings.from_environment()
    tell = (lambda _: None) if quiet else logger.info
    if name == "stars":
        if names:
            raise click.UsageError("--model does not go with --protocol stars, which has models of its own")
        if probe and by_time:
            raise click.UsageError("--probe and --by-time are two ways to split: choose one")
        _evaluate_stars(settings, folds, tell, probe=probe, by_time=by_time, as_json=as_json)
        return
    ratings, protocol = _prepare(name, settings, train, test, held_out)
    protocol = replace(protocol, cutoffs=cutoffs or protocol.cutoffs)
    models = choose_models(names)
    serve = partial(serve_task, settings.cache) if served else None
    tallies = compare_models(ratings, protocol, models, seeds or protocol.seeds, serve, tell, tuned=not untuned)
    rows = [describe(tally, tallies, protocol) for tally in tallies]
    if as_json:
        click.echo(json.dumps(rows))
    else:
        click.echo(pd.DataFrame(rows).drop(columns="parameters").to_string(index=False))


def _evaluate_stars(
    settings: Settings, folds: int, tell: Callable[[str], object], *, probe: bool, by_time: bool, as_json: bool
) -> None:
    """RMSE and MAE of predicted stars, and whether ratings are where they are said to be."""
    shards = [pl.read_parquet(shard) for shard in current_dataset(settings.staging).shards()]
    ratings, _, _ = Interactions.from_tables(shards)
    if probe:
        tasks = list(split_probe(ratings, pl.concat(shards)["probe"].to_numpy()))
        tell("without the matrix factorisations, which so many ratings leave no time and memory for")
    else:
        tasks = list(split_time(ratings) if by_time else split_folds(ratings, folds))
    tallies, truth = evaluate_stars(tasks, StarsParameters(), tell, with_factorisations=not probe)
    ours = tallies[-1]
    rows, calibration = [describe_tally(tally, ours, truth) for tally in tallies], calibrate(ours.predicted, truth)
    if as_json:
        click.echo(json.dumps({"models": rows, "calibration": calibration}))
    else:
        click.echo(pd.DataFrame(rows).to_string(index=False))
        click.echo("\nStars given to movies of which ours predicts so many, a tenth of the ratings each:")
        click.echo(pd.DataFrame(calibration).round(2).to_string(index=False))


def _prepare(
    name: str, settings: Settings, train: Path | None, test: Path | None, held_out: int | None
) -> tuple[Interactions, Protocol]:
    """The ratings and the protocol that the options ask for."""
    if name == "files":
        if not (train and test):
            raise click.UsageError("--protocol files needs --train and --test")
        return files_protocol(train, test)
    shards = current_dataset(settings.staging).shards()
    ratings, _, _ = Interactions.from_tables(pl.read_parquet(shard) for shard in shards)
    return ratings, strong_protocol(held_out) if name == "strong" else {**PROTOCOLS, TIME.name: TIME}[name]


if __name__ == "__main__":
    main(prog_name="python -m engine")
