"""Fitting the staged ratings together with the live ones: a serving rule, weights, and how good both are."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from time import sleep
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from common.files import write_durably
from engine.backtest import Backtest, Judge, find_interval
from engine.baselines import build_weights
from engine.choice import Choice
from engine.dataset import Dataset
from engine.interactions import Interactions
from engine.models import SLIM, ItemModel
from engine.positives import RATED, LiveRating, build_positives, sample_ratings
from engine.similarity import Similarities, keep_strongest
from graph.repositories.models import Model, Models
from graph.serving_rule import NEIGHBOURS

logger = logging.getLogger(__name__)

JUDGEMENT = "ndcg@10 of the next movie"
# Share of a fit's time that goes into its choice, about.
CHOICE_SHARE = 0.4


@dataclass(frozen=True)
class FittedModel:
    """A model and its SIMILAR edges: `edges` has source and target (movie ids), weight and rank."""

    model: Model
    edges: pl.DataFrame


@dataclass(frozen=True)
class Trial:
    """A model's rule, chosen on the past of some ratings, and what judges it: people whom nobody had looked at."""

    backtest: Backtest
    choice: Choice
    judge: Judge

    def describe(self) -> dict[str, Any]:
        """The metrics of a version: how well the rule found what nobody had looked at, and the dial's curve."""
        if not self.judge.asked:
            return {}
        rule = self.choice.rule
        measured = {
            JUDGEMENT: self.judge.measure(rule),
            "lately": self.judge.measure_lately(rule),
            "popular": self.judge.measure_popular(rule),
        }
        found: dict[str, Any] = {name: self.judge.estimate(values) for name, values in measured.items()}
        return {
            **{name: estimate.mean for name, estimate in found.items()},
            "halfWidth": found[JUDGEMENT].half_width,
            "judges": self.judge.asked,
            "chosenBy": self.backtest.kind,
            "dial": [[value, own.mean, less.mean, less.half_width] for value, own, less in self.choice.curve],
        }


def try_model(dataset: Dataset, live: list[LiveRating], model: ItemModel, neighbours: int) -> Trial:
    """Choose a model's rule on earlier moments of the ratings; of many ratings on those of a sample of users."""
    interval = find_interval(dataset.manifest().ratings)
    shards = (pl.read_parquet(file, columns=RATED) for file in dataset.shards())
    ratings = sample_ratings(shards, live, interval)
    backtest = Backtest.of(ratings, 1 / interval)

    choice = backtest.choose(lambda past: fit_weights(model, past, neighbours))
    return Trial(backtest, choice, backtest.judge(fit_weights(model, backtest.judging.training, neighbours)))


def fit_weights(model: ItemModel, ratings: Interactions, neighbours: int) -> csr_array:
    """A model's weights of some ratings as they would be stored, source x target."""
    weights = model.fit_ratings(ratings, {**model.parameters, "neighbours": neighbours})
    return build_weights(keep_strongest(weights, neighbours), ratings.movies)


def fit_dataset(
    dataset: Dataset,
    now: datetime,
    live: list[LiveRating] | None = None,
    model: ItemModel = SLIM,
    neighbours: int = NEIGHBOURS,
    progress: Callable[[float], object] = lambda _: None,
) -> tuple[FittedModel, Trial]:
    """Fit the staged ratings; `live` replaces what is staged of the same pairs; `neighbours`: edges out of a movie.

    The rule is chosen, and judged, by weights learned before moments of the past; what is stored is learned from
    everything. `progress`: as of fit_similarities.
    """
    manifest = dataset.manifest()
    trial = try_model(dataset, live or [], model, neighbours)
    progress(CHOICE_SHARE)
    shards = (pl.read_parquet(file, columns=RATED) for file in dataset.shards())
    positives = build_positives(shards, live or [], model.liked_from)
    parameters = {**model.parameters, "neighbours": neighbours}
    weights = model.fit(positives.matrix, parameters, lambda share: progress(share * (1 - CHOICE_SHARE)))
    edges = table_of_edges(keep_strongest(weights, neighbours), positives.movie_ids)
    described = Model(
        version=f"{now:%Y%m%d-%H%M%S}",
        fitted_at=now,
        edges=len(edges),
        movies=edges["source"].n_unique(),
        parameters=describe_parameters(model, neighbours),
        snapshot={"catalogue": manifest.catalogue, "ratings": manifest.ratings, "live": len(live or [])},
        metrics=trial.describe(),
        rule=replace(trial.choice.rule, liked_from=model.liked_from),
    )
    return FittedModel(described, edges), trial


def fit_once(dataset: Dataset, now: datetime, progress: Callable[[float], object] = lambda _: None) -> FittedModel:
    """Fit the staged ratings alone and keep the result beside them; the next call finds it there."""
    model_file, edges_file = dataset.folder / "model.json", dataset.folder / "similar.parquet"
    try:
        known = json.loads(model_file.read_text(encoding="utf-8"))
    except OSError:
        known = {}
    if edges_file.exists() and known.get("parameters") == describe_parameters(SLIM) and "rule" in known:
        return FittedModel(Model(**known), pl.read_parquet(edges_file))
    fitted, _ = fit_dataset(dataset, now, model=SLIM, progress=progress)
    model_file.unlink(missing_ok=True)
    fitted.edges.write_parquet(edges_file)
    model = fitted.model
    kept = {**asdict(model), "fitted_at": model.fitted_at.isoformat(), "rule": model.rule.to_properties()}
    write_durably(model_file, json.dumps(kept))
    return fitted


def put_to_use(fitted: FittedModel, models: Models, settle: float, progress: Callable[[int], object]) -> None:
    """Write the edges beside the old ones, switch in one transaction, then remove the old ones `settle` seconds later.

    What a killed call left is removed before.
    """
    models.remove_unused_similar()
    models.write_similar(fitted.model.version, fitted.edges.rows(), progress)
    models.switch_model(fitted.model)
    logger.info("model %s is in use", fitted.model.version)
    sleep(settle)  # a reader that began before may still follow them
    models.remove_unused_similar()


def table_of_edges(similarities: Similarities, movie_ids: NDArray[np.int64]) -> pl.DataFrame:
    """Edges as they are stored: source, target, weight, rank. `movie_ids`: of the columns."""
    source, target = (movie_ids[column] for column in (similarities.source, similarities.target))
    weight = similarities.weight.astype(np.float64)
    return pl.DataFrame({"source": source, "target": target, "weight": weight, "rank": similarities.rank})


def describe_parameters(model: ItemModel, neighbours: int = NEIGHBOURS) -> dict[str, float | str]:
    """All that a fit depends on but the ratings."""
    return {"model": model.key, **model.parameters, "neighbours": neighbours, "liked_from": model.liked_from}
