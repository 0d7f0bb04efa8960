"""The global timeline: nothing of what comes after a cut is known before it."""

from dataclasses import replace

import numpy as np
import pytest

from engine.comparison import tune
from engine.interactions import Interactions
from engine.models import COMPARED, LATELY, SASREC
from engine.protocols import ProtocolError, Task
from engine.timeline import TEST_CUTS, TIME, VALIDATION_CUTS, find_moment, split_by_time, task_between
from tests.engine.test_protocols import pairs, table, wanted

Row = tuple[int, int, float, int]


def draw_rows(users: int = 50, movies: int = 40, days: int = 400, seed: int = 3) -> list[Row]:
    """Users who come at some day and stay for a while, two groups with their own movies, releases over time."""
    random = np.random.default_rng(seed)
    rows: dict[tuple[int, int], Row] = {}
    for user in range(users):
        begin = int(random.integers(days))
        for day in random.integers(begin, days + 1, 14).tolist():
            out = max(4, movies * day // days // 2)
            movie = int(random.integers(out)) * 2 + user % 2
            rows.setdefault((user, movie), (user, movie, float(random.choice([1, 3, 4, 5])), day))
    return list(rows.values())


def as_interactions(rows: list[Row]) -> Interactions:
    return Interactions.from_tables([table(rows)])[0]


def day_of(ratings: Interactions, moment: int) -> int:
    return round((moment - int(ratings.at.min())) / 86_400_000)


def split_by_brute_force(rows: list[Row], percent: int) -> tuple[set[Row], dict[int, set[int]], dict[int, int]]:
    """Rows before the cut; of each user, movies of the window, and the day of the first."""
    days = sorted(day for *_, day in rows)
    begin, end = (days[len(rows) * share // 100] for share in (percent, percent + 5))
    watched: dict[int, set[int]] = {}
    first: dict[int, int] = {}
    for user, movie, _, day in sorted(rows, key=lambda row: row[3]):
        if begin <= day < end:
            watched.setdefault(user, set()).add(movie)
            first.setdefault(user, day)
    return {row for row in rows if row[3] < begin}, watched, first


def test_tasks_equal_brute_force() -> None:
    rows = draw_rows()
    ratings, user_ids, movie_ids = Interactions.from_tables([table(rows)])
    split = split_by_time(ratings, 0)
    assert (len(split.validation), len(split.test)) == (len(VALIDATION_CUTS), len(TEST_CUTS))
    day_of_pair = {(user, movie): day for user, movie, _, day in rows}
    strangers = 0
    for cut, task in zip((*VALIDATION_CUTS, *TEST_CUTS), (*split.validation, *split.test), strict=True):
        known, watched, first = split_by_brute_force(rows, cut)
        told = {(int(user_ids[row]), int(movie_ids[column])) for row, column in pairs(task.training)}
        assert told == {(user, movie) for user, movie, *_ in known}
        asked = user_ids[task.users]
        assert set(asked.tolist()) == set(watched)
        told = {(int(asked[row]), int(movie_ids[column])) for row, column in pairs(task.history)}
        assert told == {(user, movie) for user, movie, *_ in known if user in watched}
        assert task.all_relevant is not None
        for row, user in enumerate(asked.tolist()):
            assert set(movie_ids[task.all_relevant[[row]].indices].tolist()) == watched[user]
            [movie] = movie_ids[task.relevant[[row]].indices].tolist()
            assert day_of_pair[user, movie] == first[user]
        assert task.has_history.tolist() == [any(row[0] == user for row in known) for user in asked.tolist()]
        strangers += int((~task.has_history).sum())
    assert strangers


def shuffle_future(rows: list[Row], day: int, seed: int) -> list[Row]:
    """Whoever watches from that day on watches something else, with other stars, at other moments."""
    random = np.random.default_rng(seed)
    known, movies = {(user, movie) for user, movie, _, at in rows if at < day}, sorted({row[1] for row in rows})
    future: dict[tuple[int, int], Row] = {}
    for user, *_, at in rows:
        if at >= day:
            movie = int(random.choice([movie for movie in movies if (user, movie) not in known]))
            future[user, movie] = (user, movie, float(random.integers(1, 6)), int(random.integers(day, 401)))
    return [row for row in rows if row[3] < day] + list(future.values())


@pytest.mark.parametrize("key", [key for key in COMPARED if key != SASREC.key])
def test_what_comes_after_the_cut_changes_no_list(key: str) -> None:
    model = COMPARED[key]
    rows = [*draw_rows(), *((900, movie, 3.0, 0) for movie in range(40))]  # who knows all: the columns stay the same
    ratings = as_interactions(rows)
    begin, end = (find_moment(ratings.at, percent) for percent in (70, 75))
    other = as_interactions(shuffle_future(rows, day_of(ratings, begin), 1))
    tasks = [task_between(ratings, begin, end), task_between(other, begin, int(other.at.max()))]
    assert wanted(tasks[0]) != wanted(tasks[1])
    lists = [
        dict(zip(task.users.tolist(), model.rank(task, 10, model.parameters).tolist(), strict=True)) for task in tasks
    ]
    common = set(lists[0]) & set(lists[1])
    assert len(common) > 5
    assert any(max(lists[0][user]) >= 0 for user in common)
    assert all(lists[0][user] == lists[1][user] for user in common)


def test_parameters_are_chosen_before_the_first_test_cut() -> None:
    rows = draw_rows()
    ratings = as_interactions(rows)
    [first, *_] = (find_moment(ratings.at, cut) for cut in TEST_CUTS)
    split = split_by_time(ratings, 0)
    for task in split.validation:
        assert task.training.at.max() < first
        assert task.all_relevant is not None
        later = set(zip(*(part.tolist() for part in ratings.select(ratings.at >= first).stars.nonzero()), strict=True))
        own = task.all_relevant.nonzero()
        assert not later & set(zip(task.users[own[0]].tolist(), own[1].tolist(), strict=True))


def test_a_movie_unknown_before_the_cut_is_missed_also_where_a_list_has_it() -> None:
    ratings = as_interactions([(1, 1, 5.0, 0), (2, 2, 5.0, 0), (1, 3, 5.0, 9), (2, 1, 5.0, 9), (2, 3, 5.0, 10)])
    task = task_between(ratings, int(ratings.at.min()) + 1, 2**62)
    measured = TIME.measure(np.array([[2, 1], [2, 0]]), task)
    np.testing.assert_allclose(measured["ndcg@10"], [0, 1 / np.log2(3)])
    np.testing.assert_allclose(measured["all recall@20"], [0, 0.5])


def test_strangers_are_measured_apart() -> None:
    rows = [(1, 1, 5.0, 0), (1, 2, 5.0, 2), (1, 3, 5.0, 3), (2, 2, 5.0, 2), (3, 3, 5.0, 0), (4, 2, 5.0, 0)]
    ratings = as_interactions(rows)
    task = task_between(ratings, int(ratings.at.min()) + 1, 2**62)
    assert task.users.tolist() == [0, 1]
    assert task.has_history.tolist() == [True, False]
    measured = TIME.measure(np.array([[2, 1, -1], [1, -1, -1]]), task)
    second = 1 / np.log2(3)
    np.testing.assert_allclose(measured["ndcg@10"], [second, np.nan])
    np.testing.assert_allclose(measured["mrr@10"], [0.5, np.nan])
    np.testing.assert_allclose(measured["all recall@20"], [1, np.nan])
    np.testing.assert_allclose(measured["strangers ndcg@10"], [np.nan, 1])
    known = replace(task, history=ratings.take_users(np.array([0, 1])))
    assert "strangers ndcg@10" not in TIME.measure(np.array([[2, 1, -1], [1, -1, -1]]), known)


def test_validation_finds_the_half_life_over_all_its_cuts() -> None:
    """What is watched is what was watched in the last days, so a short half-life is best."""
    random = np.random.default_rng(2)
    rows: dict[tuple[int, int], Row] = {}
    for day in range(120):
        for user in random.choice(30, 10, replace=False).tolist():
            movie = day // 3 + int(random.integers(3))
            rows.setdefault((user, movie), (user, movie, 4.0, day))
    split = split_by_time(as_interactions(list(rows.values())), 0)
    asked: set[int] = set()

    def rank(task: Task, count: int, parameters: dict[str, float]) -> np.ndarray:
        asked.add(id(task))
        return LATELY.rank(task, count, parameters)

    assert tune(replace(LATELY, rank=rank), split.validation, TIME)["half_life"] <= 3
    assert asked == {id(task) for task in split.validation}


def test_a_cut_keeps_ratings_of_one_moment_together() -> None:
    at = np.array([5, 1, 3, 3, 3, 9, 9, 7])
    assert [find_moment(at, percent) for percent in (0, 25, 50, 99)] == [1, 3, 5, 9]


@pytest.mark.parametrize("rows", [[], [(user, movie, 4.0, 0) for user in range(9) for movie in range(5)]])
def test_ratings_of_one_moment_have_no_timeline(rows: list[Row]) -> None:
    with pytest.raises(ProtocolError, match="no timeline"):
        split_by_time(as_interactions(rows) if rows else Interactions.from_tables([table([])])[0], 0)
