"""How long a failing feed is left alone."""

import random

import pytest

from stream.backoff import LONGEST_RETRY_AFTER, OPEN_SECONDS, OPENING_FAILURES, Backoff


def test_the_bound_doubles_and_then_the_circuit_opens() -> None:
    backoff = Backoff(lambda _, bound: bound)
    assert [backoff.fail() for _ in range(8)] == [5, 10, 20, 40, 60, 360, 360, 360]


def test_waits_are_spread_over_the_whole_range() -> None:
    backoffs = [Backoff(random.Random(seed).uniform) for seed in range(300)]
    first = [backoff.fail() for backoff in backoffs]
    second = [backoff.fail() for backoff in backoffs]
    assert min(first) < 0.5
    assert 4.5 < max(first) <= 5
    assert min(second) < 1
    assert 9 < max(second) <= 10


def test_one_success_closes_the_circuit() -> None:
    backoff = Backoff(lambda _, bound: bound)
    for _ in range(OPENING_FAILURES):
        assert not backoff.is_open
        backoff.fail()
    assert backoff.is_open
    backoff.succeed()
    assert not backoff.is_open
    assert backoff.fail() == 5


def test_an_open_circuit_is_tried_now_and_then_forever() -> None:
    backoff = Backoff(random.Random(1).uniform)
    waits = [backoff.fail() for _ in range(5000)]
    assert all(OPEN_SECONDS <= wait <= 1.2 * OPEN_SECONDS for wait in waits[OPENING_FAILURES:])


@pytest.mark.parametrize(
    ("asked", "wait"), [(40.0, 40.0), (1.0, 5.0), (float("inf"), LONGEST_RETRY_AFTER), (1e300, LONGEST_RETRY_AFTER)]
)
def test_the_feed_may_ask_for_a_longer_wait_within_reason(asked: float, wait: float) -> None:
    assert Backoff(lambda _, bound: bound).fail(asked) == wait
