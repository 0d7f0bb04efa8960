"""What is served, as a model to compare: SLIM's weights ranked by a serving rule, both chosen on what may be seen."""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.sparse import csr_array

from engine.backtest import Backtest
from engine.baselines import Floats
from engine.choice import Window, choose_rule, measure_rule
from engine.grid import Grid, Parameters, walk_grid
from engine.history import weigh_history
from engine.interactions import Columns
from engine.models import SLIM, ItemModel
from engine.protocols import Task
from engine.recency import measure_recency
from engine.scoring import rank_by_rule, sum_tastes
from graph.serving_rule import ServingRule


@dataclass(frozen=True)
class Learned:
    """Weights, source x target, and the rule that ranks by them."""

    weights: csr_array | Floats
    rule: ServingRule

    def rank(self, task: Task, count: int) -> Columns:
        """A task's lists: users x count, -1 where there are no more."""
        tastes = sum_tastes(weigh_history(task.history, self.rule), self.weights)
        return rank_by_rule(tastes, measure_recency(task.training), self.rule, task.history.stars, count)


@dataclass(frozen=True)
class OurModel:
    """Item-item weights and a serving rule. On a timeline a task's own past decides, as `engine fit` has it (`learn`
    without a rule); with other protocols their validation tasks do, by `tune`."""

    key: str = "ours"
    name: str = "ours"
    item: ItemModel = SLIM

    @property
    def packages(self) -> Sequence[str]:
        """What only evaluation has and this needs."""
        return self.item.packages

    @property
    def grid(self) -> Grid:
        """The fit's parameters that `tune` walks."""
        return self.item.grid

    def tune(self, tasks: Sequence[Task], *, fixed: bool = False) -> tuple[Parameters, ServingRule]:
        """The fit's parameters, unless they are `fixed`, and a rule: parameters for a first rule, then the next."""
        start = self.item.parameters
        rule = choose_rule(self._windows(tasks, start)).rule
        if fixed:
            return start, rule

        def criterion(parameters: Parameters) -> float:
            return float(measure_rule(self._windows(tasks, parameters), rule).mean())

        best = walk_grid(self.grid, start, criterion)
        return best, choose_rule(self._windows(tasks, best), rule).rule

    def learn(self, task: Task, parameters: Parameters, rule: ServingRule | None = None) -> Learned:
        """Fit to what a task may learn from; without a rule that is chosen there, too."""
        if rule is None:
            rule = Backtest.of(task.training).choose(lambda past: self.item.fit_ratings(past, parameters)).rule
        return Learned(self.item.fit_ratings(task.training, parameters), rule)

    def _windows(self, tasks: Sequence[Task], parameters: Parameters) -> list[Window]:
        return [Window.of(task, self.item.fit_ratings(task.training, parameters)) for task in tasks]


OURS = OurModel()
