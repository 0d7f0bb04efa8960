"""Fitting the staged ratings together with the live ones, and putting the result to use."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
import polars as pl

from engine.dataset import Dataset, Matrix, build_matrix
from engine.similarity import Similarities, SimilarityParameters, fit_similarities
from graph.repositories.models import Model, Models

logger = logging.getLogger(__name__)

# Stars from which a rating counts as liking. 3 finds more of what people rate 4 or 5 than 4 does (docs/evaluation.md).
LIKED_FROM = 3.0


@dataclass(frozen=True)
class FittedModel:
    """A model and its SIMILAR edges: `edges` has source and target (movie ids), weight and rank."""

    model: Model
    edges: pl.DataFrame


def fit_dataset(
    dataset: Dataset,
    now: datetime,
    live: list[tuple[int, int, bool]] | None = None,
    parameters: SimilarityParameters = SimilarityParameters(),
) -> FittedModel:
    """Fit the staged ratings; `live` (user id, movie id, liked) replaces what is staged of the same pairs."""
    manifest = dataset.manifest()
    matrix = build_positives(dataset.ratings(), live or [])
    similarities = fit_similarities(matrix.values, parameters)
    snapshot = {"catalogue": manifest.catalogue, "ratings": manifest.ratings, "live": len(live or [])}
    model = Model(
        version=f"{now:%Y%m%dT%H%M%S}Z",
        fitted_at=now,
        edges=len(similarities.source),
        movies=len(np.unique(similarities.source)),
        parameters=asdict(parameters),
        snapshot=snapshot,
    )
    return FittedModel(model, _name_edges(similarities, matrix))


def build_positives(ratings: pl.DataFrame, live: list[tuple[int, int, bool]]) -> Matrix:
    """The binary matrix of what was liked: rated from LIKED_FROM stars, or told live."""
    told = pl.DataFrame(live, schema={"userId": pl.Int32, "movieId": pl.Int32, "liked": pl.Boolean}, orient="row")
    pair = ["userId", "movieId"]
    staged = ratings.filter(pl.col("rating") >= LIKED_FROM).select(pair).join(told, on=pair, how="anti")
    positives = pl.concat([staged, told.filter("liked").select(pair)])
    return build_matrix(
        positives["userId"].cast(pl.Int64).to_numpy(),
        positives["movieId"].cast(pl.Int64).to_numpy(),
        np.ones(len(positives), dtype=np.float32),
    )


def put_to_use(fitted: FittedModel, models: Models, progress: Callable[[int], object]) -> None:
    """Write the edges beside the old ones, switch in one transaction, then remove the old ones."""
    models.write_similar(fitted.model.version, fitted.edges.rows(), progress)
    models.switch_model(fitted.model)
    logger.info("model %s is in use", fitted.model.version)
    models.remove_unused_similar()


def _name_edges(similarities: Similarities, matrix: Matrix) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "source": matrix.movie_ids[similarities.source],
            "target": matrix.movie_ids[similarities.target],
            "weight": similarities.weight.astype(np.float64),
            "rank": similarities.rank,
        }
    )
