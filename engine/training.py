"""Fitting the staged ratings together with the live ones, judging the result, and putting it to use."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.dataset import Dataset
from engine.evaluation import Values, estimate_mean
from engine.models import SLIM, ItemModel
from engine.positives import COLUMNS, LiveRating, Positives, build_positives, judge_interval
from engine.similarity import Similarities, keep_strongest
from graph.files import write_durably
from graph.repositories.models import Model, Models

logger = logging.getLogger(__name__)

NEIGHBOURS = 50
# A reader that began before a switch may still walk the old edges for as long as an answer may take.
READERS_SECONDS = 3.0
JUDGEMENT = "ndcg@20 of the newest likes"


@dataclass(frozen=True)
class FittedModel:
    """A model and its SIMILAR edges: `edges` has source and target (movie ids), weight and rank."""

    model: Model
    edges: pl.DataFrame


def read_positives(dataset: Dataset, live: list[LiveRating] | None = None, model: ItemModel = SLIM) -> Positives:
    """What a model learns from: the staged ratings and the live ones, the judges' newest likes held out."""
    shards = (pl.read_parquet(file, columns=[*COLUMNS, "rating"]) for file in dataset.shards())
    return build_positives(shards, live or [], model.liked_from, judge_interval(dataset.manifest().users))


def fit_dataset(
    dataset: Dataset,
    now: datetime,
    live: list[LiveRating] | None = None,
    model: ItemModel = SLIM,
    neighbours: int = NEIGHBOURS,
    progress: Callable[[float], object] = lambda _: None,
) -> tuple[FittedModel, Positives]:
    """Fit the staged ratings; `live` replaces what is staged of the same pairs; `neighbours`: edges out of a movie.

    The model's metrics tell how well it finds what was held out of the fit; that comes back too, to judge others by.
    `progress`: as of fit_similarities.
    """
    manifest = dataset.manifest()
    positives = read_positives(dataset, live, model)
    parameters = {**model.parameters, "neighbours": neighbours}
    similarities = keep_strongest(model.fit(positives.matrix, parameters, progress), neighbours)
    edges = table_of_edges(similarities, positives.movie_ids)
    described = Model(
        version=f"{now:%Y%m%d-%H%M%S}",
        fitted_at=now,
        edges=len(edges),
        movies=edges["source"].n_unique(),
        parameters=describe_parameters(model, neighbours),
        snapshot={"catalogue": manifest.catalogue, "ratings": manifest.ratings, "live": len(live or [])},
        metrics=summarise(positives.judge(edges)),
    )
    return FittedModel(described, edges), positives


def fit_once(dataset: Dataset, now: datetime, progress: Callable[[float], object] = lambda _: None) -> FittedModel:
    """Fit the staged ratings alone and keep the result beside them; the next call finds it there."""
    model_file, edges_file = dataset.folder / "model.json", dataset.folder / "similar.parquet"
    try:
        known = json.loads(model_file.read_text(encoding="utf-8"))
    except OSError:
        known = {}
    if edges_file.exists() and known.get("parameters") == describe_parameters(SLIM):
        model = Model(**{**known, "fitted_at": datetime.fromisoformat(known["fitted_at"])})
        return FittedModel(model, pl.read_parquet(edges_file))
    fitted, _ = fit_dataset(dataset, now, model=SLIM, progress=progress)
    model_file.unlink(missing_ok=True)
    fitted.edges.write_parquet(edges_file)
    write_durably(model_file, json.dumps({**asdict(fitted.model), "fitted_at": fitted.model.fitted_at.isoformat()}))
    return fitted


def put_to_use(fitted: FittedModel, models: Models, progress: Callable[[int], object]) -> None:
    """Write the edges beside the old ones, switch in one transaction, then remove the old ones.

    What a killed call left is removed before.
    """
    models.remove_unused_similar()
    models.write_similar(fitted.model.version, fitted.edges.rows(), progress)
    models.switch_model(fitted.model)
    logger.info("model %s is in use", fitted.model.version)
    time.sleep(READERS_SECONDS)
    models.remove_unused_similar()


def table_of_edges(similarities: Similarities, movie_ids: NDArray[np.int64] | None = None) -> pl.DataFrame:
    """Edges as they are stored: source, target, weight, rank; columns are movie ids if none are given."""
    columns = (similarities.source, similarities.target)
    source, target = columns if movie_ids is None else (movie_ids[column] for column in columns)
    weight = similarities.weight.astype(np.float64)
    return pl.DataFrame({"source": source, "target": target, "weight": weight, "rank": similarities.rank})


def summarise(judged: Values) -> dict[str, float]:
    """A judgement as the metrics of a model; none without judges."""
    if len(judged) == 0:
        return {}
    estimate = estimate_mean(judged)
    return {JUDGEMENT: estimate.mean, "halfWidth": estimate.half_width, "judges": estimate.users}


def describe_parameters(model: ItemModel, neighbours: int = NEIGHBOURS) -> dict[str, float | str]:
    """All that a fit depends on but the ratings."""
    return {"model": model.key, **model.parameters, "neighbours": neighbours, "liked_from": model.liked_from}
