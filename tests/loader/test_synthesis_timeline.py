"""Synthesized ratings in time: sittings, tastes and popularity that drift, and what that makes predictable."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from synthesis_tools import make, read

from loader.synthesis.attention import LATEST_RELEASE, PERIOD, draw_releases, draw_waves, pool_current
from loader.synthesis.generator import Size
from loader.synthesis.kernels import LATEST, _mark_probe, _mix_tastes
from loader.synthesis.tables import DAYS, RECORD, Users

SIZE = Size(users=5_000, movies=1_200, ratings=350_000)
HALF_LIFE = 14  # days
LISTED = 10
# Standard errors of a mean of paired differences: what is above has one chance in ten thousand.
MARGIN = 3.7

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Timeline:
    """One element a rating: user and movie from 0, day."""

    users: Integers
    movies: Integers
    days: Integers


@pytest.fixture(scope="module")
def timeline(tmp_path_factory: pytest.TempPathFactory) -> Timeline:
    columns = read(make(tmp_path_factory.mktemp("timeline"), SIZE)).columns()
    days = columns["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    return Timeline(np.unique(columns["user"], return_inverse=True)[1], columns["movie"].to_numpy() - 1, days)


@dataclass(frozen=True)
class Question:
    """What was rated before a cut, users x movies and as how long ago, and the next movie of some users."""

    seen: Doubles
    movies: Integers
    ages: Integers
    users: Integers
    targets: Integers

    def hits(self, scores: Doubles) -> Doubles:
        """1 where a user's next movie is among the first that they have not seen, by scores of movies or pairs."""
        offered = np.where(self.seen[self.users] == 1, -np.inf, scores)
        target = offered[np.arange(len(self.targets)), self.targets]
        return np.asarray((offered > target[:, None]).sum(axis=1) < LISTED, dtype=np.float64)

    def popular(self) -> Doubles:
        return self.hits(self.seen.sum(axis=0))

    def lately(self) -> Doubles:
        return self.hits(np.bincount(self.movies, 2.0 ** (-self.ages / HALF_LIFE), minlength=SIZE.movies))

    def related(self) -> Doubles:
        """By ridge regression of each movie on all others."""
        together = self.seen.T @ self.seen
        inverse = np.linalg.inv(together + 20 * np.eye(SIZE.movies) + 0.5 * np.diag(np.diag(together)))
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0)
        return self.hits(self.seen[self.users] @ weights)


@pytest.fixture(scope="module")
def question(timeline: Timeline) -> Question:
    cut = np.quantile(timeline.days, 0.8)
    before = timeline.days < cut
    seen = np.zeros((SIZE.users, SIZE.movies))
    seen[timeline.users[before], timeline.movies[before]] = 1
    shuffled = np.random.default_rng(1).permutation(np.flatnonzero(~before))  # a day's ratings have no order
    later = shuffled[np.lexsort((timeline.days[shuffled], timeline.users[shuffled]))]
    first = later[np.unique(timeline.users[later], return_index=True)[1]]
    first = first[seen[timeline.users[first]].any(axis=1)]
    ages = (cut - timeline.days[before]).astype(np.int64)
    return Question(seen, timeline.movies[before], ages, timeline.users[first], timeline.movies[first])


def margin(better: Doubles, worse: Doubles) -> float:
    """By how many standard errors one is better."""
    difference = better - worse
    return float(difference.mean() / (difference.std() / np.sqrt(len(difference))))


def test_what_was_rated_lately_predicts_the_next_movie_better_than_popularity(question: Question) -> None:
    assert len(question.targets) > 1_000
    lately, popular = question.lately(), question.popular()
    assert lately.mean() > 1.25 * popular.mean()
    assert margin(lately, popular) > MARGIN


def test_what_users_rated_together_predicts_it_better_than_popularity_too(question: Question) -> None:
    related, popular = question.related(), question.popular()
    assert related.mean() > 1.15 * popular.mean()
    assert margin(related, popular) > MARGIN


def test_users_rate_in_sittings(timeline: Timeline) -> None:
    sittings, sizes = np.unique(timeline.users * DAYS * 10 + timeline.days, return_counts=True)
    ratings = np.bincount(timeline.users)
    days = np.bincount(sittings // (DAYS * 10), minlength=SIZE.users)
    assert 4 < sizes.mean() < 12
    assert (days[ratings >= 30] < ratings[ratings >= 30] / 2).all()
    assert np.median(days[ratings >= 30]) >= 5


def test_other_movies_are_popular_later(timeline: Timeline) -> None:
    order = np.argsort(timeline.days, kind="stable")
    parts = [
        set(np.argsort(-np.bincount(timeline.movies[part], minlength=SIZE.movies))[:20].tolist())
        for part in np.array_split(order, 5)
    ]
    assert len(parts[0] & parts[-1]) <= 8
    assert len(parts[-2] & parts[-1]) <= 12


def test_a_movie_s_attention_jumps_at_its_release_and_fades() -> None:
    released = np.full(2_000, 700)
    waves = draw_waves(np.random.default_rng(1), released).mean(axis=1)
    release = int(700 / PERIOD)
    assert waves[:release].max() == 0
    assert waves[release + 1] > 3 * waves[release + 8]
    assert waves[release + 8 : -8].min() > 1


def test_releases_are_in_their_year_and_spread_over_it() -> None:
    years = np.repeat([0, 1950, 1999, 2002, 2005], 500)
    released = draw_releases(np.random.default_rng(1), years).reshape(5, 500)
    assert (released[:2] == 0).all()
    assert released[3].min() == pytest.approx(782, abs=5)  # 2002-01-01
    assert released[3].max() == pytest.approx(782 + 364, abs=5)
    assert released[4].max() == LATEST_RELEASE < DAYS


def test_pools_hold_movies_as_often_as_their_waves_draw_a_group() -> None:
    attention = np.array([[0.5, 0.3, 0.2], [0.0, 0.1, 0.9]])
    waves = np.array([[0.0, 10.0, 0.0], [4.0, 0.0, 10.0]])
    currency, current = pool_current(attention, waves)
    assert currency == pytest.approx(np.array([[3 / 4, 1 / 2], [4 / 5, 9 / 10]]))
    shares = [[np.bincount(pool, minlength=3) / len(pool) for pool in groups] for groups in current]
    assert np.array(shares) == pytest.approx(np.array([[[0, 1, 0], [0, 1, 0]], [[0.5, 0, 0.5], [0, 0, 1]]]), abs=0.002)


def test_tastes_come_and_go() -> None:
    ones = np.ones(1, dtype=np.int64)
    shares = np.array([[0.25, 0.25, 0.25, 0.25]])
    users = Users(ones.astype(np.int32), ones, np.arange(4)[None], shares, ones.astype(np.float32), np.array([243]))
    mixes = np.empty((3, 4))
    _mix_tastes(users, 0, np.array([243.0, 1243.0, 2242.0]), mixes)
    mixed = np.diff(mixes, axis=1, prepend=0)
    assert mixes[:, -1] == pytest.approx(np.ones(3))
    assert mixed[0] == pytest.approx(mixed[2][::-1], abs=0.01)
    assert (np.diff(mixed[0]) < -0.1).all()
    assert mixed[1, 1:3].min() > mixed[1, [0, 3]].max()


@pytest.mark.parametrize("seed", range(20))
def test_the_probe_set_takes_the_latest_and_any_of_the_day_that_it_cuts(seed: int) -> None:
    own = np.zeros(40, dtype=RECORD)
    own["day"] = [3] * 10 + [7] * 24 + [9] * 6
    _mark_probe(own, 1.0, np.array([seed], dtype=np.uint64))
    assert own["probe"][34:].all()
    assert own["probe"][10:34].sum() == LATEST - 6
    assert not own["probe"][:10].any()


def test_the_day_that_the_probe_set_cuts_gives_any_of_its_ratings() -> None:
    chosen = np.zeros(20)
    for seed in range(500):
        own = np.zeros(20, dtype=RECORD)
        _mark_probe(own, 1.0, np.array([seed * 7919], dtype=np.uint64))
        chosen += own["probe"]
    assert chosen.sum() == 500 * LATEST
    assert chosen.min() > 0.6 * 500 * LATEST / 20
