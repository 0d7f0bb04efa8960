"""`engine fit-stars`: staged and live ratings together, on a real graph."""

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from common.settings import Settings
from engine.__main__ import main
from engine.dataset import RATING_SCHEMA, Dataset, Manifest, use_dataset
from engine.stars_training import read_ratings
from graph.database import Database
from graph.repositories.models import Models
from graph.repositories.stars import Stars
from scripts.sandbox import environment_of

NOON = datetime(2026, 1, 1, 12)


def table(*rows: tuple[int, int, float]) -> pl.DataFrame:
    data = [(user, movie, stars, NOON, False) for user, movie, stars in rows]
    return pl.DataFrame(data, schema=list(RATING_SCHEMA), orient="row").cast(RATING_SCHEMA)


def test_live_ratings_replace_staged_ones_of_the_same_pair() -> None:
    shards = [table((1, 5, 3.0), (1, 6, 4.0)), table((2, 5, 2.0))]
    live = [(1, 6, 1.0, NOON), (1, 9, 5.0, NOON), (7, 5, 4.5, NOON)]
    ratings, movie_ids = read_ratings(shards, live)
    assert movie_ids.tolist() == [5, 6, 9]
    rows = sorted(map(tuple, ratings.stars.toarray().tolist()))
    assert rows == [(2.0, 0.0, 0.0), (3.0, 1.0, 5.0), (4.5, 0.0, 0.0)]
    without, _ = read_ratings(shards, [])
    assert without.stars.nnz == 3


@pytest.fixture
def graph(database: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A graph made from 300 staged ratings, and one live rating."""
    monkeypatch.setattr("engine.stars_training.sleep", lambda _: None)
    rng = np.random.default_rng(4)
    users, movies = np.divmod(rng.choice(40 * 15, 300, replace=False), 15)
    rows = sorted(zip((users + 1).tolist(), (movies + 1).tolist(), rng.integers(1, 6, 300).tolist(), strict=True))
    dataset = Dataset(settings.staging / "made-here")
    dataset.folder.mkdir(parents=True)
    table(*rows).write_parquet(dataset.shard_file(0))
    dataset.write_manifest(Manifest("movielens", "made here", 300, 40, 15))
    use_dataset(dataset)
    database.run_text("UNWIND range(1, 15) AS id CREATE (:Movie {movieId: id})")
    database.run_text("CREATE (:Catalogue {name: 'movielens'})")
    database.run_text(
        "MATCH (m:Movie {movieId: 1}) CREATE (:User {userId: 99})-[:RATED {eventId: 'r', rating: 1.0, at: $now}]->(m)",
        now=NOON,
    )
    Models(database).set_dataset(dataset.name)
    return database


def fit(settings: Settings, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["fit-stars", "--quiet", *arguments], env=environment_of(settings))
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_fits_and_stores(graph: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Stars(graph).read_live_ratings() == [(99, 1, 1.0, NOON)]
    find_models = "MATCH (model:StarsModel) RETURN model.version AS version"
    assert graph.run_text(find_models) == []
    told = fit(settings, "--neighbours", "4")
    assert "chosen on the defaults, since there are too few ratings to choose on: movieRidge 3.0, " in told
    [model] = graph.run_text(find_models)
    assert f"stars {model['version']}: 60 edges, biases of 15 movies" in told
    rows = graph.run_text("MATCH (m:Movie)-[s:STARS]->() RETURN m.bias AS bias, m.spread AS spread, count(s) AS edges")
    assert [row["edges"] for row in rows] == [4] * 15
    assert all(-2 < row["bias"] < 2 and 0 < row["spread"] < 3 for row in rows)
    monkeypatch.setattr("engine.stars_training.utc_now", lambda: NOON)  # not the same second
    fit(settings)  # again, with more edges; none of the first are left
    [row] = graph.run_text("MATCH ()-[s:STARS]->() RETURN count(DISTINCT s.version) AS versions, count(s) AS edges")
    assert (row["versions"], row["edges"]) == (1, 15 * 14)


def test_without_staged_ratings_the_remedy_is_told(settings: Settings, database: Database) -> None:
    result = CliRunner().invoke(main, ["fit-stars"], env=environment_of(settings))
    assert (result.exit_code, "python -m loader bulk PATH" in result.output) == (1, True)
