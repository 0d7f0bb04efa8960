"""Commands of the learning: `python -m engine fit|evaluate`."""

import json
from dataclasses import asdict

import click
import numpy as np
import pandas as pd
from tqdm import tqdm

from engine.comparison import compare_models
from engine.dataset import Dataset, current_dataset
from engine.training import LIKED_FROM, fit_dataset, put_to_use
from graph.commands import CommandGroup, start_logging
from graph.database import Database
from graph.locks import exclusive
from graph.repositories.models import Models
from graph.repositories.recommendations import HistoryWeights
from graph.settings import Settings
from graph.times import utc_now


@click.group(cls=CommandGroup)
def main() -> None:
    """The learning: item–item weights from the staged ratings and what happened live since."""
    start_logging(Settings.from_environment())


@main.command()
@click.option("--quiet", is_flag=True, help="No progress bar.")
def fit(quiet: bool) -> None:
    """Fit again and put the new SIMILAR edges to use while the service runs."""
    settings = Settings.from_environment()
    taken = "a load is running, or another fit: fit again when it has ended"
    with exclusive(settings.data / "load.lock", taken), Database.from_settings(settings) as database:
        models = Models(database)
        dataset = Dataset(settings.staging / models.get_dataset())
        with tqdm(total=100, unit="%", desc="Fitting", disable=quiet or None) as bar:
            live = models.read_live_positives(LIKED_FROM)
            fitted = fit_dataset(dataset, utc_now(), live, progress=lambda share: bar.update(100 * share))
        with tqdm(total=len(fitted.edges), unit="edge", desc="Writing", disable=quiet or None) as bar:
            put_to_use(fitted, models, bar.update)
    click.echo(f"model {fitted.model.version}: {fitted.model.edges:,} edges out of {fitted.model.movies:,} movies")


@main.command()
@click.option("--seeds", default=5, show_default=True, help="Number of random splits.", type=click.IntRange(2, 100))
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def evaluate(seeds: int, as_json: bool) -> None:
    """Accuracy of the engine and its baselines on splits of the staged ratings.

    Each user's ratings are split 80/20 at random; Recall@20 and NDCG@20 (Liang et al. 2018) of finding the test
    ratings of 4 stars or more. Figures are means over the splits, ± 95 % confidence of that mean.
    """
    settings = Settings.from_environment()
    history = np.array(HistoryWeights().rated, dtype=np.float32)
    rows = compare_models(current_dataset(settings.staging).ratings(), seeds, history)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
    else:
        click.echo(pd.DataFrame([asdict(row) for row in rows]).to_string(index=False, float_format="%.4f"))


if __name__ == "__main__":
    main(prog_name="python -m engine")
