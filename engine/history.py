"""What the interactions of a history count: the traversal's rule (cypher/recommend_movies.cypher), on arrays."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.interactions import Columns, Interactions, number_within
from graph.repositories.recommendations import INTERACTIONS
from graph.serving_rule import ServingRule


def weigh_history(history: Interactions, rule: ServingRule) -> csr_array:
    """What each rating counts by its stars and its place, the user's newest first: users x movies.

    Ratings of one moment share the mean of their places. Only `history_limit` ratings of a user count, the newest that
    count at all; of one moment those of the largest weight, then in an order that says nothing of the movies.
    """
    values = np.array((*rule.rated, rule.finished))[history.half_stars()]
    mixed = mix_ids(history.stars.indices + 1)  # movies are served by these ids (engine.served)
    looked_at = number_within(history.user_of_each(), -history.at, -values, mixed) < INTERACTIONS
    counted = np.flatnonzero((values != 0) & looked_at)
    user, at, weight = history.user_of_each()[counted], history.at[counted], values[counted]
    first, last = find_places(user, at)
    boost = rule.place_boost * mean_of_powers(rule.place_decay, first, last)
    place = number_within(user, -at, -weight, mixed[counted])
    weighed = np.zeros(len(values))
    weighed[counted] = np.where(place < rule.history_limit, weight * (1 + boost), 0)
    found = history.values(weighed)
    found.eliminate_zeros()
    return found


def find_places(user: Columns, at: NDArray[np.int64]) -> tuple[Columns, Columns]:
    """Of each interaction the first place of its moment among its user's, newest first from 0, and the place behind."""
    order = np.lexsort((-at, user))
    users, moments = user[order], at[order]
    begins_user = np.concatenate(([True], users[1:] != users[:-1]))[: len(users)]
    begins = begins_user | np.concatenate(([True], moments[1:] != moments[:-1]))[: len(users)]
    starts = np.flatnonzero(begins)
    group = np.cumsum(begins) - 1
    user_start = np.maximum.accumulate(np.where(begins_user, np.arange(len(users)), 0))
    first, last = np.empty(len(users), dtype=np.int64), np.empty(len(users), dtype=np.int64)
    first[order] = starts[group] - user_start
    last[order] = np.append(starts[1:], len(users))[group] - user_start
    return first, last


def mean_of_powers(base: float, first: Columns, last: Columns) -> NDArray[np.float64]:
    """Mean of base ^ n over first ≤ n < last, for a base from 0 to below 1."""
    return np.asarray((base**first - base**last) / ((1 - base) * (last - first)))


def mix_ids(ids: NDArray[np.integer]) -> Columns:
    """Numbers that order movies without regard to their ids (Knuth's multiplication), the same in Cypher."""
    return ids.astype(np.int64) % 1_000_003 * 2_654_435_761 % 4_294_967_296
