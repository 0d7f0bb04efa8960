import numpy as np
import polars as pl

from engine.comparison import compare_models, make_split


def synthetic_ratings(users: int, movies: int, seed: int) -> pl.DataFrame:
    """Two groups of users, each with movies of its own that it likes; some dislikes among them."""
    random = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), 20)
    group = user % 2
    movie = np.concatenate([random.choice(movies // 2, 20, replace=False) for _ in range(users)]) * 2 + group
    stars = random.choice([1.0, 3.0, 4.0, 5.0], len(user)).astype(np.float32)
    return pl.DataFrame({"userId": user + 1, "movieId": movie + 1, "rating": stars})


def test_a_split_keeps_known_and_wanted_apart() -> None:
    users, movies = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 1, 2])
    stars = np.array([5, 3, 4, 2, 5], dtype=np.float32)
    split = make_split(users, movies, stars, np.array([False, False, True, False, True]))
    assert split.stars.toarray().tolist() == [[5, 3, 0], [0, 2, 0]]
    assert split.positives(4).toarray().tolist() == [[1, 0, 0], [0, 0, 0]]
    assert split.positives(3).toarray().tolist() == [[1, 1, 0], [0, 0, 0]]
    counted = np.arange(1, 11, dtype=np.float32)
    assert split.weigh_history(counted).toarray().tolist() == [[10, 6, 0], [0, 4, 0]]
    assert split.stars.toarray().tolist() == [[5, 3, 0], [0, 2, 0]]
    assert [own.tolist() for own in split.relevant] == [[2], [2]]


def test_who_learns_from_the_groups_beats_popularity() -> None:
    counted = np.array([0, 0, 0, 0, 0, 0.5, 0.5, 1, 1, 1], dtype=np.float32)
    popularity, *others = compare_models(synthetic_ratings(60, 80, 7), 2, counted)
    assert popularity.model == "popularity"
    assert [row.model.split(" (")[0] for row in others] == ["EASE dense", "EASE dense", "engine"]
    for row in others:
        assert row.recall > 1.2 * popularity.recall
