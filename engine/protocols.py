"""Protocols of evaluation: what models learn from, which histories they are given, and what they must find.

Each protocol makes a `Split`: parameters are chosen on its validation tasks, then the test tasks are looked at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from common.errors import RecommenderError
from engine.evaluation import Values, measure_users
from engine.interactions import Columns, Interactions, Mask, number_within

# Stars from which a test rating counts as found.
RELEVANT_FROM = 4.0
# Liang et al. 2018: users with fewer positives are left out; a held-out user's shown share.
FEWEST_POSITIVES = 5
FOLD_IN = 0.8
MOST_HELD_OUT = 40_000
# Published splits count from 0; larger ids would make matrices of nothing.
LARGEST_ID = 50_000_000
# Validation splits are drawn by seeds of their own.
VALIDATION_SEED = 1000


class ProtocolError(RecommenderError):
    """The ratings do not allow the protocol."""


@dataclass(frozen=True)
class Task:
    """What models learn from; whose next movies are asked for, from which history; and what is to be found.

    `history` and `relevant` have the same users, `training` may have others; all have the same movies. `users` tells
    which users of the data the rows of `history` are. `all_relevant` is given where `relevant` has only what each user
    watched first (engine.timeline): everything that is to be found.
    """

    training: Interactions
    history: Interactions
    relevant: csr_array
    users: Columns
    all_relevant: csr_array | None = None

    @property
    def has_history(self) -> Mask:
        """Which of those who are asked are not strangers."""
        return np.asarray(np.diff(self.history.stars.indptr) > 0)


@dataclass(frozen=True)
class Split:
    """Validation tasks for choosing parameters, and the test tasks."""

    validation: tuple[Task, ...]
    test: tuple[Task, ...]


@dataclass(frozen=True)
class Protocol:
    """A way to split, by seed, so many times unless told otherwise; the first cutoff decides in validation.

    `capped`: which recall (engine.evaluation). `by_task`: means are over tasks and users, each counting once, with
    intervals over users; else over users, of each one's mean over the splits.
    """

    name: str
    split: Callable[[Interactions, int], Split]
    cutoffs: tuple[int, ...]
    capped: bool = True
    by_task: bool = False
    seeds: int = 5

    @property
    def criterion(self) -> str:
        """The measure by which parameters are chosen."""
        return f"ndcg@{self.cutoffs[0]}"

    def measure(self, ranked: Columns, task: Task) -> dict[str, Values]:
        """Accuracy of each user's list of a task, by the name of the measure; nan where there is none."""
        if task.all_relevant is None:
            return measure_users(ranked, task.relevant, self.cutoffs, capped=self.capped)
        known = np.bincount(task.training.stars.indices, minlength=task.training.movies) > 0
        ranked = np.where(known[ranked], ranked, -1)  # nobody can know of movies without a rating: no hits by chance
        every = measure_users(ranked, task.all_relevant, self.cutoffs[-1:])
        return _measure_first_and_all(ranked, task, every, self.cutoffs[0], self.cutoffs[-1])


def _measure_first_and_all(
    ranked: Columns, task: Task, every: dict[str, Values], short: int, long: int
) -> dict[str, Values]:
    """How well the first movie is found among `short`, and all of them among `long`; of strangers only the first."""
    first = measure_users(ranked, task.relevant, (short,))
    measured = {f"{name}@{short}": first[f"{name}@{short}"] for name in ("ndcg", "hr", "mrr")}
    measured |= {f"all {name}@{long}": every[f"{name}@{long}"] for name in ("recall", "ndcg")}
    known = {name: np.where(task.has_history, values, np.nan) for name, values in measured.items()}
    if task.has_history.all():
        return known
    strangers = (f"ndcg@{short}", f"hr@{short}")
    return known | {f"strangers {name}": np.where(task.has_history, np.nan, measured[name]) for name in strangers}


def split_by_share(ratings: Interactions, seed: int) -> Split:
    """`random`: a fifth of each user's ratings is the test part; those of 4 stars or more are to be found."""

    def task(known: Interactions, seed: int) -> Task:
        test = choose_share(known.user_of_each(), seed)
        relevant = known.select(test).positives(RELEVANT_FROM)
        return _task_of_all_users(known.select(~test), relevant)

    test = task(ratings, seed)
    return Split((task(test.training, VALIDATION_SEED + seed),), (test,))


def split_last(ratings: Interactions, seed: int) -> Split:
    """`next`: each user's last watched movie is to be found, however it was rated, given all before it.

    Of several at the same moment (Netflix dates are days) one is drawn by the seed. Users of a single rating are only
    learned from. Others' later ratings are among what is learned from, as is usual with this protocol.
    """

    def task(known: Interactions, seed: int) -> Task:
        last = choose_last(known, seed)
        return _task_of_all_users(known.select(~last), known.select(last).positives(0))

    test = task(ratings, seed)
    return Split((task(test.training, VALIDATION_SEED + seed),), (test,))


def split_users(ratings: Interactions, seed: int, held_out: int | None = None) -> Split:
    """`strong`: generalisation to users never learned from, as in Liang et al. 2018.

    Ratings of 4 stars or more are positives, all others are dropped, as are users with fewer than 5 positives. Of
    `held_out` users each (a tenth of all but at most 40,000, as in the paper, if None) for validation and test, four
    fifths of their positives are shown and the rest is to be found, movies that nobody is learned from left out.
    """
    liked = ratings.select(ratings.stars.data >= RELEVANT_FROM)
    active = np.flatnonzero(np.diff(liked.stars.indptr) >= FEWEST_POSITIVES)
    count = min(MOST_HELD_OUT, len(active) // 10) if held_out is None else held_out
    if not 0 < 2 * count < len(active):
        raise ProtocolError(f"{len(active)} users have 5 ratings of 4 stars or more: too few to hold out {count} twice")
    shuffled = np.random.default_rng(seed).permutation(active)
    training = liked.take_users(np.sort(shuffled[2 * count :]))

    learned = np.bincount(training.stars.indices, minlength=training.movies) > 0

    def task(users: Columns, seed: int) -> Task:
        own = liked.take_users(users)
        own = own.select(learned[own.stars.indices])
        hidden = choose_share(own.user_of_each(), seed, 1 - FOLD_IN)
        history = own.select(~hidden)
        return Task(training, history, own.select(hidden).positives(RELEVANT_FROM), users)

    validation, test = np.sort(shuffled[:count]), np.sort(shuffled[count : 2 * count])
    return Split((task(validation, VALIDATION_SEED + seed),), (task(test, seed),))


PROTOCOLS = {
    "random": Protocol("random", split_by_share, (20,)),
    "next": Protocol("next", split_last, (10, 20)),
}


def strong_protocol(held_out: int | None = None) -> Protocol:
    """`strong`, with so many held-out users (engine.protocols.split_users)."""
    return Protocol("strong", partial(split_users, held_out=held_out), (100, 20, 50))


def files_protocol(train: Path, test: Path) -> tuple[Interactions, Protocol]:
    """`files`: published splits, a line `user item item …` for each user; with what is learned from.

    Rows and columns are of the users and items that are named, in the order of their numbers, which may have gaps.
    Validation is a random fifth of each user's training part. Recall is not capped, as in the tables that use them.
    """
    training_pairs, test_pairs = read_pairs(train), read_pairs(test)
    pairs = np.concatenate([training_pairs, test_pairs])
    (users, user), (movies, movie) = (np.unique(column, return_inverse=True) for column in pairs.T)
    training_pairs, test_pairs = np.split(np.column_stack([user, movie]), [len(training_pairs)])
    shape = len(users), len(movies)
    relevant = _from_pairs(test_pairs, shape).positives(0)

    def split(ratings: Interactions, seed: int) -> Split:
        validation = split_by_share(ratings, VALIDATION_SEED + seed).test
        return Split(validation, (_task_of_all_users(ratings, relevant),))

    return _from_pairs(training_pairs, shape), Protocol("files", split, (20,), capped=False)


def read_pairs(file: Path) -> Columns:
    """User and item of each pair in lines `user item item …`, (pairs, 2). Raises ProtocolError naming file and line."""
    pairs: list[tuple[int, int]] = []
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    user, *items = (int(word) for word in line.split()) if line.strip() else (0,)
                    if min(user, *items, 0) < 0 or max(user, *items, 0) > LARGEST_ID:
                        raise ValueError
                except ValueError:
                    told = f"not whole numbers up to {LARGEST_ID:,}: `user item item …`"
                    raise ProtocolError(f"{file}, line {number}: {told}") from None
                pairs.extend((user, item) for item in items)
    except (OSError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{file} cannot be read as text: {error}") from None
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def choose_share(users: Columns, seed: int, share: float = 0.2) -> Mask:
    """Which ratings are test ratings: `share` of each user's, rounded down, but at least 1 of 5 or more.

    `users` has the user (row or id) of each rating. The same order and seed give the same split.
    """
    _, user = np.unique(users, return_inverse=True)
    counts = np.bincount(user)
    wanted = np.floor(counts * share + 1e-9).astype(np.int64)
    wanted = np.where(counts >= 5, np.maximum(wanted, 1), wanted)
    return np.asarray(number_within(user, np.random.default_rng(seed).random(len(user))) < wanted[user])


def choose_last(ratings: Interactions, seed: int) -> Mask:
    """Each user's newest rating, of equals one drawn by the seed; none of users with a single one."""
    counts = np.diff(ratings.stars.indptr)
    order = np.lexsort((np.random.default_rng(seed).random(len(ratings.at)), ratings.at, ratings.user_of_each()))
    mask = np.zeros(len(ratings.at), dtype=np.bool_)
    mask[order[ratings.stars.indptr[1:][counts > 1] - 1]] = True
    return mask


def _task_of_all_users(known: Interactions, relevant: csr_array) -> Task:
    return Task(known, known, relevant, np.arange(known.users))


def _from_pairs(pairs: Columns, shape: tuple[int, int]) -> Interactions:
    """Pairs as interactions of RELEVANT_FROM stars, at no moment."""
    pairs = np.unique(pairs, axis=0)
    values = np.full(len(pairs), RELEVANT_FROM, dtype=np.float32)
    stars = csr_array((values, (pairs[:, 0], pairs[:, 1])), shape=shape)
    stars.sort_indices()
    return Interactions(stars, np.zeros(len(pairs), dtype=np.int64))
