"""Choosing the best of many."""

import numpy as np
from numpy.typing import NDArray


def find_largest(scores: NDArray[np.floating] | NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Places of the largest positive scores, at most so many, ascending; of equals the first ones."""
    least = np.partition(scores, -count)[-count] if count < len(scores) else 0
    likely = np.flatnonzero((scores > 0) & (scores >= least))
    best = np.argsort(-scores[likely], kind="stable")[:count]
    return np.sort(likely[best])
