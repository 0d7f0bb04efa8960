"""`python -m engine evaluate`, from the shell."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from common.settings import Settings
from engine.__main__ import main
from engine.dataset import RATING_SCHEMA, Dataset, Manifest, current_dataset, use_dataset
from engine.models import EASE, SLIM
from scripts.sandbox import environment_of, sandbox_settings


@pytest.fixture
def staged(tmp_path: Path) -> Settings:
    """Settings with staged ratings, none of them the probe set's; there is no database at all."""
    settings = sandbox_settings(tmp_path)
    random = np.random.default_rng(2)
    rows = [
        (user, int(movie), float(random.choice([3, 4, 5])), datetime(2020, 1, 1) + timedelta(hours=hour), False)
        for user in range(1, 81)
        for hour, movie in enumerate(random.choice(60, 8, replace=False) * 2 + user % 2 + 1)
    ]
    dataset = Dataset(settings.staging / "made-here")
    dataset.folder.mkdir(parents=True)
    frame = pl.DataFrame(rows, schema=list(RATING_SCHEMA), orient="row").cast(RATING_SCHEMA).sort("userId", "movieId")
    frame.write_parquet(dataset.shard_file(0))
    dataset.write_manifest(Manifest("movielens", "made here", len(rows), 80, 120))
    use_dataset(dataset)
    return settings


def evaluate(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", "--quiet", *arguments], env=environment_of(settings))


@pytest.mark.parametrize(
    ("protocol", "columns"),
    [
        (["random"], ["recall@20", "ndcg@20"]),
        (["next"], ["hr@10", "mrr@20"]),
        (["strong", "--held-out", "10"], ["ndcg@100", "recall@50"]),
        (["time"], ["ndcg@10", "hr@10", "mrr@10", "all recall@20", "all ndcg@20", "overlap"]),
    ],
)
def test_figures_as_json(staged: Settings, protocol: list[str], columns: list[str]) -> None:
    models = ["--model", "popularity", "--model", "cosine"]
    result = evaluate(staged, "--protocol", *protocol, *models, "--seeds", "2", "--json")
    assert result.exit_code == 0, result.output
    popularity, cosine = json.loads(result.output)
    assert (popularity["model"], cosine["model"]) == ("popularity", "item-kNN cosine")
    assert len(cosine["parameters"]) == 2
    for column in columns:
        mean, half_width = (float(part) for part in cosine[column].split(" ± "))
        assert 0 < mean <= 1
        assert 0 < half_width < 0.3
    assert "coverage" in cosine
    assert "popularity" in cosine


def test_a_table_for_people_with_other_lengths(staged: Settings) -> None:
    result = evaluate(staged, "--model", "popularity", "--k", "5", "--seeds", "1")
    assert result.exit_code == 0, result.output
    assert "recall@5" in result.output
    assert "parameters" not in result.output


def test_the_usual_parameters_can_be_measured(staged: Settings) -> None:
    result = evaluate(staged, "--model", "ease", "--model", "ours", "--untuned", "--seeds", "2", "--json")
    assert result.exit_code == 0, result.output
    ease, ours = json.loads(result.output)
    assert ease["parameters"] == [dict(EASE.parameters)] * 2
    assert [row["ridge"] for row in ours["parameters"]] == [SLIM.parameters["ridge"]] * 2


def test_published_splits(staged: Settings, tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    lists = [random.choice(20, 9, replace=False) for _ in range(30)]
    lines = [
        [f"{user} {' '.join(map(str, own[part]))}" for user, own in enumerate(lists)]
        for part in (slice(7), slice(7, 9))
    ]
    for name, text in zip(("train.txt", "test.txt"), lines, strict=True):
        (tmp_path / name).write_text("\n".join(text))
    files = ["--train", str(tmp_path / "train.txt"), "--test", str(tmp_path / "test.txt")]
    result = evaluate(staged, "--protocol", "files", *files, "--model", "ease", "--seeds", "1", "--json")
    assert result.exit_code == 0, result.output
    [row] = json.loads(result.output)
    assert float(row["recall@20"].split()[0]) == 1  # of 20 movies everything is found


def test_predicted_stars(staged: Settings) -> None:
    result = evaluate(staged, "--protocol", "stars", "--folds", "3", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    ours = ["baseline", "baseline with habits (ours)", "STARS (ours)"]
    assert [row["model"] for row in told["models"]] == ["SVD (Surprise)", "SVD++ (Surprise)", *ours]
    assert all(0.5 < float(row["RMSE"].split(" ± ")[0]) < 1.5 for row in told["models"])
    assert len(told["calibration"]) == 10
    assert [" ± " in row["ours less (RMSE)"] for row in told["models"]] == [True] * 5
    table = evaluate(staged, "--protocol", "stars", "--folds", "2").output
    assert "in the interval" in table
    assert "predicted  given" in table


def test_predicted_stars_on_the_timeline(staged: Settings) -> None:
    result = evaluate(staged, "--protocol", "stars", "--by-time", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)["models"]
    assert [row["model"] for row in told[-2:]] == ["STARS (ours), live histories", "STARS (ours)"]
    assert all(0.4 < float(row["in the interval"].split(" ± ")[0]) <= 1 for row in told[-2:])


def test_the_probe_set_is_predicted_without_the_matrix_factorisations(
    staged: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.models.find_spec", lambda name: None)  # as if Surprise were not installed
    shard = current_dataset(staged.staging).shard_file(0)
    pl.read_parquet(shard).with_columns(probe=pl.col("movieId") % 7 == 0).write_parquet(shard)
    caplog.set_level("INFO")
    arguments = ["evaluate", "--protocol", "stars", "--probe", "--json"]
    result = CliRunner().invoke(main, arguments, env=environment_of(staged))
    assert result.exit_code == 0, result.output
    assert "without the matrix factorisations" in caplog.text
    told = json.loads(result.output.splitlines()[-1])
    assert [row["model"] for row in told["models"]] == ["baseline", "baseline with habits (ours)", "STARS (ours)"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--protocol", "files"], 2, "needs --train and --test"),
        (["--protocol", "strong", "--held-out", "60"], 1, "too few to hold out 60 twice"),
        (["--protocol", "stars", "--probe"], 1, "no probe set"),
        (["--protocol", "stars", "--probe", "--by-time"], 2, "--probe and --by-time are two ways to split"),
        (["--protocol", "stars", "--model", "ease"], 2, "--model does not go with --protocol stars"),
        (["--seeds", "0"], 2, "0 is not in the range"),
        (["--model", "magic"], 2, "'magic' is not one of"),
    ],
)
def test_what_cannot_be_evaluated_is_told(staged: Settings, arguments: list[str], code: int, message: str) -> None:
    result = evaluate(staged, *arguments)
    assert (result.exit_code, message in result.output) == (code, True), result.output
