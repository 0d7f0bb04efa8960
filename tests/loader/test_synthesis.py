"""Synthesized data against the format, read here line by line, and against what is known of Netflix's."""

import hashlib
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthesis_tools import TRAINING, Made, make, read

from engine.comparison import compare_models
from engine.interactions import Interactions
from engine.models import POPULARITY, SLIM
from engine.protocols import PROTOCOLS
from loader.synthesis.generator import Size, SynthesisError, synthesize
from loader.synthesis.kernels import _find_smallest

SIZE = Size(users=2_000, movies=500, ratings=100_000)
TINY = Size(users=40, movies=20, ratings=200)
FILES = {*TRAINING, "movie_titles.csv", "probe.txt"}


def hashes(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("synthesis") / "new" / "folder", SIZE)


@pytest.fixture(scope="module")
def made(folder: Path) -> Made:
    return read(folder)


def test_the_totals_are_exact_and_no_pair_comes_twice(made: Made) -> None:
    assert made.headers == list(range(1, SIZE.movies + 1))
    assert len(made.ratings) == SIZE.ratings
    assert len({(user, movie) for user, movie, _, _ in made.ratings}) == SIZE.ratings
    assert len({user for user, _, _, _ in made.ratings}) == SIZE.users


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(3, 80), st.floats(0, 1), st.integers(0, 2**40))
def test_the_totals_are_exact_at_any_size(
    tmp_path_factory: pytest.TempPathFactory, users: int, movies: int, fullness: float, seed: int
) -> None:
    size = Size(users, movies, round(users + fullness * (users * movies // 3 - users)))
    made = read(make(tmp_path_factory.mktemp("any"), size, seed))
    assert made.headers == [number for number, _, _ in made.titles] == list(range(1, movies + 1))
    assert len({(user, movie) for user, movie, _, _ in made.ratings}) == len(made.ratings) == size.ratings
    assert len({user for user, _, _, _ in made.ratings}) == users


def test_movies_are_spread_over_the_four_files(folder: Path) -> None:
    counts = [(folder / name).read_text().count(":") for name in TRAINING]
    assert sum(counts) == SIZE.movies
    assert max(counts) - min(counts) <= 1


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    first, again, other = (hashes(make(tmp_path / name, TINY, seed)) for name, seed in (("a", 7), ("b", 7), ("c", 8)))
    assert first == again
    assert first.keys() == other.keys() == FILES
    assert not set(first.values()) & set(other.values())


def test_progress_adds_up_to_the_ratings(tmp_path: Path) -> None:
    told: list[int] = []
    synthesize(tmp_path / "odd", Size(users=40, movies=20, ratings=201), 1, told.append)
    assert sum(told) == 201
    assert min(told) >= 0
    assert len(told) > 1


def test_stars_have_netflix_shares(made: Made) -> None:
    counts = Counter(stars for _, _, stars, _ in made.ratings)
    shares = [100 * counts[stars] / SIZE.ratings for stars in (1, 2, 3, 4, 5)]
    assert shares == pytest.approx([4.6, 10.1, 28.7, 33.6, 23.1], abs=0.3)


def test_activity_and_popularity_are_skewed(made: Made) -> None:
    users = np.array(sorted(Counter(user for user, _, _, _ in made.ratings).values()))
    movies = np.array(sorted(Counter(movie for _, movie, _, _ in made.ratings).values()))
    assert users[0] >= 1
    assert users[-1] > 0.8 * SIZE.movies
    assert np.median(users) < 0.6 * users.mean()
    assert movies[-1] == pytest.approx(SIZE.users * 232_944 / 480_189, rel=0.1)
    assert np.median(movies) < 0.8 * movies.mean()


def test_user_ids_have_gaps_and_tell_nothing_of_activity(made: Made) -> None:
    counts = Counter(user for user, _, _, _ in made.ratings)
    ids = np.array(sorted(counts))
    assert ids[0] >= 1
    assert 0.99 < ids[-1] / (SIZE.users * 2_649_429 / 480_189) <= 1
    assert abs(np.corrcoef(ids, [np.log(counts[user]) for user in ids])[0, 1]) < 0.1
    assert [user for user, movie, _, _ in made.ratings if movie == 1] != sorted(
        user for user, movie, _, _ in made.ratings if movie == 1
    )


def test_dates_rise_over_the_years_and_never_precede_the_movie(made: Made) -> None:
    years = {movie: year for movie, year, _ in made.titles}
    dates = [text for _, _, _, text in made.ratings]
    assert min(dates) >= "1999-11-11"
    assert max(dates) == "2005-12-31"
    assert all(date.fromisoformat(text).isoformat() == text for text in dates)
    assert all(int(text[:4]) >= (years[movie] or 0) for _, movie, _, text in made.ratings)
    by_year = Counter(text[:4] for text in dates)
    assert 2 * by_year["2001"] < 2 * by_year["2003"] < by_year["2005"]


def test_titles_are_as_awkward_as_netflix_ones(made: Made) -> None:
    assert [movie for movie, _, _ in made.titles] == list(range(1, SIZE.movies + 1))
    years = [year for _, year, _ in made.titles]
    assert 1 <= years.count(None) < 10
    assert all(1896 <= year <= 2005 for year in years if year is not None)
    titles = [title for _, _, title in made.titles]
    assert all(title == title.strip() != "" for title in titles)
    assert any("," in title for title in titles)
    assert any(not title.isascii() for title in titles)


def test_the_probe_set_is_a_late_part_of_the_training_files(made: Made) -> None:
    assert len(set(made.probe)) == len(made.probe)
    assert set(made.probe) <= {(user, movie) for user, movie, _, _ in made.ratings}
    assert len(made.probe) / SIZE.ratings == pytest.approx(0.014, abs=0.002)
    ratings = made.columns().with_columns(late=pl.col("date").rank("max").over("user") / pl.len().over("user"))
    late = {(user, movie): share for user, movie, share in ratings.select("user", "movie", "late").rows()}
    assert np.mean([late[pair] for pair in made.probe]) > 0.75


def test_who_learns_tastes_beats_popularity_clearly(made: Made) -> None:
    ratings = made.columns().select(
        pl.col("user").alias("userId"),
        pl.col("movie").alias("movieId"),
        pl.col("stars").alias("rating"),
        pl.col("date").str.to_datetime("%Y-%m-%d", time_unit="ms").alias("at"),
    )
    table = Interactions.from_tables([ratings.sort("userId", "movieId")])[0]
    protocol = PROTOCOLS["random"]
    learned, popular = compare_models(table, protocol, [SLIM, POPULARITY], 1, tuned=False)
    for figure in ("recall@20", "ndcg@20"):
        assert learned.estimate(figure).mean > 1.5 * popular.estimate(figure).mean


def test_tastes_act_on_stars_too(made: Made) -> None:
    """Users agree more about pairs of movies that are often watched together than about others."""
    seen = np.zeros((SIZE.users, SIZE.movies))
    ratings = made.columns()
    users = np.unique(ratings["user"].to_numpy(), return_inverse=True)[1]
    movies = ratings["movie"].to_numpy() - 1
    seen[users, movies] = 1
    stars = np.zeros_like(seen)
    stars[users, movies] = ratings["stars"].to_numpy()
    centred = np.where(seen == 1, stars - stars.sum(axis=1, keepdims=True) / seen.sum(axis=1, keepdims=True), 0)
    centred -= seen * centred.sum(axis=0) / seen.sum(axis=0)
    together = seen.T @ seen
    often = together / np.outer(seen.sum(axis=0), seen.sum(axis=0))
    upper = np.triu(together > 50, 1)
    agreement = (centred.T @ centred)[upper] / together[upper]
    often = often[upper]
    assert agreement[often > np.quantile(often, 0.9)].mean() > agreement[often < np.quantile(often, 0.5)].mean() + 0.05


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"users": 0}, "users is 0: give a positive number"),
        ({"movies": -3}, "movies is -3: give a positive number"),
        ({"ratings": 0}, "ratings is 0: give a positive number"),
        ({"users": 400_000_000, "ratings": 400_000_000}, "users is 400,000,000: give at most 389,"),
        ({"movies": 200_001}, "movies is 200,001: give at most 200,000"),
        ({"users": 11, "ratings": 10}, "ratings is 10: give at least one for each user, 11"),
        ({"users": 10, "movies": 9, "ratings": 31}, "ratings is 31: give at most 30, a third of users x movies"),
    ],
)
def test_a_size_that_cannot_be_is_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(SynthesisError, match=message):
        Size(**wrong)


def test_the_default_size_is_netflix_own() -> None:
    assert Size() == Size(480_189, 17_770, 100_480_507)


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match="seed is -1: give 0"):
        make(tmp_path / "new", TINY, -1)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_anything_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(SynthesisError, match=r"is not empty: .* name a new folder"):
        make(tmp_path, TINY)
    assert [file.name for file in tmp_path.iterdir()] == ["precious.txt"]


def test_a_file_in_the_folder_s_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SynthesisError, match=r"cannot write to .*file"):
        make(tmp_path / "file", TINY)


def test_only_the_files_of_the_format_are_left(folder: Path) -> None:
    assert {file.name for file in folder.iterdir()} == FILES


@pytest.mark.parametrize("calls", [1, 30])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, calls: int) -> None:
    told: list[int] = []

    def interrupt(ratings: int) -> None:
        told.append(ratings)
        if len(told) == calls:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(tmp_path, TINY, 1, interrupt)
    assert not list(tmp_path.iterdir())
    assert hashes(make(tmp_path, TINY)).keys() == FILES


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=30), st.data())
def test_the_smallest_values_are_found_in_place(values: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(values) - 1))
    assert _find_smallest.py_func(np.array(values, dtype=float), place) == sorted(values)[place]
