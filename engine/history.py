"""What the interactions of a history count: the traversal's rule (cypher/recommend_movies.cypher), on arrays."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.interactions import Columns, Interactions
from graph.repositories.recommendations import HistoryWeights


def weigh_history(history: Interactions, weights: HistoryWeights, limit: int | None = None) -> csr_array:
    """What each rating counts by its stars and its place, the user's newest first: users x movies.

    With a limit only so many interactions of a user do, the newest that count.
    """
    user = history.user_of_each()
    place = _places(history, user, -history.at, history.stars.indices)
    values = np.array(weights.rated)[history.half_stars()] * (1 + weights.place_boost * weights.place_decay**place)
    if limit is not None:
        values[_places(history, user, values == 0, place) >= limit] = 0
    return history.values(values)


def _places(history: Interactions, user: Columns, first: NDArray[np.generic], then: NDArray[np.generic]) -> Columns:
    """The place of each interaction among its user's, from 0, ordered by two keys."""
    order = np.lexsort((then, first, user))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - history.stars.indptr[:-1].astype(np.int64)[user[order]]
    return place
