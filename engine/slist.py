"""SLIST, a linear model of sequences: Choi et al. 2021, Session-aware Linear Item-Item Models (WWW), in closed form.

Each user's whole history is a session here. SLIS learns every movie of a session from all of it; SLIT learns from each
part of a session what came after it, near movies counting more than far ones. With α between the two,

    W = (α XᵀDX + (1 - α) SᵀDS + ridge · I)⁻¹ (α XᵀDY + (1 - α) SᵀDT)

where X and Y have the whole sessions, S the part up to each place, T what follows (e^(-distance / decay)), and D
weighs sessions by their age. Rows of X and S sum to 1, those of Y and T do not, as in the authors' code (jin530/SLIST),
which leaves the diagonal free as well: what a user knows is not ranked anyway. W is never made: a history is multiplied
with the inverse first.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import spotrf, spotrs
from scipy.sparse import coo_array, csr_array

from common.times import DAY
from engine.baselines import Floats, rank_by_scores
from engine.interactions import Columns, Interactions, number_within

# Movies so far apart that e^(-distance / decay) is less are not linked.
NEGLIGIBLE = 1e-4

Values = NDArray[np.float64]


@dataclass(frozen=True)
class SlistParameters:
    """What is tuned.

    `alpha`: 1 is SLIS alone, 0 SLIT alone. `decay`: places within which movies of a session belong together; `newest`:
    within which a history counts. `days`: the age of a session, by its last interaction, at which it counts e^-1.
    """

    alpha: float = 0.2
    ridge: float = 10.0
    decay: float = 2.0
    newest: float = 4.0
    days: float = 64.0


@dataclass(frozen=True)
class Sessions:
    """The interactions of all sessions, one after the other and each in its order.

    Of each: its movie, its place in the session from 0, the session's length, and what the session counts.
    """

    movies: Columns
    places: Columns
    lengths: Columns
    weights: Values

    @classmethod
    def of(cls, known: Interactions, days: float) -> "Sessions":
        """Each user's interactions by moment, of one moment by column."""
        users, columns = known.user_of_each(), known.stars.indices
        order = np.lexsort((columns, known.at, users))
        newest = np.full(known.users, np.iinfo(np.int64).min)
        np.maximum.at(newest, users, known.at)
        ages = (known.at.max(initial=0) - newest[users]) / DAY
        lengths = np.diff(known.stars.indptr).astype(np.int64)[users]
        places = number_within(users, known.at, columns)[order]
        return cls(columns[order].astype(np.int64), places, lengths, np.exp(-ages / days))

    def pairs(self, distance: int) -> Columns:
        """Interactions that are followed by another one of their session so many places later, and as many on."""
        return np.flatnonzero(self.places + distance < self.lengths)


def rank_slist(known: Interactions, history: Interactions, count: int, parameters: SlistParameters) -> Columns:
    """Each user's best columns (users x count); whatever was watched counts, however it was rated."""
    movies = np.unique(known.stars.indices).astype(np.int64)
    sessions = Sessions.of(_take_movies(known, movies), parameters.days)
    inputs, outputs = build_moments(sessions, len(movies), parameters)
    factor = _factorise(inputs, parameters.ridge)
    recent = csr_array(weigh_newest(history, parameters.newest)[:, movies])

    def scores(rows: slice) -> Floats:
        solved, _ = spotrs(factor, recent[rows].T.toarray(order="F").astype(np.float32), lower=1)
        batch = np.zeros((solved.shape[1], known.movies), dtype=np.float32)
        batch[:, movies] = solved.T @ outputs
        return batch

    return rank_by_scores(scores, history.stars, count)


def weigh_newest(history: Interactions, newest: float) -> csr_array:
    """e^(-place / newest) of each interaction, the newest of a user having place 0."""
    places = number_within(history.user_of_each(), -history.at, -history.stars.indices)
    return history.values(np.exp(-places / newest))


def build_moments(sessions: Sessions, movies: int, parameters: SlistParameters) -> tuple[csr_array, csr_array]:
    """α XᵀDX + (1 - α) SᵀDS, and α XᵀDY + (1 - α) SᵀDT: movies x movies, source x target."""
    whole = _whole_sessions(sessions, movies)
    parts = _partial_sessions(sessions, movies, parameters.decay)
    alpha = parameters.alpha
    inputs, outputs = (alpha * one + (1 - alpha) * other for one, other in zip(whole, parts, strict=True))
    return csr_array(inputs), csr_array(outputs)


def _whole_sessions(sessions: Sessions, movies: int) -> tuple[csr_array, csr_array]:
    """XᵀDX and XᵀDY."""
    rows = np.cumsum(sessions.places == 0) - 1
    ones = csr_array((np.ones(len(rows)), (rows, sessions.movies)), shape=(int(rows.max(initial=-1)) + 1, movies))
    firsts = sessions.places == 0
    weights, lengths = sessions.weights[firsts, None], sessions.lengths[firsts, None]
    return csr_array(ones.T @ ones.multiply(weights / lengths**2)), csr_array(ones.T @ ones.multiply(weights / lengths))


def _partial_sessions(sessions: Sessions, movies: int, decay: float) -> tuple[csr_array, csr_array]:
    """SᵀDS and SᵀDT, from the sums over all parts of what a pair of places counts, by the distance of the two.

    With r = e^(-1 / decay) the part up to place t sums to N_t = Σ r^i, i = 0 … t, so the pair of p and q = p + d has
    r^d Σ r^(2(t - q)) / N_t² over t = q … n - 2 in SᵀS, and r^(d - 1) Σ 1 / N_t over t = p … q - 1 in SᵀT.
    """
    r = np.exp(-1 / decay)
    sums = np.cumsum(r ** np.arange(sessions.lengths.max(initial=0)))
    until = np.concatenate(([0], np.cumsum(1 / sums)))
    distances = range(int(np.ceil(-np.log(NEGLIGIBLE) * decay)) + 1)
    after = np.zeros(len(sessions.movies))
    for distance in distances:
        inside = sessions.pairs(distance + 1)
        after[inside] += r ** (2 * distance) / sums[sessions.places[inside] + distance] ** 2
    inputs, outputs = [], []
    for distance in distances:
        first = sessions.pairs(distance)
        second = first + distance
        pair = sessions.movies[first], sessions.movies[second]
        shared = sessions.weights[first] * r**distance * after[second]
        inputs.append((shared, *pair))
        if distance:
            inputs.append((shared, *reversed(pair)))
            counted = until[sessions.places[second]] - until[sessions.places[first]]
            outputs.append((sessions.weights[first] * r ** (distance - 1) * counted, *pair))
    return _add_up(inputs, movies), _add_up(outputs, movies)


def _add_up(parts: list[tuple[Values, Columns, Columns]], movies: int) -> csr_array:
    values, rows, columns = (np.concatenate(part) for part in zip(*parts, strict=True))
    return coo_array((values, (rows, columns)), shape=(movies, movies)).tocsr()


def _factorise(moment: csr_array, ridge: float) -> Floats:
    """Lower Cholesky factor, column-major, of a moment with its ridge."""
    dense = moment.toarray(order="F").astype(np.float32, order="F")
    dense[np.diag_indices_from(dense)] += np.float32(ridge)
    factor, info = spotrf(dense, lower=1, overwrite_a=1)
    if info != 0:
        raise ValueError("the matrix is not positive definite: use a larger ridge")
    return np.asarray(factor)


def _take_movies(known: Interactions, movies: Columns) -> Interactions:
    """The same with the columns of some movies, which have all interactions."""
    numbers = np.searchsorted(movies, known.stars.indices)
    shape = (known.users, len(movies))
    return Interactions(csr_array((known.stars.data, numbers, known.stars.indptr), shape=shape), known.at)
