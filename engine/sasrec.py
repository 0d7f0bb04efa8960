"""SASRec (Kang & McAuley 2018, Self-Attentive Sequential Recommendation), of Keras' layers on JAX, for comparison only.

What comes next is learned at every place of every history by the full softmax over all movies, not by sampled
negatives, with which the model looks worse than it is (Klenitskiy & Vasilev 2023, Turning Dross Into Gold Loss).
Needs requirements-evaluation.txt; nothing else imports this module before it is asked for.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

from common.times import DAY
from engine.baselines import Floats, rank_by_scores
from engine.interactions import Columns, Interactions, number_within
from engine.timeline import find_moment

# So many movies of a history are looked at, the newest.
LONGEST = 50
# Histories are filled up to one of these lengths: few shapes to compile for, little computed for nothing.
LENGTHS = (8, LONGEST)
PLACES_A_BATCH = 2000
BLOCKS, HEADS = 2, 2
DROPOUT = 0.2
RATE = 0.003
MOST_EPOCHS, PATIENCE = 20, 1
# The last tenth of what is known, by moment, tells when to stop.
STOPPING_PERCENT = 90
SEED = 1

logger = logging.getLogger(__name__)

Numbers = NDArray[np.int32]
Batch = tuple[Numbers, Numbers, Floats]


@dataclass(frozen=True)
class SasrecParameters:
    """What is tuned: the age at which what was watched counts e^-1 as a target, and the length of the vectors.

    As published, all targets count alike; so they do with very many days.
    """

    days: float = 8
    size: float = 32


@dataclass(frozen=True)
class Pieces:
    """Parts of histories, a row each: movies from 1 in their order, filled up with 0; when each was watched; whose."""

    movies: Numbers
    at: NDArray[np.int64]
    users: Columns

    @classmethod
    def of(cls, interactions: Interactions, numbers: Columns, length: int) -> "Pieces":
        """All interactions, of each user in pieces of this length, of which the newest is the last and full.

        `numbers`: of each column, from 1.
        """
        users, columns = interactions.user_of_each(), interactions.stars.indices
        pieces = number_within(users, -interactions.at, -columns) // length
        most = int(pieces.max(initial=0)) + 1
        keys, rows = np.unique(users * most + (most - 1 - pieces), return_inverse=True)
        places = number_within(rows, interactions.at, columns)
        movies, at = np.zeros((len(keys), length), dtype=np.int32), np.zeros((len(keys), length), dtype=np.int64)
        movies[rows, places] = numbers[columns]
        at[rows, places] = interactions.at
        return cls(movies, at, keys // most)

    def batches(self, begin: int, end: int, days: float, random: np.random.Generator) -> Iterator[Batch]:
        """Inputs, targets and what each target counts, where these were watched from `begin` until before `end`.

        Movies that nobody watched before `begin`, if anybody watched any, are no targets.
        """
        inputs, targets = self.movies[:, :-1], self.movies[:, 1:]
        wanted = (targets > 0) & (self.at[:, 1:] >= begin) & (self.at[:, 1:] < end)
        if (before := self.movies[(self.movies > 0) & (self.at < begin)]).size:
            wanted &= np.isin(targets, before)
        lengths = np.where(wanted.any(axis=1), wanted.shape[1] - np.argmax(wanted[:, ::-1], axis=1), 0)
        found = []
        for least, length in zip((0, *LENGTHS[:-1]), LENGTHS, strict=True):
            rows = random.permutation(np.flatnonzero((lengths > least) & (lengths <= length)))
            size = PLACES_A_BATCH // length
            for first in range(0, len(rows), size):
                own = np.resize(rows[first : first + size], size)  # one shape: those that are repeated count nothing
                ages = (end - self.at[own, 1 : length + 1]) / DAY
                weights = np.where(wanted[own, :length], np.exp(-ages / days), 0).astype(np.float32)
                weights[len(rows) - first :] = 0
                found.append((inputs[own, :length], targets[own, :length], weights))
        yield from (found[number] for number in random.permutation(len(found)))


def rank_sasrec(known: Interactions, history: Interactions, count: int, parameters: SasrecParameters) -> Columns:
    """Each user's best columns (users x count); whatever was watched counts, however it was rated."""
    movies = np.unique(known.stars.indices)
    numbers = np.zeros(known.movies, dtype=np.int64)
    numbers[movies] = np.arange(1, len(movies) + 1)
    pieces = Pieces.of(known, numbers, LONGEST + 1)
    network = fit_network(pieces, len(movies), find_moment(known.at, STOPPING_PERCENT), parameters)
    asked = describe_users(network, Pieces.of(history, numbers, LONGEST), history.users)
    vectors = np.asarray(network.get_layer("movies").embeddings)[1:]

    def scores(rows: slice) -> Floats:
        batch = np.zeros((len(asked[rows]), known.movies), dtype=np.float32)
        batch[:, movies] = asked[rows] @ vectors.T
        return batch

    return rank_by_scores(scores, history.stars, count)


def fit_network(pieces: Pieces, movies: int, stop: int, parameters: SasrecParameters) -> Any:
    """A network fitted to all pieces, for as many epochs as were best at what comes from the moment `stop` on."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(SEED)
    network, random = build_network(movies, parameters), np.random.default_rng(SEED)
    begin, end = 0, int(pieces.at.max()) + 1
    state = [np.asarray(variable) for variable in (*network.variables, *network.optimizer.variables)]
    losses: list[float] = []
    while len(losses) < MOST_EPOCHS and len(losses) - np.argmin([*losses, np.inf]) <= PATIENCE:
        _learn(network, pieces.batches(begin, stop, parameters.days, random))
        losses.append(_mean_loss(network, pieces.batches(stop, end, np.inf, random)))
    logger.debug("SASRec's losses by epoch: %s", losses)
    for variable, value in zip((*network.variables, *network.optimizer.variables), state, strict=True):
        variable.assign(value)
    for _ in range(int(np.argmin(losses)) + 1):
        _learn(network, pieces.batches(begin, end, parameters.days, random))
    return network


def build_network(movies: int, parameters: SasrecParameters) -> Any:
    """Numbers of movies (batch x places) to scores of all movies at every place, from itself and what came before."""
    size, layers = int(parameters.size), keras.layers
    inputs = keras.Input((None,), dtype="int32")
    embedding = layers.ReversibleEmbedding(movies + 1, size, name="movies")
    places = keras.ops.cumsum(keras.ops.ones_like(inputs), axis=1) - 1
    hidden = layers.Dropout(DROPOUT)(embedding(inputs) + layers.Embedding(LONGEST, size)(places))
    for _ in range(BLOCKS):
        normed = layers.LayerNormalization()(hidden)
        attention = layers.MultiHeadAttention(HEADS, size // HEADS, dropout=DROPOUT)
        hidden = hidden + layers.Dropout(DROPOUT)(attention(normed, normed, use_causal_mask=True))
        inner = layers.Dense(size, activation="relu")(layers.LayerNormalization()(hidden))
        hidden = hidden + layers.Dropout(DROPOUT)(layers.Dense(size)(inner))
    hidden = layers.LayerNormalization(name="described")(hidden)
    network = keras.Model(inputs, embedding(hidden, reverse=True))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")
    network.compile(optimizer=keras.optimizers.Adam(RATE), loss=loss)
    network.optimizer.build(network.trainable_variables)
    return network


def describe_users(network: Any, pieces: Pieces, users: int) -> Floats:
    """What each user's newest piece says of what comes next, as a vector; zeros of strangers."""
    newest = np.flatnonzero(np.diff(pieces.users, append=-1) != 0)
    layer = network.get_layer("described").output
    hidden = keras.Model(network.input, layer).predict(pieces.movies[newest], batch_size=256, verbose=0)
    last = np.count_nonzero(pieces.movies[newest], axis=1) - 1
    vectors = np.zeros((users, hidden.shape[2]), dtype=np.float32)
    vectors[pieces.users[newest]] = hidden[np.arange(len(newest)), last]
    return vectors


def _learn(network: Any, batches: Iterator[Batch]) -> None:
    for inputs, targets, weights in batches:
        network.train_on_batch(inputs, targets, sample_weight=weights)


def _mean_loss(network: Any, batches: Iterator[Batch]) -> float:
    total = counted = 0.0
    for inputs, targets, weights in batches:
        network.reset_metrics()
        total += float(network.test_on_batch(inputs, targets, sample_weight=weights)) * float(weights.sum())
        counted += float(weights.sum())
    return total / counted if counted else float("nan")
