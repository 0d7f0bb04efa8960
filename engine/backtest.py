"""What a fit is tried on before it is put to use: moments of the past, and what was watched after them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

from engine.baselines import Floats
from engine.choice import Choice, Window, choose_rule
from engine.evaluation import Estimate, Values, estimate_by_user
from engine.interactions import Interactions
from engine.protocols import Task, choose_share
from engine.timeline import find_moment, task_between
from graph.serving_rule import ServingRule

# Where the ratings are cut, in percent of all by time; each window lasts until the next cut, the last one judges.
CUTS = (65, 75, 85, 95)
# Of many ratings the last two cuts say enough; of very many a sample of users is looked at.
MANY_RATINGS, MOST_RATINGS = 1_000_000, 3_000_000
# People who are asked after each cut where a rule is chosen.
MOST_ASKED = 3_000
# With fewer people to ask the ratings have no usable timeline.
FEWEST_ASKED = 20

# Item-item weights, source x target, learned from a task's training part.
Fit = Callable[[Interactions], csr_array | Floats]


@dataclass(frozen=True)
class Backtest:
    """Tasks to choose a rule by, and one that was not looked at, to judge it by. `kind`: `time`, or `holdout` where
    there is no timeline: a fifth of each user's ratings is hidden then. `share`: of all users who are looked at."""

    choosing: tuple[Task, ...]
    judging: Task
    kind: str
    share: float

    @classmethod
    def of(cls, ratings: Interactions, share: float = 1.0) -> "Backtest":
        """The tasks of some ratings, which are those of a share of all users."""
        if len(ratings.at):
            cuts = CUTS if len(ratings.at) <= MANY_RATINGS else CUTS[-2:]
            moments = [*(find_moment(ratings.at, percent) for percent in cuts), int(ratings.at.max()) + 1]
            *choosing, judging = (task_between(ratings, begin, end) for begin, end in pairwise(moments))
            if sum(map(_count_asked, choosing)) >= FEWEST_ASKED and _count_asked(judging):
                return cls(tuple(choosing), judging, "time", share)
        return cls((_hide_share(ratings, 0),), _hide_share(ratings, 1), "holdout", share)

    def choose(self, fit: Fit, start: ServingRule = ServingRule()) -> Choice:
        """The best rule for weights that are fitted so."""
        windows = [Window.of(task, fit(task.training), MOST_ASKED) for task in self.choosing]
        found = choose_rule(windows, scale_rule(start, self.share))
        return replace(found, rule=scale_rule(found.rule, 1 / self.share))

    def judge(self, weights: csr_array | Floats) -> "Judge":
        """Who judges rules with weights that were fitted before the last cut."""
        return Judge(Window.of(self.judging, weights), self.share)


@dataclass(frozen=True)
class Judge:
    """What users watched after the last cut, and weights that were fitted before it."""

    window: Window
    share: float

    def measure(self, rule: ServingRule) -> Values:
        """NDCG@10 of the next movie of each user."""
        return self.window.measure_first(scale_rule(rule, self.share))

    def measure_lately(self, rule: ServingRule) -> Values:
        """The same for the movies that were watched most lately, offered to everybody alike."""
        return self.measure(replace(rule, current=1.0, long_run=0.0))

    def measure_popular(self, rule: ServingRule) -> Values:
        """The same for the movies that were watched most ever."""
        return self.measure(replace(rule, current=1.0, long_run=1e12))

    def estimate(self, values: Values) -> Estimate:
        """Their mean, with its interval over users."""
        return estimate_by_user(values, self.window.users)

    @property
    def asked(self) -> int:
        """How many users judge."""
        return len(self.window.users)


def scale_rule(rule: ServingRule, share: float) -> ServingRule:
    """A rule for so many of the people: what is counted in persons is so many fewer."""
    return replace(rule, long_run=rule.long_run * share)


def find_interval(ratings: int) -> int:
    """One user in how many is looked at: a power of two, so that those of a larger data set were looked at before."""
    interval = 1
    while ratings > interval * MOST_RATINGS:
        interval *= 2
    return interval


def _count_asked(task: Task) -> int:
    return int(task.has_history.sum())


def _hide_share(ratings: Interactions, seed: int) -> Task:
    hidden = choose_share(ratings.user_of_each(), seed)
    known = ratings.select(~hidden)
    return Task(known, known, ratings.select(hidden).positives(0), np.arange(known.users))
