"""Parameters of predicted stars are chosen on the ratings at hand, and the interval holds four of five."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from engine import star_choice
from engine.interactions import Interactions
from engine.star_baseline import BaselineParameters
from engine.star_choice import choose_parameters, describe_parameters, hide
from engine.stars import StarsParameters, fit_stars

DEFAULTS = StarsParameters(neighbours=10)


def draw_ratings(
    users: int = 300,
    movies: int = 40,
    user_bias: float = 0.4,
    movie_bias: float = 0.4,
    noise: float = 0.5,
    seed: int = 1,
) -> Interactions:
    """Biases without tastes, on a scale without ends; each user's ratings are of one hour."""
    rng = np.random.default_rng(seed)
    liking = 5 + rng.normal(0, user_bias, (users, 1)) + rng.normal(0, movie_bias, (1, movies))
    liking += rng.normal(0, noise, (users, movies))
    stars = csr_array(np.where(rng.random((users, movies)) < 0.5, liking, 0).astype(np.float32))
    hour = np.repeat(rng.permutation(users), np.diff(stars.indptr))
    return Interactions(stars, 3_600_000 * hour + rng.integers(0, 3_600_000, stars.nnz))


def test_users_who_are_alike_are_drawn_to_the_mean() -> None:
    alike = choose_parameters(draw_ratings(user_bias=0.01), DEFAULTS).parameters.baseline
    unlike = choose_parameters(draw_ratings(user_bias=1.5), DEFAULTS).parameters.baseline
    assert alike.user_ridge >= 8
    assert unlike.user_ridge <= 1


def test_neighbours_that_tell_nothing_count_little() -> None:
    assert choose_parameters(draw_ratings(), DEFAULTS).parameters.ridge >= 32


def test_what_is_not_in_the_grids_stays() -> None:
    start = replace(DEFAULTS, candidates=77, least_raters=3)
    chosen = choose_parameters(draw_ratings(), start).parameters
    assert (chosen.neighbours, chosen.candidates, chosen.least_raters) == (10, 77, 3)


def drift(ratings: Interactions, size: float) -> Interactions:
    """The same, of users whose bias has changed within the last quarter of an hour."""
    mood = np.random.default_rng(9).normal(0, size, (ratings.users, 100))
    minutes = (ratings.at - 3_600_000 * (ratings.at // 3_600_000)) // 900_000
    shifted = (ratings.stars.data + mood[ratings.user_of_each(), minutes]).astype(np.float32)
    return Interactions(ratings.values(shifted), ratings.at)


def test_a_bias_moves_where_moods_do() -> None:
    assert choose_parameters(draw_ratings(), DEFAULTS).parameters.half_life is None
    moving = choose_parameters(drift(draw_ratings(noise=0.2), 0.8), DEFAULTS)
    assert moving.parameters.half_life in (300, 3600)
    assert "of the newest" in moving.basis


@pytest.mark.parametrize(("noise", "tails"), [(0.3, False), (0.9, False), (0.3, True)])
def test_the_interval_holds_four_of_five_of_other_ratings(noise: float, tails: bool) -> None:
    """Also where errors are not normal: most are small, and some large."""
    ratings, rng = draw_ratings(noise=noise), np.random.default_rng(2)
    if tails:
        far = np.where(rng.random(ratings.stars.nnz) < 0.1, rng.normal(0, 2, ratings.stars.nnz), 0)
        ratings = Interactions(ratings.values((ratings.stars.data + far).astype(np.float32)), ratings.at)
    hidden = hide(ratings, rng.random(ratings.stars.nnz) < 0.3)
    choice = choose_parameters(hidden.learned, DEFAULTS)
    errors, deviation = hidden.measure(fit_stars(hidden.learned.stars, choice.parameters))
    assert np.mean(np.abs(errors) <= choice.margin * deviation) == pytest.approx(0.8, abs=0.04)
    assert (choice.margin < 1) == tails


def test_ratings_of_one_moment_have_no_timeline() -> None:
    ratings = draw_ratings()
    choice = choose_parameters(Interactions(ratings.stars, np.zeros_like(ratings.at)), DEFAULTS)
    assert choice.basis.endswith("there is no timeline")
    assert choice.parameters.half_life is None


def test_few_ratings_keep_the_defaults() -> None:
    choice = choose_parameters(draw_ratings(users=10), DEFAULTS)
    assert choice.parameters == DEFAULTS
    assert choice.margin == pytest.approx(1.2816)


def test_of_many_ratings_those_of_some_users_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(star_choice, "RATINGS", 3_000)
    told: list[str] = []
    ratings = draw_ratings()
    assert ratings.stars.nnz > 5_000
    choose_parameters(ratings, DEFAULTS, told.append)
    count = int(told[0].split(" of ")[1].split(" ")[0].replace(",", ""))
    assert 2_900 < count <= 3_000


def test_the_same_ratings_give_the_same_choice() -> None:
    first, second = (choose_parameters(draw_ratings(), DEFAULTS) for _ in range(2))
    assert first == second
    assert describe_parameters(first.parameters)["movie_ridge"] == first.parameters.baseline.movie_ridge


def test_a_start_between_the_grids_values_moves_to_the_next() -> None:
    start = replace(DEFAULTS, baseline=BaselineParameters(user_ridge=4.5))
    assert choose_parameters(draw_ratings(user_bias=1.5), start).parameters.baseline.user_ridge <= 3
