"""Versions: judged before they serve, swapped under readers, and gone back to."""

import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from common.settings import Settings
from engine.__main__ import main
from engine.choice import DIAL
from engine.dataset import RATING_SCHEMA, Dataset, Manifest, use_dataset
from engine.models import SLIM, STORABLE
from engine.training import JUDGEMENT, FittedModel, put_to_use
from engine.versions import KEPT_VERSIONS, Archive, QualityError, VersionError, refit, roll_back
from graph.database import Database
from graph.repositories.models import Model, Models
from graph.repositories.recommendations import Recommendations
from graph.schema import apply_schema
from graph.serving_rule import ServingRule
from scripts.sandbox import environment_of

NOON = datetime(2026, 1, 1, 12)
USERS, MOVIES = 120, 24


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.sleep", lambda _: None)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fit a second after the last one."""
    moments = iter(NOON + timedelta(seconds=second) for second in range(1000))
    monkeypatch.setattr("engine.versions.utc_now", lambda: next(moments))


@pytest.fixture
def models(database: Database, settings: Settings) -> Models:
    """A graph and staged ratings in which users like movies of one of two kinds."""
    random = np.random.default_rng(5)
    rows = [
        (user, int(movie), 5.0, NOON + timedelta(minutes=minute), False)
        for user in range(1, USERS + 1)
        for minute, movie in enumerate(random.choice(MOVIES // 2, 8, replace=False) * 2 + user % 2 + 1)
    ]
    frame = pl.DataFrame(rows, schema=list(RATING_SCHEMA), orient="row").cast(RATING_SCHEMA).sort("userId", "movieId")
    dataset = Dataset(settings.staging / "made-here")
    dataset.folder.mkdir(parents=True)
    frame.write_parquet(dataset.shard_file(0))
    dataset.write_manifest(Manifest("movielens", "made here", len(rows), USERS, MOVIES))
    use_dataset(dataset)
    models = Models(database)
    database.run_text(
        "UNWIND range(1, $movies) AS id "
        "CREATE (:Movie {movieId: id, title: 'x', viewers: 1, recent10: 0.0, recent: 0.0})",
        movies=MOVIES,
    )
    models.create_catalogue("movielens")
    models.set_dataset(dataset.name)
    return models


def edges_of(database: Database) -> set[tuple[int, int, str]]:
    rows = database.run_text("MATCH (a)-[s:SIMILAR]->(b) RETURN a.movieId AS a, b.movieId AS b, s.version AS v")
    return {(row["a"], row["b"], row["v"]) for row in rows}


def test_a_fit_tells_how_well_it_finds_what_was_held_out(models: Models, settings: Settings) -> None:
    model = refit(settings, models, quiet=True)
    assert models.get_current_model() == model
    assert model.metrics["judges"] > 10
    assert model.metrics[JUDGEMENT] > 1.5 * model.metrics["popular"]
    assert [row[0] for row in model.metrics["dial"]] == list(DIAL)
    assert model.parameters["model"] == "slim"


@pytest.mark.parametrize("key", sorted(STORABLE))
def test_any_item_model_can_be_stored(models: Models, settings: Settings, database: Database, key: str) -> None:
    result = CliRunner().invoke(main, ["fit", "--model", key, "--quiet"], env=environment_of(settings))
    assert result.exit_code == 0, result.output
    current = models.get_current_model()
    assert current is not None
    assert current.parameters["model"] == key
    assert len(edges_of(database)) == current.edges > MOVIES


def test_the_same_input_gives_the_same_weights(models: Models, settings: Settings) -> None:
    first, second = (refit(settings, models, quiet=True) for _ in range(2))
    tables = [Archive.of(settings).load(model).edges for model in (first, second)]
    assert tables[0].equals(tables[1])
    assert first.version != second.version


def make_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits of the cosine from now on find movies of the other kind."""
    good = SLIM.fit
    bad = replace(
        STORABLE["cosine"], fit=lambda positives, given, progress: good(positives, SLIM.parameters, progress)[:, ::-1]
    )
    monkeypatch.setitem(STORABLE, "cosine", bad)


def test_a_worse_version_is_not_put_to_use(
    models: Models, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = refit(settings, models, quiet=True)
    served = edges_of(database)
    make_bad(monkeypatch)
    with pytest.raises(QualityError, match=f"worse by more than 2%.*model {before.version} in use 0.*difference -0"):
        refit(settings, models, STORABLE["cosine"], quiet=True)
    assert models.get_current_model() == before
    assert edges_of(database) == served
    result = CliRunner().invoke(main, ["fit", "--model", "cosine", "--quiet"], env=environment_of(settings))
    assert (result.exit_code, "was not put to use" in result.output) == (1, True)
    result = CliRunner().invoke(
        main, ["fit", "--model", "cosine", "--quiet", "--margin", "1"], env=environment_of(settings)
    )
    assert result.exit_code == 0, result.output
    assert models.get_current_model() != before


def test_going_back_and_forth(models: Models, settings: Settings, database: Database) -> None:
    first, second, third = (refit(settings, models, quiet=True) for _ in range(3))
    assert roll_back(settings, models, quiet=True) == second
    assert {version for _, _, version in edges_of(database)} == {second.version}
    assert len(edges_of(database)) == second.edges
    assert roll_back(settings, models, quiet=True) == first
    with pytest.raises(VersionError, match="no earlier version"):
        roll_back(settings, models, quiet=True)
    assert roll_back(settings, models, third.version, quiet=True) == third
    with pytest.raises(VersionError, match="in use already"):
        roll_back(settings, models, third.version, quiet=True)
    with pytest.raises(VersionError, match=f"no model 1999; there are: {third.version}"):
        roll_back(settings, models, "1999", quiet=True)
    result = CliRunner().invoke(main, ["rollback", "--quiet"], env=environment_of(settings))
    assert (result.exit_code, f"model {first.version} of" in result.output) == (0, True)  # second was gone back from


def test_what_was_gone_back_from_is_not_gone_back_to(models: Models, settings: Settings) -> None:
    _, second, third = (refit(settings, models, quiet=True) for _ in range(3))
    roll_back(settings, models, quiet=True)
    refit(settings, models, quiet=True)
    assert roll_back(settings, models, quiet=True) == second
    assert [model.version for model in models.list_models() if model.withdrawn][-1] == third.version
    assert roll_back(settings, models, third.version, quiet=True) == third
    assert third.version not in {model.version for model in models.list_models() if model.withdrawn}


def test_what_a_killed_command_left_does_not_count_twice(
    models: Models, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = refit(settings, models, quiet=True)
    second = refit(settings, models, quiet=True)
    rows = Archive.of(settings).load(first).edges.rows()
    models.write_similar(first.version, rows[: len(rows) // 2], lambda _: None)  # a rollback, killed while it writes
    assert roll_back(settings, models, quiet=True) == first
    assert len(edges_of(database)) == first.edges
    assert database.run_text("MATCH ()-[s:SIMILAR]->() RETURN count(*) AS edges")[0]["edges"] == first.edges
    models.switch_model(second)  # killed after the switch, before the old edges are gone
    models.switch_model(first)
    assert roll_back(settings, models, second.version, quiet=True) == second
    assert database.run_text("MATCH ()-[s:SIMILAR]->() RETURN count(*) AS edges")[0]["edges"] == second.edges


def test_a_graph_of_an_earlier_version_keeps_its_model(models: Models, database: Database) -> None:
    database.run_text("MATCH (c:Catalogue) REMOVE c.schemaVersion")
    database.run_text("CREATE (:Model {version: 'old', current: true, fittedAt: localdatetime()})")
    for _ in range(2):
        apply_schema(database)
    [row] = database.run_text("MATCH (c:Catalogue), (m:Model) RETURN c.model AS used, m {.*} AS rule")
    assert row["used"] == "old"
    # It goes on with what all versions were served by: the history alone.
    rule = ServingRule.from_properties(row["rule"])
    assert (rule.current, rule.history_limit, rule.place_boost) == (0.0, 50, 16.0)


def test_old_versions_go(models: Models, settings: Settings) -> None:
    fitted = [refit(settings, models, quiet=True) for _ in range(KEPT_VERSIONS + 3)]
    kept = [model.version for model in fitted[-KEPT_VERSIONS - 1 :]]
    assert [model.version for model in models.list_models()] == kept[::-1]
    assert sorted(file.stem for file in Archive.of(settings).folder.iterdir()) == kept
    with pytest.raises(VersionError, match="no model"):
        roll_back(settings, models, fitted[0].version, quiet=True)
    (Archive.of(settings).folder / f"{kept[0]}.parquet").unlink()
    with pytest.raises(VersionError, match="fit again"):
        roll_back(settings, models, kept[0], quiet=True)


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "0h", "1w", "1h30m"])
def test_a_time_that_is_none(settings: Settings, text: str) -> None:
    result = CliRunner().invoke(main, ["fit", "--every", text], env=environment_of(settings))
    assert (result.exit_code, "no time such as 24h" in result.output) == (2, True)


def test_every_repeats_and_outlives_a_worse_version(
    models: Models, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def refuse(*_: object) -> None:
        raise QualityError("worse")

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            monkeypatch.setattr("engine.versions.require_quality", refuse)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("engine.__main__.time.sleep", sleep)
    result = CliRunner().invoke(main, ["fit", "--quiet", "--every", "2h"], env=environment_of(settings))
    assert result.output.count("model 2026") == 1
    assert len(models.list_models()) == 1
    assert all(7000 < wait < 7200 for wait in waits)


def test_a_version_is_stored_before_it_is_switched_to(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers may see the catalogue's property before all else that its transaction writes."""
    models.switch_model(Model("v1", NOON, 1, 1, {}, {}))
    with monkeypatch.context() as patched:
        patched.setattr(Database, "transact", lambda *_: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            models.switch_model(Model("v2", NOON, 1, 1, {}, {}))
    current = models.get_current_model()
    assert current is not None
    assert current.version == "v1"
    assert {model.version: model.withdrawn for model in models.list_models()} == {"v1": False, "v2": True}
    models.switch_model(Model("v2", NOON, 1, 1, {}, {}))
    assert not any(model.withdrawn for model in models.list_models())


def test_readers_see_one_version_or_the_other(
    models: Models, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 readers, 12 swaps: version n has weights of n + 1, so that every answer can be checked against its version."""
    answers: Counter[str] = Counter()
    problems: list[object] = []
    done = threading.Event()
    sources, targets = range(1, 7), range(7, 13)
    database.run_text(
        "UNWIND $movies AS id MATCH (m:Movie {movieId: id}) MERGE (u:User {userId: 1}) "
        "CREATE (u)-[:RATED {rating: 5.0, at: localdatetime()}]->(m)",
        movies=list(sources),
    )
    rule = ServingRule(rated=(1.0,) * 10, place_boost=0, current=0, tastes=1e9, popularity_offset=1e9)

    def swap(number: int) -> None:
        pairs = [(source, target) for source in sources for target in targets]
        rows = [(source, target, float(number + 1), 1) for source, target in pairs]
        edges = pl.DataFrame(rows, schema=["source", "target", "weight", "rank"], orient="row")
        model = Model(f"v{number}", NOON, len(rows), len(sources), {}, {}, rule=rule)
        put_to_use(FittedModel(model, edges), models, 1.0, lambda _: None)

    def read() -> None:
        recommendations = Recommendations(database)
        while not done.is_set():
            found = recommendations.recommend_for_user(1, len(targets))
            version = found.model_version or "none"
            expected = int(version[1:]) + 1.0
            tastes = [round(movie.score - movie.current, 3) for movie in found.recommendations[: len(targets)]]
            if tastes != [expected] * len(targets):
                problems.append(found)
            answers[version] += 1

    swap(0)
    monkeypatch.setattr("engine.training.sleep", time.sleep)
    readers = [threading.Thread(target=read) for _ in range(8)]
    for reader in readers:
        reader.start()
    for number in range(1, 13):
        swap(number)
    done.set()
    for reader in readers:
        reader.join()
    assert problems == []
    assert len(answers) > 5
    assert sum(answers.values()) > 50
