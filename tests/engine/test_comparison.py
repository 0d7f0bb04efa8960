"""Models side by side on data with a clear structure, through matrices and through the real traversal."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from common.settings import Settings
from engine.comparison import MODELS, compare_models, describe, find_edges, tune
from engine.grid import Parameters
from engine.interactions import Interactions
from engine.models import EASE, NEIGHBOURS, SASREC, SLIM, STORABLE, Model
from engine.ours import OURS
from engine.protocols import PROTOCOLS, Protocol, Task
from engine.served import serve_task
from engine.timeline import TIME
from graph.serving_rule import ServingRule
from tests.engine.test_protocols import table


def grouped_ratings(users: int = 60, movies: int = 80, seed: int = 7) -> Interactions:
    """Two groups of users, each with movies of its own that it likes; some dislikes among them."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        own = random.choice(movies // 2, 20, replace=False) * 2 + user % 2
        for day, movie in enumerate(own.tolist()):
            rows.append((user + 1, movie + 1, float(random.choice([1, 3, 4, 5])), day))
    return Interactions.from_tables([table(rows)])[0]


@pytest.mark.parametrize("protocol", [*PROTOCOLS.values(), TIME], ids=lambda one: one.name)
def test_who_learns_from_the_groups_beats_popularity(protocol: Protocol) -> None:
    models = [model for model in MODELS.values() if model is not SASREC]
    popularity, lately, *others = compare_models(grouped_ratings(), protocol, models, 2, tuned=False)
    assert (popularity.model, lately.model) == ("popularity", "rated lately")
    assert len(others) == len(MODELS) - 3
    shortest = protocol.cutoffs[0]
    wanted = ["hr@10", "all recall@20"] if protocol is TIME else [f"recall@{shortest}", f"map@{shortest}"]
    for tally in others:
        for figure in (protocol.criterion, *wanted):
            assert tally.estimate(figure).mean > 1.2 * popularity.estimate(figure).mean, tally.model


def test_a_row_tells_paired_differences_and_edges() -> None:
    protocol = PROTOCOLS["random"]
    tallies = compare_models(grouped_ratings(), protocol, [EASE, OURS], 2, tuned=False)
    ease, ours = (describe(tally, tallies, protocol) for tally in tallies)
    assert ours["ours less"] == "0.0000 ± 0.0000"
    means = [
        np.mean([np.nanmean(own) for own in np.array(tally.values["ndcg@20"]).T if not np.isnan(own).all()])
        for tally in tallies
    ]
    assert float(ease["ours less"].split()[0]) == pytest.approx(means[1] - means[0], abs=1e-4)
    assert ease["same list"] == "100.00%"
    assert [len(row["parameters"]) for row in (ease, ours)] == [2, 2]


def test_each_task_counts_once_and_users_are_clusters_on_the_timeline() -> None:
    [tally] = compare_models(grouped_ratings(), TIME, [EASE], 1)
    assert len(tally.parameters) == 1
    values = np.array(tally.values["ndcg@10"])
    assert values.shape == (5, 60)
    found = describe(tally, [tally], TIME)["ndcg@10"].split(" ± ")
    assert float(found[0]) == pytest.approx(np.nanmean(values), abs=1e-4)
    sums = np.nansum(values - np.nanmean(values), axis=0)
    expected = 1.96 * np.sqrt(60 / 59 * (sums**2).sum()) / (~np.isnan(values)).sum()
    assert float(found[1]) == pytest.approx(expected, abs=1e-4)


def test_a_model_that_chooses_for_itself_is_not_validated() -> None:
    asked: list[Task] = []

    def rank(task: Task, count: int, parameters: Parameters) -> np.ndarray:
        asked.append(task)
        return np.tile(np.arange(count), (task.history.users, 1))

    own = Model("own", "chooses for itself", {}, {}, rank)
    [tally] = compare_models(grouped_ratings(), TIME, [own], 1)
    assert len(asked) == len(tally.coverage) == 5
    assert tally.overlap[0].mean == 1


def test_tuning_walks_to_the_best_of_the_grid() -> None:
    """A model whose list finds more the nearer its parameters are to 4 and 0.2."""
    fits: list[Parameters] = []

    def rank(task: Task, count: int, parameters: Parameters) -> np.ndarray:
        fits.append(parameters)
        distance = round(abs(parameters["a"] - 4) + 10 * abs(parameters["b"] - 0.2))
        ranked = np.full((task.history.users, count), -1)
        for user in range(task.history.users):
            own = task.relevant.indices[task.relevant.indptr[user] : task.relevant.indptr[user + 1]]
            places = np.arange(len(own)) + distance
            ranked[user, places[places < count]] = own[places < count]
        return ranked

    grid = {"a": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), "b": (0.0, 0.1, 0.2, 0.3, 0.5)}
    model = Model("made-up", "made up", grid, {"a": 1.0, "b": 0.5, "c": 9.0}, rank)
    split = PROTOCOLS["random"].split(grouped_ratings(), 1)
    assert tune(model, split.validation, PROTOCOLS["random"]) == {"a": 4.0, "b": 0.2, "c": 9.0}
    assert len(fits) == len({tuple(sorted(fit.items())) for fit in fits}) < 20
    assert find_edges(grid, {"a": 4.0, "b": 0.5}) == ["b"]
    limited = {"far_share": (0.0, 0.5, 1.0), "neighbours": NEIGHBOURS}
    assert find_edges(limited, {"far_share": 0.0, "neighbours": NEIGHBOURS[-1]}) == []
    assert find_edges(limited, {"far_share": 1.0, "neighbours": NEIGHBOURS[0]}) == []
    assert find_edges({"neighbours": (5.0, 10.0)}, {"neighbours": 5.0}) == ["neighbours"]


@pytest.mark.parametrize("key", sorted(STORABLE))
def test_item_models_give_weights_from_source_to_target(key: str) -> None:
    """Whoever likes movie 0 likes 1 too, not the other way round, so what 0 says about 1 is more."""
    x = np.zeros((40, 6))
    x[:10, 0] = x[:30, 1] = x[10:40:3, 2] = x[::4, 3] = x[5:35, 4] = 1
    model = STORABLE[key]
    weights = csr_array(model.fit(csr_array(x), model.parameters, lambda _: None)).toarray()
    assert weights.shape == (6, 6)
    assert np.abs(np.diag(weights)).max() == 0
    assert weights[0, 1] > 0
    if key in ("ease", "slim"):
        assert weights[0, 1] != pytest.approx(weights[1, 0], rel=0.05)


@pytest.mark.parametrize(
    "protocol", [TIME, pytest.param(PROTOCOLS["random"], marks=pytest.mark.slow)], ids=["time", "random"]
)
def test_the_traversal_serves_the_lists_that_the_matrices_give(protocol: Protocol) -> None:
    """With what is current, ties of one moment and a history that is cut."""
    ratings = grouped_ratings()
    split = protocol.split(ratings, 0)
    rule = ServingRule(half_life=3, history_limit=5, current=0.4)
    for task in split.test[:1]:
        learned = OURS.learn(task, OURS.item.parameters, rule)
        served = serve_task(Settings().cache, task, learned, 20)
        assert (served == learned.rank(task, 20)).all(axis=1).mean() > 0.98


def test_ours_is_tuned_by_validation_where_there_is_no_timeline() -> None:
    [ours] = compare_models(grouped_ratings(), PROTOCOLS["next"], [OURS], 1, tuned=False)
    [parameters] = ours.parameters
    assert parameters["ridge"] == SLIM.parameters["ridge"]
    assert {"halfLife", "current", "tastes", "historyLimit"} <= parameters.keys()
