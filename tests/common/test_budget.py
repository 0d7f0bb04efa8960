"""All limits of time follow from the deadline and do not contradict each other."""

from dataclasses import replace

import pytest

from common.budget import ARRIVAL, Budget
from common.errors import SettingsError
from common.settings import Settings


@pytest.mark.parametrize("deadline", [0.11, 0.5, 2.0, 10.0, 60.0])
def test_what_must_outlast_an_answer_does_for_every_deadline(deadline: float) -> None:
    budget = Settings(deadline=deadline).budget
    assert budget.deadline == deadline
    assert budget.settle > deadline, "old edges go once no answer uses them"
    assert budget.kill > budget.stop > ARRIVAL + deadline, "a process may give its last answers"
    assert budget.backlog + budget.apply + budget.lists < deadline
    assert max(budget.read, budget.connect, budget.readiness) < deadline


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("settle", 1.9), ("stop", 6.0), ("kill", 7.0), ("write", 0.5), ("read", 2.0), ("lists", 1.5), ("readiness", 2.5)],
)
def test_limits_that_contradict_each_other_are_refused(name: str, seconds: float) -> None:
    with pytest.raises(SettingsError, match="a deadline of 2 s"):
        replace(Budget.of(2.0), **{name: seconds})
