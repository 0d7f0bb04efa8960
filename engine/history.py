"""What the interactions of a history count: the traversal's rule (cypher/recommend_movies.cypher), on arrays."""

import numpy as np
from scipy.sparse import csr_array

from engine.interactions import Interactions, number_within
from graph.repositories.recommendations import HistoryWeights


def weigh_history(history: Interactions, weights: HistoryWeights, limit: int | None = None) -> csr_array:
    """What each rating counts by its stars and its place, the user's newest first: users x movies.

    With a limit only so many interactions of a user do, the newest that count.
    """
    user = history.user_of_each()
    place = number_within(user, -history.at, history.stars.indices)
    values = np.array(weights.rated)[history.half_stars()] * (1 + weights.place_boost * weights.place_decay**place)
    if limit is not None:
        values[number_within(user, values == 0, place) >= limit] = 0
    return history.values(values)
