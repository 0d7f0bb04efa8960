"""Variety in a list: maximal marginal relevance (Carbonell & Goldstein 1998)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Similar:
    """Weights between movies, by their ids; a pair may come either way, or both."""

    sources: Sequence[int]
    targets: Sequence[int]
    weights: Sequence[float]


def diversify(movie_ids: Sequence[int], scores: Sequence[float], similar: Similar, diversity: float) -> list[int]:
    """Places of the movies in their new order.

    One after the other the movie with the largest (1 - diversity) · relevance - diversity · likeness comes next;
    relevance is the score, likeness the largest weight between the movie and one that is chosen, each as a share of the
    largest. `scores`: falling.
    """
    place = {movie_id: number for number, movie_id in enumerate(movie_ids)}
    sources, targets = ([place[movie_id] for movie_id in ids] for ids in (similar.sources, similar.targets))
    alike = np.zeros((len(movie_ids), len(movie_ids)))
    np.maximum.at(alike, (sources, targets), similar.weights)
    alike = np.maximum(alike, alike.T)
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
