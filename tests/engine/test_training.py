"""Fitting again: staged and live ratings together, swapped in version by version on a real graph."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from engine.__main__ import main
from engine.dataset import Dataset, Manifest
from engine.training import build_positives, fit_dataset, put_to_use
from graph.database import Database
from graph.repositories.models import Models
from graph.settings import Settings
from scripts.sandbox import environment_of

NOON = datetime(2026, 1, 1, 12)


@pytest.fixture
def dataset(settings: Settings) -> Dataset:
    random = np.random.default_rng(3)
    user, movie = np.divmod(random.choice(30 * 12, 150, replace=False), 12)
    stars = random.choice([1.0, 3.0, 5.0], len(user))
    dataset = Dataset(settings.staging)
    dataset.folder.mkdir(parents=True)
    frame = pl.DataFrame({"userId": user + 1, "movieId": movie + 1, "rating": stars, "at": [NOON] * len(user)})
    kinds = {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32}
    frame.cast(kinds).sort("userId", "movieId").write_parquet(dataset.ratings_file)
    dataset.write_manifest(Manifest("movielens", "made here", len(user), 30, 12))
    return dataset


def fill(database: Database) -> None:
    database.run_text("UNWIND range(1, 12) AS id CREATE (:Movie {movieId: id})")


def versions(database: Database) -> dict[str, int]:
    rows = database.run_text("MATCH ()-[s:SIMILAR]->() RETURN s.version AS version, count(*) AS edges")
    return {row["version"]: row["edges"] for row in rows}


def test_live_ratings_replace_staged_ones_of_the_same_pair() -> None:
    ratings = pl.DataFrame(
        {"userId": [1, 1, 2], "movieId": [7, 8, 7], "rating": [5.0, 2.0, 4.0]},
        schema={"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32},
    )
    matrix = build_positives(ratings, [(1, 7, False), (1, 8, True), (3, 9, True)])
    rows, columns = matrix.values.nonzero()
    assert set(zip(matrix.user_ids[rows].tolist(), matrix.movie_ids[columns].tolist(), strict=True)) == {
        (1, 8),
        (2, 7),
        (3, 9),
    }


def test_a_new_version_takes_the_place_of_the_old_one(
    database: Database, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.repositories.models.READERS_SECONDS", 0)
    monkeypatch.setattr("graph.repositories.models.WRITE_ROWS", 20)
    monkeypatch.setattr("graph.repositories.models.REMOVE_ROWS", 20)
    fill(database)
    database.run_text(
        "MATCH (a:Movie {movieId: 1}), (b:Movie {movieId: 2}) CREATE (a)-[:SIMILAR {version: 'incremental'}]->(b)"
    )
    models = Models(database)
    for hour in range(2):
        fitted = fit_dataset(dataset, NOON + timedelta(hours=hour))
        written: list[int] = []
        put_to_use(fitted, models, written.append)
        assert sum(written) == fitted.model.edges > 20
        assert models.get_current_model() == fitted.model
        assert versions(database) == {fitted.model.version: fitted.model.edges, "incremental": 1}
    assert len(database.run_text("MATCH (m:Model {current: true}) RETURN m")) == 1
    assert len(database.run_text("MATCH (m:Model) RETURN m")) == 2


def test_the_command_counts_what_happened_live(database: Database, dataset: Dataset, settings: Settings) -> None:
    fill(database)
    database.run_text(
        "MATCH (m:Movie {movieId: 1}) CREATE (:User {userId: 99})-[:WATCHED {eventId: 'e', finishedAt: $now}]->(m), "
        "(:User {userId: 98})-[:RATED {eventId: 'r', rating: 1.0}]->(m), "
        "(:User {userId: 97})-[:RATED {rating: 5.0}]->(m)",
        now=NOON,
    )
    assert sorted(Models(database).read_live_positives(3.0)) == [(98, 1, False), (99, 1, True)]
    result = CliRunner().invoke(main, ["fit", "--quiet"], env=environment_of(settings))
    assert result.exit_code == 0, result.output
    model = Models(database).get_current_model()
    assert model is not None
    assert (model.snapshot["live"], f"model {model.version}" in result.output) == (2, True)


def test_without_staged_ratings_the_remedy_is_told(settings: Settings) -> None:
    result = CliRunner().invoke(main, ["fit"], env=environment_of(settings))
    assert (result.exit_code, "python -m loader bulk PATH" in result.output) == (1, True)
