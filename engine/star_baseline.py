"""What is expected of a rating before anything is known of tastes: the movie's bias, and three habits of the user.

A user's ratings are shifted (the user's bias), stretched (how much the movies' biases count) and tilted (how much
popularity counts): one small ridge regression a user, over the ratings of this moment, which Cypher solves as well. The
user-movie effects of Bell & Koren 2007 (Scalable Collaborative Filtering with Jointly Derived Neighborhood
Interpolation Weights), learned together instead of one after the other.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.kernels import Floats, Indices
from engine.star_kernels import Doubles, subtract_effects, sum_movies, sum_users

BASELINE_ROUNDS = 10


@dataclass(frozen=True)
class BaselineParameters:
    """How much is known before the first rating. Raises ValueError for a ridge that is not positive.

    In units of ratings: of 0 that a bias is drawn towards, of an average movie or popularity for the other habits.
    """

    user_ridge: float = 3.0
    scale_ridge: float = 8.0  # of how much a movie's bias counts
    popularity_ridge: float = 40.0  # of how much popularity counts
    movie_ridge: float = 3.0

    def __post_init__(self) -> None:
        if min(self.user_ridge, self.scale_ridge, self.popularity_ridge, self.movie_ridge) <= 0:
            raise ValueError("ridges must be positive")

    def solve(self, systems: Doubles, told: Doubles) -> tuple[Doubles, Doubles]:
        """Habits (users x 3) from Σ f fᵀ and Σ f · rest of users' ratings, and the regularised systems' inverses."""
        ridges = np.diag([self.user_ridge, self.scale_ridge, self.popularity_ridge])
        inverses = np.asarray(np.linalg.inv(systems + ridges), dtype=np.float64)
        return np.einsum("ujk,uk->uj", inverses, told), inverses


@dataclass(frozen=True)
class Baseline:
    """`mean` + `movie_bias` + the user's habits · `features`, in stars.

    `popularity`: of each movie, the logarithm of its ratings, centred and scaled over all ratings; `unseen_popularity`:
    of a movie that the fit has not seen.
    """

    parameters: BaselineParameters
    mean: float
    movie_bias: Floats
    popularity: Floats
    unseen_popularity: float

    @property
    def features(self) -> Floats:
        """What the habits are about (movies x 3): 1, the movie's bias, its popularity."""
        return np.stack([np.ones_like(self.movie_bias), self.movie_bias, self.popularity], axis=1)

    @property
    def offsets(self) -> Floats:
        """What each movie gets from a user without habits."""
        return self.movie_bias + np.float32(self.mean)

    def learn_habits(self, stars: csr_array) -> tuple[Doubles, Doubles]:
        """Habits of users (users x 3), and the inverse of each user's system of equations (users x 3 x 3)."""
        return self.parameters.solve(*sum_users(*_parts(stars), self.offsets, self.features))

    def residuals(self, stars: csr_array, habits: Doubles) -> Floats:
        """What the baseline leaves of each stored rating, in their order."""
        return subtract_effects(*_parts(stars), self.offsets, self.features, habits)


def fit_baseline(stars: csr_array, parameters: BaselineParameters) -> Baseline:
    """Biases of movies that explain the ratings (users x movies) best, regularised, users and movies by turns."""
    mean, movies = float(stars.data.mean(dtype=np.float64)), stars.shape[1]
    popularity, unseen = _scale_popularity(np.bincount(stars.indices, minlength=movies))
    baseline = Baseline(parameters, mean, np.zeros(movies, dtype=np.float32), popularity, unseen)
    for _ in range(BASELINE_ROUNDS):
        habits, _ = baseline.learn_habits(stars)
        sums, squares = sum_movies(*_parts(stars), mean, popularity, habits)
        baseline = replace(baseline, movie_bias=(sums / (squares + parameters.movie_ridge)).astype(np.float32))
    return baseline


def _scale_popularity(ratings: NDArray[np.integer]) -> tuple[Floats, float]:
    """Popularity of movies with so many ratings, and the median, which those without any have: new, not unpopular."""
    logarithms = np.log(np.where(ratings > 0, ratings, np.median(ratings[ratings > 0])))
    mean = np.average(logarithms, weights=ratings)
    spread = np.sqrt(np.average((logarithms - mean) ** 2, weights=ratings)) or 1.0
    popularity = ((logarithms - mean) / spread).astype(np.float32)
    return popularity, float(np.median(popularity[ratings > 0]))


def _parts(stars: csr_array) -> tuple[Indices, Indices, Floats]:
    return stars.indptr, stars.indices, stars.data
