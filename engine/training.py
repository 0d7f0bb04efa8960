"""Fitting the staged ratings together with the live ones, and putting the result to use."""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.dataset import Dataset, write_durably
from engine.similarity import Similarities, SimilarityParameters, fit_similarities
from graph.repositories.models import Model, Models

logger = logging.getLogger(__name__)

# Stars from which a rating counts as liking. 3 finds more of what people rate 4 or 5 than 4 does (docs/evaluation.md).
LIKED_FROM = 3.0
PAIR = ["userId", "movieId"]

# User id, movie id, liked.
LiveRating = tuple[int, int, bool]


@dataclass(frozen=True)
class FittedModel:
    """A model and its SIMILAR edges: `edges` has source and target (movie ids), weight and rank."""

    model: Model
    edges: pl.DataFrame


def fit_dataset(
    dataset: Dataset,
    now: datetime,
    live: list[LiveRating] | None = None,
    parameters: SimilarityParameters = SimilarityParameters(),
    progress: Callable[[float], object] = lambda _: None,
) -> FittedModel:
    """Fit the staged ratings; `live` replaces what is staged of the same pairs. `progress`: as of fit_similarities."""
    manifest = dataset.manifest()
    shards = (pl.read_parquet(file, columns=[*PAIR, "rating"]) for file in dataset.shards())
    positives, movie_ids = build_positives(shards, live or [])
    similarities = fit_similarities(positives, parameters, progress)
    snapshot = {"catalogue": manifest.catalogue, "ratings": manifest.ratings, "live": len(live or [])}
    model = Model(
        version=f"{now:%Y%m%dT%H%M%S}Z",
        fitted_at=now,
        edges=len(similarities.source),
        movies=len(np.unique(similarities.source)),
        parameters=_describe(parameters),
        snapshot=snapshot,
    )
    return FittedModel(model, _name_edges(similarities, movie_ids))


def fit_once(dataset: Dataset, now: datetime, progress: Callable[[float], object] = lambda _: None) -> FittedModel:
    """Fit the staged ratings alone and keep the result beside them; the next call finds it there."""
    model_file, edges_file = dataset.folder / "model.json", dataset.folder / "similar.parquet"
    try:
        known = json.loads(model_file.read_text(encoding="utf-8"))
    except OSError:
        known = {}
    if edges_file.exists() and known.get("parameters") == _describe(SimilarityParameters()):
        model = Model(**{**known, "fitted_at": datetime.fromisoformat(known["fitted_at"])})
        return FittedModel(model, pl.read_parquet(edges_file))
    fitted = fit_dataset(dataset, now, progress=progress)
    model_file.unlink(missing_ok=True)
    fitted.edges.write_parquet(edges_file)
    write_durably(model_file, json.dumps({**asdict(fitted.model), "fitted_at": fitted.model.fitted_at.isoformat()}))
    return fitted


def build_positives(shards: Iterable[pl.DataFrame], live: list[LiveRating]) -> tuple[csr_array, NDArray[np.int64]]:
    """What was liked (rated from LIKED_FROM stars, or told live), users × movies, and its columns' movie ids.

    `shards`: userId, movieId and rating by user and movie, each user in one of them. Users come in the shards' order,
    those that were told of last.
    """
    told = pl.DataFrame(live, schema={"userId": pl.Int32, "movieId": pl.Int32, "liked": pl.Boolean}, orient="row")
    is_told = pl.col("userId").is_in(told["userId"].unique().implode())
    blocks, replaced = [], [told.filter("liked").select(PAIR)]
    for shard in shards:
        liked = shard.filter(pl.col("rating") >= LIKED_FROM).select(PAIR)
        if live:
            replaced.append(liked.filter(is_told).join(told, on=PAIR, how="anti"))
            liked = liked.filter(~is_told)
        blocks.append((_count_runs(liked), liked["movieId"].to_numpy()))
    last = pl.concat(replaced).sort(PAIR)
    blocks.append((_count_runs(last), last["movieId"].to_numpy()))
    movie_ids = np.unique(np.concatenate([np.unique(movies) for _, movies in blocks]))
    indices = np.concatenate([np.searchsorted(movie_ids, movies).astype(np.int32) for _, movies in blocks])
    indptr = np.concatenate([[0], np.cumsum(np.concatenate([counts for counts, _ in blocks]))])
    indptr = indptr.astype(np.int32 if len(indices) < 2**31 else np.int64)
    values = csr_array((np.ones(len(indices), dtype=np.int8), indices, indptr), shape=(len(indptr) - 1, len(movie_ids)))
    return values, movie_ids.astype(np.int64)


def put_to_use(fitted: FittedModel, models: Models, progress: Callable[[int], object]) -> None:
    """Write the edges beside the old ones, switch in one transaction, then remove the old ones."""
    models.write_similar(fitted.model.version, fitted.edges.rows(), progress)
    models.switch_model(fitted.model)
    logger.info("model %s is in use", fitted.model.version)
    models.remove_unused_similar()


def _count_runs(ratings: pl.DataFrame) -> NDArray[np.int64]:
    """How many rows each user has, given rows by user."""
    return ratings["userId"].rle().struct.field("len").cast(pl.Int64).to_numpy()


def _describe(parameters: SimilarityParameters) -> dict[str, float]:
    return {**asdict(parameters), "liked_from": LIKED_FROM}


def _name_edges(similarities: Similarities, movie_ids: NDArray[np.int64]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "source": movie_ids[similarities.source],
            "target": movie_ids[similarities.target],
            "weight": similarities.weight.astype(np.float64),
            "rank": similarities.rank,
        }
    )
