"""Variety in a list: maximal marginal relevance (Carbonell & Goldstein 1998)."""

from collections.abc import Mapping, Sequence

import numpy as np


def diversify(
    movie_ids: Sequence[int], scores: Sequence[float], similar: Mapping[tuple[int, int], float], diversity: float
) -> list[int]:
    """Places of the movies in their new order.

    One after the other the movie with the largest (1 - diversity) · relevance - diversity · likeness comes next;
    relevance is the score, likeness the largest weight between the movie and one that is chosen, each as a share of the
    largest. `scores`: falling. `similar`: weight by source and target movie id, either way.
    """
    place = {movie_id: number for number, movie_id in enumerate(movie_ids)}
    alike = np.zeros((len(movie_ids), len(movie_ids)))
    for (source, target), weight in similar.items():
        one, other = place[source], place[target]
        alike[one, other] = alike[other, one] = max(alike[one, other], weight)
    relevance = np.array(scores) / (max((abs(score) for score in scores), default=1) or 1)
    alike /= alike.max(initial=0) or 1
    likeness = np.zeros(len(movie_ids))
    left = np.ones(len(movie_ids), dtype=bool)
    order = []
    for _ in movie_ids:
        value = np.where(left, (1 - diversity) * relevance - diversity * likeness, -np.inf)
        chosen = int(value.argmax())
        order.append(chosen)
        left[chosen] = False
        likeness = np.maximum(likeness, alike[chosen])
    return order
