"""Surprise's matrix factorisations, which predicted stars are compared with: SVD (Funk 2006) and SVD++ (Koren 2008).

Needs requirements-evaluation.txt; nothing else imports this module before it is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import surprise
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.evaluation import Values
from engine.interactions import Columns, Interactions
from engine.star_choice import HIDDEN_SHARE, hide

SEED = 1


@dataclass(frozen=True)
class Factorisation:
    """A model of Surprise's and the settings that it is chosen from."""

    name: str
    model: type[surprise.AlgoBase]
    grid: tuple[dict[str, Any], ...]


# What was best of some twenty settings tried on folds of the sample or of MovieTweetings, and Surprise's own.
SVD = Factorisation(
    "SVD (Surprise)",
    surprise.SVD,
    (
        {"n_factors": 200, "n_epochs": 100, "lr_all": 0.01, "reg_all": 0.1},
        {"n_factors": 20, "n_epochs": 40, "lr_all": 0.005, "reg_all": 0.1},
        {"n_factors": 1, "n_epochs": 40, "lr_all": 0.01, "reg_all": 0.05},
        {},
    ),
)
# More factors take an hour: a round costs each user's ratings squared.
SVD_PLUS_PLUS = Factorisation(
    "SVD++ (Surprise)", surprise.SVDpp, ({"n_factors": 20, "n_epochs": 40, "lr_all": 0.005, "reg_all": 0.1}, {})
)
COMPARED = (SVD, SVD_PLUS_PLUS)

# Predicts pairs of rows and columns from ratings.
Predict = Callable[[csr_array, Columns, Columns], Values]


def choose_factorisations(
    ratings: Interactions, tell: Callable[[str], object] = lambda _: None, seed: int = 0
) -> list[tuple[str, Predict]]:
    """Each with the settings that predict ratings hidden at random best."""
    hidden = hide(ratings, np.random.default_rng(seed).random(ratings.stars.nnz) < HIDDEN_SHARE)
    chosen: list[tuple[str, Predict]] = []
    for compared in COMPARED:
        errors = []
        for settings in compared.grid:
            predicted = predict(compared, settings, hidden.learned.stars, hidden.users, hidden.movies)
            errors.append(float(np.square(predicted - hidden.stars).mean()))
            tell(f"{compared.name} with {settings or 'defaults'}: {np.sqrt(errors[-1]):.4f} on hidden ratings")
        best = compared.grid[int(np.argmin(errors))]
        chosen.append((compared.name, _with_settings(compared, best)))
    return chosen


def predict(
    compared: Factorisation, settings: dict[str, Any], stars: csr_array, users: Columns, movies: Columns
) -> NDArray[np.float64]:
    """Stars of pairs of rows and columns, learned from ratings (users x movies)."""
    training = stars.tocoo()
    reader = surprise.Reader(rating_scale=(float(training.data.min()), float(training.data.max())))
    table = pd.DataFrame({"user": training.row, "movie": training.col, "stars": training.data.astype(np.float64)})
    model = compared.model(**settings, random_state=SEED)
    model.fit(surprise.Dataset.load_from_df(table, reader).build_full_trainset())
    return np.array(
        [model.predict(user, movie).est for user, movie in zip(users.tolist(), movies.tolist(), strict=True)]
    )


def _with_settings(compared: Factorisation, settings: dict[str, Any]) -> Predict:
    return lambda stars, users, movies: predict(compared, settings, stars, users, movies)
