"""Fitting again: staged and live ratings together, swapped in version by version on a real graph."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import engine.training
from common.settings import Settings
from engine.__main__ import main
from engine.dataset import RATING_SCHEMA, Dataset, Manifest, current_dataset, use_dataset
from engine.models import SLIM, STORABLE
from engine.positives import build_positives
from engine.similarity import keep_strongest
from engine.training import FittedModel, fit_dataset, fit_once, put_to_use, table_of_edges
from graph.database import Database
from graph.repositories.models import Models
from scripts.sandbox import environment_of

NOON = datetime(2026, 1, 1, 12)


def write_dataset(folder: Path, parts: int = 1, movies: int = 12, ratings: int = 150) -> Dataset:
    random = np.random.default_rng(3)
    user, movie = np.divmod(random.choice(30 * movies, ratings, replace=False), movies)
    stars = random.choice([1.0, 3.0, 5.0], len(user))
    dataset = Dataset(folder)
    dataset.folder.mkdir(parents=True)
    frame = pl.DataFrame(
        {"userId": user + 1, "movieId": movie + 1, "rating": stars, "at": [NOON] * len(user), "probe": False}
    )
    for number in range(parts):
        shard = frame.cast(RATING_SCHEMA).filter(pl.col("userId") % parts == number).sort("userId", "movieId")
        shard.write_parquet(dataset.shard_file(number))
    dataset.write_manifest(Manifest("movielens", "made here", len(user), 30, movies))
    return dataset


@pytest.fixture
def dataset(settings: Settings) -> Dataset:
    dataset = write_dataset(settings.staging / "made-here")
    use_dataset(dataset)
    return dataset


def fill(database: Database, dataset: Dataset) -> None:
    database.run_text("UNWIND range(1, 12) AS id CREATE (:Movie {movieId: id})")
    database.run_text("CREATE (:Catalogue {name: 'movielens'})")
    Models(database).set_dataset(dataset.name)


def versions(database: Database) -> dict[str, int]:
    rows = database.run_text("MATCH ()-[s:SIMILAR]->() RETURN s.version AS version, count(*) AS edges")
    return {row["version"]: row["edges"] for row in rows}


def edges_of(fitted: FittedModel) -> dict[tuple[int, int], tuple[float, int]]:
    return {(source, target): (weight, rank) for source, target, weight, rank in fitted.edges.rows()}


def test_the_number_of_shards_makes_no_difference_to_the_fit(tmp_path: Path) -> None:
    whole, _ = fit_dataset(write_dataset(tmp_path / "whole"), NOON)
    parted, _ = fit_dataset(write_dataset(tmp_path / "parted", parts=4), NOON)
    assert parted.model.rule.liked_from == whole.model.rule.liked_from == SLIM.liked_from
    assert replace(parted.model, metrics={}, rule=whole.model.rule) == replace(whole.model, metrics={})
    assert whole.model.edges == len(whole.edges) > 20
    assert whole.model.snapshot == {"catalogue": "movielens", "ratings": 150, "live": 0}
    expected, found = edges_of(whole), edges_of(parted)
    assert found.keys() == expected.keys()
    assert [found[pair][0] for pair in expected] == pytest.approx([weight for weight, _ in expected.values()], rel=1e-4)


@pytest.mark.parametrize("key", ["slim", "cosine"])
@pytest.mark.parametrize("neighbours", [5, 100])
def test_the_number_of_neighbours_is_the_fits_own(tmp_path: Path, key: str, neighbours: int) -> None:
    """More than the model's usual 50 as well as fewer, which are weighed again without the others."""
    dataset, model = write_dataset(tmp_path / "wide", movies=130, ratings=3000), STORABLE[key]
    fitted, _ = fit_dataset(dataset, NOON, model=model, neighbours=neighbours)
    positives = build_positives((pl.read_parquet(file) for file in dataset.shards()), [], model.liked_from)
    wanted = model.fit(positives.matrix, {**model.parameters, "neighbours": neighbours}, lambda _: None)
    assert fitted.edges.group_by("source").len()["len"].max() == neighbours
    assert edges_of(fitted) == edges_of(
        FittedModel(fitted.model, table_of_edges(keep_strongest(wanted, neighbours), positives.movie_ids))
    )
    assert fitted.model.parameters["neighbours"] == neighbours


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[Dataset]:
    """The data sets that were fitted, one for each fit."""
    fits: list[Dataset] = []

    def fit_and_count(dataset: Dataset, *arguments: Any, **named: Any) -> Any:
        fits.append(dataset)
        return fit_dataset(dataset, *arguments, **named)

    monkeypatch.setattr("engine.training.fit_dataset", fit_and_count)
    return fits


def test_a_fit_is_kept_beside_the_ratings_and_found_again(tmp_path: Path, fits: list[Dataset]) -> None:
    dataset = write_dataset(tmp_path / "staged")
    shares: list[float] = []
    first = fit_once(dataset, NOON, shares.append)
    assert sum(shares) == pytest.approx(1)
    files = {file: file.stat().st_mtime_ns for file in dataset.folder.iterdir()}
    again = fit_once(dataset, NOON + timedelta(hours=1), shares.append)
    assert fits == [dataset]
    assert again.model == first.model
    assert again.edges.equals(first.edges)
    assert dict(again.edges.schema) == dict(first.edges.schema)
    assert {file: file.stat().st_mtime_ns for file in dataset.folder.iterdir()} == files
    assert fit_once(write_dataset(tmp_path / "other"), NOON).model == first.model
    assert len(fits) == 2


def test_a_kept_fit_of_other_parameters_is_not_used(
    tmp_path: Path, fits: list[Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = write_dataset(tmp_path / "staged")
    first = fit_once(dataset, NOON)
    monkeypatch.setattr("engine.training.SLIM", replace(SLIM, liked_from=4.0))
    second = fit_once(dataset, NOON + timedelta(hours=1))
    assert len(fits) == 2
    assert (first.model.parameters["liked_from"], second.model.parameters["liked_from"]) == (3.0, 4.0)
    assert second.model.fitted_at == NOON + timedelta(hours=1)
    assert not second.edges.equals(first.edges)
    assert fit_once(dataset, NOON).edges.equals(second.edges)
    assert len(fits) == 2


@pytest.mark.parametrize("parameter", ["neighbours", "ridge", "user_exponent"])
def test_each_parameter_of_a_kept_fit_has_to_be_the_same(tmp_path: Path, fits: list[Dataset], parameter: str) -> None:
    dataset = write_dataset(tmp_path / "staged")
    fit_once(dataset, NOON)
    file = dataset.folder / "model.json"
    known = json.loads(file.read_text())
    known["parameters"][parameter] += 1
    file.write_text(json.dumps(known))
    fit_once(dataset, NOON)
    assert len(fits) == 2


@pytest.mark.parametrize("missing", ["model.json", "similar.parquet"])
def test_half_a_kept_fit_is_made_again(tmp_path: Path, fits: list[Dataset], missing: str) -> None:
    dataset = write_dataset(tmp_path / "staged")
    first = fit_once(dataset, NOON)
    (dataset.folder / missing).unlink()
    assert fit_once(dataset, NOON).edges.equals(first.edges)
    assert len(fits) == 2


def test_a_fit_that_was_not_kept_whole_is_not_taken_for_one(
    tmp_path: Path, fits: list[Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = write_dataset(tmp_path / "staged")
    first = fit_once(dataset, NOON)
    monkeypatch.setattr("engine.training.SLIM", replace(SLIM, liked_from=4.0))
    with (
        patch.object(engine.training, "write_durably", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        fit_once(dataset, NOON)
    monkeypatch.setattr("engine.training.SLIM", SLIM)
    assert fit_once(dataset, NOON).edges.equals(first.edges)
    monkeypatch.setattr("engine.training.SLIM", replace(SLIM, liked_from=4.0))
    assert not fit_once(dataset, NOON).edges.equals(first.edges)


def test_a_new_version_takes_the_place_of_the_old_one(
    database: Database, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.repositories.models.WRITE_ROWS", 20)
    monkeypatch.setattr("graph.repositories.models.REMOVE_ROWS", 20)
    fill(database, dataset)
    database.run_text(
        "MATCH (a:Movie {movieId: 1}) CREATE (a)-[:SIMILAR {version: 'incremental'}]->(:Movie {movieId: 13})"
    )
    models = Models(database)
    for hour in range(2):
        fitted, _ = fit_dataset(dataset, NOON + timedelta(hours=hour))
        written: list[int] = []
        put_to_use(fitted, models, 0.0, written.append)
        assert sum(written) == fitted.model.edges > 20
        assert models.get_current_model() == fitted.model
        assert versions(database) == {fitted.model.version: fitted.model.edges, "incremental": 1}
    assert len(database.run_text("MATCH (m:Model) RETURN m")) == 2


def test_the_command_counts_what_happened_live(database: Database, dataset: Dataset, settings: Settings) -> None:
    fill(database, dataset)
    database.run_text(
        "MATCH (m:Movie {movieId: 1}) CREATE (:User {userId: 99})-[:WATCHED {eventId: 'e', finishedAt: $now}]->(m), "
        "(:User {userId: 98})-[:RATED {eventId: 'r', rating: 1.0, at: $now}]->(m), "
        "(:User {userId: 97})-[:RATED {rating: 5.0}]->(m)",
        now=NOON,
    )
    assert sorted(Models(database).read_live_positives(5.5)) == [(98, 1, 1.0, NOON), (99, 1, 5.5, NOON)]
    result = CliRunner().invoke(main, ["fit", "--quiet"], env=environment_of(settings))
    assert result.exit_code == 0, result.output
    model = Models(database).get_current_model()
    assert model is not None
    assert (model.snapshot["live"], f"model {model.version}" in result.output) == (2, True)


def test_the_command_fits_the_data_set_that_the_graph_is_made_from(
    database: Database, dataset: Dataset, settings: Settings
) -> None:
    fill(database, dataset)
    other = write_dataset(settings.staging / "other")
    other.write_manifest(Manifest("movielens", "elsewhere", 7, 30, 12))
    use_dataset(other)
    assert current_dataset(settings.staging) == other
    result = CliRunner().invoke(main, ["fit", "--quiet"], env=environment_of(settings))
    assert result.exit_code == 0, result.output
    model = Models(database).get_current_model()
    assert model is not None
    assert model.snapshot["ratings"] == 150


def test_without_staged_ratings_the_remedy_is_told(settings: Settings) -> None:
    result = CliRunner().invoke(main, ["fit"], env=environment_of(settings))
    assert (result.exit_code, "python -m loader bulk PATH" in result.output) == (1, True)
