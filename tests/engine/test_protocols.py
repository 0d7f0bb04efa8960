"""Splits: what is learned from, shown and hidden, user by user."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.interactions import Interactions, order_places
from engine.protocols import (
    PROTOCOLS,
    RELEVANT_FROM,
    ProtocolError,
    Split,
    Task,
    choose_last,
    choose_share,
    files_protocol,
    strong_protocol,
)

NOON = datetime(2020, 1, 1, 12)
Pairs = set[tuple[int, int]]


def table(rows: list[tuple[int, int, float, int]]) -> pl.DataFrame:
    """userId, movieId, rating, and days since NOON."""
    frame = pl.DataFrame(rows, schema=["userId", "movieId", "rating", "day"], orient="row").sort("userId", "movieId")
    at = pl.Series("at", [NOON + timedelta(days=day) for day in frame["day"]], dtype=pl.Datetime("ms"))
    return frame.with_columns(at)


def random_ratings(users: int = 40, movies: int = 30, seed: int = 1) -> Interactions:
    random = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        for movie in random.choice(movies, random.integers(1, 20), replace=False):
            rows.append((user * 3 + 5, int(movie) + 7, float(random.choice([1, 3, 4, 5])), int(random.integers(9))))
    return Interactions.from_tables([table(rows)])[0]


def pairs(interactions: Interactions) -> Pairs:
    return set(zip(interactions.user_of_each().tolist(), interactions.stars.indices.tolist(), strict=True))


def wanted(task: Task) -> Pairs:
    rows, columns = task.relevant.nonzero()
    return set(zip(rows.tolist(), columns.tolist(), strict=True))


def test_interactions_keep_ids_stars_and_moments_together() -> None:
    first, second = table([(4, 9, 2.0, 3), (4, 7, 5.0, 1)]), table([(2, 8, 3.5, 2)])
    found, user_ids, movie_ids = Interactions.from_tables([first, second])
    assert (user_ids.tolist(), movie_ids.tolist()) == ([4, 2], [7, 8, 9])
    assert found.stars.toarray().tolist() == [[5, 0, 2], [0, 3.5, 0]]
    days = (found.at - found.at.min()) // 86_400_000
    assert days.tolist() == [0, 2, 1]
    assert found.positives(3.5).toarray().tolist() == [[1, 0, 0], [0, 1, 0]]
    assert found.ordered_positives(2.0).toarray().tolist() == [[1, 0, 2], [0, 1, 0]]
    other = found.take_users(np.array([1, 0]))
    assert other.stars.toarray().tolist() == [[0, 3.5, 0], [5, 0, 2]]
    assert other.at.tolist() == found.at[[2, 0, 1]].tolist()
    kept = found.select(np.array([False, True, True]))
    assert (kept.stars.toarray().tolist(), kept.at.tolist()) == ([[0, 0, 2], [0, 3.5, 0]], found.at[1:].tolist())


@pytest.mark.parametrize(("ratings", "test"), [(1, 0), (4, 0), (5, 1), (9, 1), (10, 2), (14, 2), (15, 3), (100, 20)])
def test_a_fifth_of_each_user(ratings: int, test: int) -> None:
    users = np.random.default_rng(0).permutation(np.repeat([70, 3, 11], [ratings, 5, 8]))
    mask = choose_share(users, seed=1)
    assert [mask[users == user].sum() for user in (70, 3, 11)] == [test, 1, 1]


def test_a_share_follows_the_seed_alone() -> None:
    users = np.repeat(np.arange(20), 30)
    assert np.array_equal(choose_share(users, seed=4), choose_share(users, seed=4))
    assert not np.array_equal(choose_share(users, seed=4), choose_share(users, seed=5))
    chosen = np.mean([choose_share(users, seed=seed) for seed in range(300)], axis=0)
    assert np.abs(chosen - 0.2).max() < 0.1  # every rating has the same chance
    assert choose_share(np.array([], dtype=np.int64), seed=0).tolist() == []
    assert choose_share(np.repeat([1, 2], [4, 6]), seed=0, share=0.05).sum() == 1


@pytest.mark.parametrize("protocol", [*PROTOCOLS.values(), strong_protocol(4)], ids=lambda one: one.name)
def test_nothing_to_be_found_is_known(protocol) -> None:
    ratings = random_ratings()
    split: Split = protocol.split(ratings, 3)
    for task in (*split.validation, *split.test):
        shown, hidden = pairs(task.history), wanted(task)
        assert shown
        assert hidden
        assert not shown & hidden
        by_user = [(int(task.users[row]), column) for row, column in shown | hidden]
        assert set(by_user) <= pairs(ratings)
    again, other = protocol.split(ratings, 3), protocol.split(ratings, 4)
    for part in ("validation", "test"):
        [first], [same], [drawn_otherwise] = (getattr(one, part) for one in (split, again, other))
        assert wanted(same) == wanted(first) != wanted(drawn_otherwise)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=lambda one: one.name)
def test_validation_never_sees_the_test_part(protocol) -> None:
    split: Split = protocol.split(random_ratings(), 2)
    [validation], [test] = split.validation, split.test
    known = pairs(test.training)
    assert pairs(validation.training) < known
    assert wanted(validation) <= known
    assert not wanted(validation) & pairs(validation.training)
    assert not wanted(test) & (pairs(validation.training) | wanted(validation))


def test_next_hides_the_newest_and_one_of_equals() -> None:
    ratings, _, _ = Interactions.from_tables(
        [table([(1, 1, 2.0, 5), (1, 2, 5.0, 9), (1, 3, 5.0, 1), (2, 1, 4.0, 3), (2, 3, 1.0, 3), (3, 2, 5.0, 0)])]
    )
    assert {tuple(choose_last(ratings, seed).tolist()) for seed in range(20)} == {
        (False, True, False, True, False, False),
        (False, True, False, False, True, False),
    }
    [task] = PROTOCOLS["next"].split(ratings, 0).test
    assert wanted(task) >= {(0, 1)}
    assert task.relevant[2].nnz == 0


def test_strong_learns_nothing_from_those_who_are_asked() -> None:
    ratings = random_ratings(60)
    split: Split = strong_protocol(6).split(ratings, 1)
    [validation], [test] = split.validation, split.test
    likers = np.diff(ratings.select(ratings.stars.data >= 4).stars.indptr)
    tested, validated = test.users, validation.users
    assert len(tested) == len(validated) == 6
    assert not set(tested) & set(validated)
    assert test.training.users == (likers >= 5).sum() - 12
    assert (test.training.stars.data >= 4).all()
    for task in (test, validation):
        known = np.diff(task.history.stars.indptr)
        assert ((known + np.diff(task.relevant.indptr)) == likers[task.users]).all()
        assert (np.diff(task.relevant.indptr) == np.maximum(likers[task.users] // 5, 1)).all()
    with pytest.raises(ProtocolError, match="too few to hold out 40 twice"):
        strong_protocol(40).split(ratings, 1)


def test_strong_asks_a_tenth_unless_told_and_learns_from_somebody() -> None:
    rows = [(user, movie, 5.0, 0) for user in range(40) for movie in range(6)]
    [ratings, *_] = Interactions.from_tables([table(rows)])
    split = strong_protocol().split(ratings, 1)
    assert [len(task.users) for task in (*split.validation, *split.test)] == [4, 4]
    strong_protocol(19).split(ratings, 1)
    for held_out in (0, 20):
        with pytest.raises(ProtocolError):
            strong_protocol(held_out).split(ratings, 1)


def test_strong_does_not_ask_for_what_nobody_is_learned_from() -> None:
    rows = [(user, movie, 5.0, 0) for user in range(20) for movie in range(6)]
    alone = [(user, 100 + user, 5.0, 0) for user in range(20)]
    [task] = strong_protocol(3).split(Interactions.from_tables([table(rows + alone)])[0], 1).test
    assert max(column for _, column in wanted(task) | pairs(task.history)) < 6


def test_published_splits(tmp_path: Path) -> None:
    train, test = tmp_path / "train.txt", tmp_path / "test.txt"
    train.write_text("0 1 2 3 4 5 6\n2 0 4\n\n1 5\n")
    test.write_text("0 0 7\n2 3\n1\n")
    ratings, protocol = files_protocol(train, test)
    split = protocol.split(ratings, 0)
    [validation], [test] = split.validation, split.test
    assert pairs(test.training) == {(0, m) for m in range(1, 7)} | {(2, 0), (2, 4), (1, 5)}
    assert wanted(test) == {(0, 0), (0, 7), (2, 3)}
    assert not protocol.capped
    assert ratings.stars.shape == test.relevant.shape == (3, 8)
    assert len(wanted(validation)) == 1
    assert wanted(validation) < pairs(test.training)


def test_a_published_split_without_test_pairs_has_nothing_to_find(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("0 1 2\n0 2\n")
    (tmp_path / "test.txt").write_text("")
    ratings, protocol = files_protocol(tmp_path / "train.txt", tmp_path / "test.txt")
    assert ratings.stars.toarray().tolist() == [[RELEVANT_FROM, RELEVANT_FROM]]
    [task] = protocol.split(ratings, 0).test
    assert wanted(task) == set()


def test_the_numbers_of_a_published_split_may_have_gaps(tmp_path: Path) -> None:
    """A matrix as wide as the largest of them would not fit into memory."""
    train, test = tmp_path / "train.txt", tmp_path / "test.txt"
    train.write_text("7 40000000 2\n50000000 30\n")
    test.write_text("7 30\n")
    ratings, protocol = files_protocol(train, test)
    [task] = protocol.split(ratings, 0).test
    assert pairs(ratings) == {(0, 0), (0, 2), (1, 1)}
    assert wanted(task) == {(0, 1)}


@pytest.mark.parametrize(
    "text", ["0 1\n1 two\n", "0 1\n1 -2\n", "0 1\n1.5 2\n", "0 1\n1 50000001\n", "50000000 1\n50000001 2\n"]
)
def test_a_line_that_is_no_split_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(ProtocolError, match=r"bad\.txt, line 2: not whole numbers"):
        files_protocol(tmp_path / "bad.txt", tmp_path / "bad.txt")


def test_places_of_one_moment_are_the_same() -> None:
    users = np.array([0, 0, 0, 0, 1, 1])
    at = np.array([5, 3, 5, 9, 2, 2])
    assert order_places(users, at).tolist() == [2, 1, 2, 4, 1, 1]
    assert order_places(users[:0], at[:0]).tolist() == []
