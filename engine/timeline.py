"""`time`: a global timeline. Everything before a moment is learned from, what people watch after it is to be found.

So nothing is learned from the future, as it is with the other protocols (docs/evaluation.md).
"""

import numpy as np
from numpy.typing import NDArray

from engine.interactions import Interactions, Mask
from engine.protocols import Protocol, ProtocolError, Split, Task

# Where the ratings are cut, in percent of all of them by time, and how many percent are watched after a cut.
VALIDATION_CUTS = (50, 55, 60, 65)
TEST_CUTS = (70, 75, 80, 85, 90)
WINDOW = 5


def split_by_time(ratings: Interactions, seed: int) -> Split:
    """`time`: who watches what until the next cut, given all before this one; the earlier cuts are for validation.

    Asked is everybody who watches something then, whatever stars it is given: the first such movie is to be found, and
    all of them (`Task.all_relevant`). Of several at the same moment the seed draws the first. Whoever has no rating
    before the cut is a stranger, with an empty history. Raises ProtocolError if the ratings have too few moments.
    """
    validation, test = (_tasks_at(ratings, cuts, seed) for cuts in (VALIDATION_CUTS, TEST_CUTS))
    if not (validation and test):
        raise ProtocolError("the ratings have no timeline: too few moments, or nobody who comes back after a cut")
    return Split(validation, test)


def task_between(ratings: Interactions, begin: int, end: int, seed: int = 0) -> Task:
    """Everything before `begin` is known; what is watched from then until before `end` is to be found.

    Moments are milliseconds. Movies that nobody has rated before keep their columns, which are empty.
    """
    known = ratings.select(ratings.at < begin)
    watched = ratings.select((ratings.at >= begin) & (ratings.at < end))
    users = np.flatnonzero(np.diff(watched.stars.indptr))
    watched = watched.take_users(users)
    first = watched.select(choose_first(watched, seed)).positives(0)
    return Task(known, known.take_users(users), first, users, watched.positives(0))


def find_moment(at: NDArray[np.int64], percent: int) -> int:
    """The moment before which so many percent of the ratings are, or fewer: those of one moment stay together."""
    place = len(at) * percent // 100
    return int(np.partition(at, place)[place])


def choose_first(ratings: Interactions, seed: int) -> Mask:
    """Each user's oldest rating, of equals one drawn by the seed."""
    order = np.lexsort((np.random.default_rng(seed).random(len(ratings.at)), ratings.at, ratings.user_of_each()))
    begins = ratings.stars.indptr[:-1][np.diff(ratings.stars.indptr) > 0]
    mask = np.zeros(len(ratings.at), dtype=np.bool_)
    mask[order[begins]] = True
    return mask


def _tasks_at(ratings: Interactions, cuts: tuple[int, ...], seed: int) -> tuple[Task, ...]:
    """The tasks of cuts after which somebody comes back."""
    if not len(ratings.at):
        return ()
    bounds = [[find_moment(ratings.at, percent) for percent in (cut, cut + WINDOW)] for cut in cuts]
    tasks = (task_between(ratings, begin, end, seed) for begin, end in bounds)
    return tuple(task for task in tasks if task.has_history.any())


TIME = Protocol("time", split_by_time, (10, 20), by_task=True, seeds=1)
