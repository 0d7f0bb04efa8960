"""Choosing a serving rule on the past: against brute force, and on data whose answer is known."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from scipy.sparse import csr_array

from common.times import milliseconds_of
from engine.backtest import Backtest, find_interval, scale_rule
from engine.choice import DIAL, Window, choose_rule
from engine.interactions import Interactions
from engine.recency import measure_recency
from engine.scoring import rank_by_rule, sum_tastes
from engine.timeline import task_between
from graph.recency import COUNTED_FROM, HALF_LIVES
from graph.serving_rule import ServingRule, find_exponent
from tests.engine.test_protocols import NOON, table


def draw_ratings(seed: int, users: int, days: int, *, follow: float) -> Interactions:
    """Users rate a movie a day: with the share `follow` that of the day, else one of their own kind."""
    random = np.random.default_rng(seed)
    rows = {}
    for user in range(1, users + 1):
        for day in range(days):
            own = 100 + 40 * (user % 2) + int(random.integers(40))
            movie = day // 3 + 1 if random.random() < follow else own
            rows.setdefault((user, movie), (user, movie, float(random.choice([3, 5])), day))
    return Interactions.from_tables([table(sorted(rows.values()))])[0]


def weights_of(ratings: Interactions) -> csr_array:
    """Movies that share users lead to each other."""
    liked = (ratings.stars.toarray() > 0).astype(float)
    together = liked.T @ liked
    np.fill_diagonal(together, 0)
    return csr_array(together / max(1.0, together.max()))


def test_what_is_current_by_hand() -> None:
    ratings = Interactions.from_tables([table([(1, 1, 5.0, 0), (1, 2, 2.5, 9), (2, 1, 3.0, 3)])])[0]
    found = measure_recency(ratings)
    assert found.viewers.tolist() == [2, 0]  # two stars and a half do not count, nor do they move the clock
    assert found.users == 2
    for half_life in HALF_LIVES:
        assert found.decayed[half_life][0] == pytest.approx(1 + 2 ** (-3 / half_life))
    assert COUNTED_FROM == 3.0


@pytest.mark.parametrize(
    "rule", [ServingRule(), ServingRule(current=0), ServingRule(current=1), ServingRule(tastes=300)]
)
def test_lists_are_those_of_brute_force(rule: ServingRule) -> None:
    random = np.random.default_rng(3)
    ratings = draw_ratings(1, 30, 20, follow=0.4)
    seen = csr_array(ratings.stars[:7])
    tastes = csr_array(np.where(random.random(seen.shape) < 0.3, random.random(seen.shape), 0))
    recency = measure_recency(ratings)
    shares = recency.viewers / 30
    current = (recency.decayed[rule.half_life] + rule.long_run * shares) ** find_exponent(rule.current)
    gain = (0 if rule.current == 1 else rule.tastes) / (shares + rule.popularity_offset)
    scores = np.where(recency.viewers > 0, current * (1 + gain * tastes.toarray()), 0)
    found = rank_by_rule(tastes, recency, rule, seen, 15)
    for user, own in enumerate(scores):
        unseen = [movie for movie in range(len(own)) if not seen.toarray()[user, movie] and own[movie] > 0]
        assert found[user].tolist() == sorted(unseen, key=lambda movie: (-own[movie], movie))[:15]


def test_tastes_are_shares_of_the_historys_weights_and_never_negative() -> None:
    history = csr_array([[2.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
    weights = csr_array([[0.0, 0.5, 0.3], [0.0, 0.0, 0.9], [-0.4, 0.2, 0.0]])
    assert sum_tastes(history, weights).toarray() == pytest.approx(np.array([[0, 1 / 3, 0], [0, 0.2, 0]]))


@pytest.mark.parametrize("follow", [0.0, 0.5, 0.7])  # with more nearly all that is watched is new to everybody
def test_what_is_chosen_is_as_good_as_either_part_alone(follow: float) -> None:
    """Who follows the movie of the day is served by what is current, who does not by their own kind."""
    backtest = Backtest.of(draw_ratings(2, 60, 40, follow=follow))
    assert backtest.kind == "time"
    choice = backtest.choose(weights_of)
    assert [value for value, _, _ in choice.curve] == list(DIAL)
    judge = backtest.judge(weights_of(backtest.judging.training))
    ours, lately = judge.measure(choice.rule).mean(), judge.measure_lately(choice.rule).mean()
    alone = judge.measure(replace(choice.rule, current=0.0)).mean()
    assert ours >= 0.95 * max(lately, alone)
    assert (ours > 1.2 * alone) if follow == 0.5 else (ours > 1.2 * lately) or follow


def test_the_most_personal_of_equals_is_chosen() -> None:
    """Where all that is to be found is found at every value of the dial, the history alone decides."""
    rows = [(user, movie, 5.0, movie) for user in range(1, 41) for movie in (1, 2)]
    known = Interactions.from_tables([table(rows)])[0]
    task = task_between(known, milliseconds_of(NOON + timedelta(days=2)), milliseconds_of(NOON + timedelta(days=3)))
    window = Window.of(task, weights_of(known))
    assert choose_rule([window]).rule.current == 0


def test_without_a_timeline_shares_of_the_ratings_are_hidden() -> None:
    ratings = draw_ratings(4, 40, 30, follow=0.2)
    still = replace(ratings, at=np.zeros_like(ratings.at))
    backtest = Backtest.of(still)
    assert backtest.kind == "holdout"
    assert not np.array_equal(backtest.choosing[0].relevant.toarray(), backtest.judging.relevant.toarray())
    assert backtest.choose(weights_of).curve


def test_with_nobody_to_ask_the_rule_stays() -> None:
    alone = Interactions.from_tables([table([(1, 1, 5.0, 0)])])[0]
    start = ServingRule(current=0.7)
    assert Backtest.of(alone).choose(weights_of, start).rule == start


def test_nothing_after_a_cut_changes_what_is_chosen_before_it() -> None:
    ratings = draw_ratings(5, 50, 40, follow=0.5)
    last = Backtest.of(ratings).judging.training.at.max()
    changed = replace(ratings, stars=ratings.values(np.where(ratings.at > last, 1.0, ratings.stars.data).astype("f4")))
    chosen = [Backtest.of(one).choose(weights_of).rule for one in (ratings, changed)]
    assert chosen[0] == chosen[1]


def test_a_sample_stands_for_all_users() -> None:
    assert [find_interval(ratings) for ratings in (0, 3_000_000, 3_000_001, 100_480_507)] == [1, 1, 2, 64]
    assert scale_rule(ServingRule(long_run=640.0), 1 / 64).long_run == 10.0


def test_a_rule_travels_as_properties() -> None:
    rule = ServingRule(rated=(0.5,) * 10, half_life=30, current=0.15)
    properties = rule.to_properties()
    assert properties["halfLife"] == 30
    assert ServingRule.from_properties({**properties, "version": "other things of the node"}) == rule
    assert ServingRule.from_properties({}) == ServingRule()
