"""Staging: what the fit and the import read is sorted, deduplicated and complete, or not there at all."""

import json
import tempfile
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dataset import LAYOUT, Dataset, DatasetError, Manifest
from graph.errors import RecommenderError
from graph.settings import ROOT
from loader.folder import open_folder
from loader.lines import RATING_SCHEMA
from loader.staging import TooManyRejectsError, read_folder, stage


def write_netflix(folder: Path, *files: str, titles: str = "") -> Path:
    for number, content in enumerate(files, start=1):
        (folder / f"combined_data_{number}.txt").write_text(content)
    (folder / "movie_titles.csv").write_text(titles)
    return folder


def staged_ratings(dataset: Dataset) -> list[tuple[int, int, float, datetime]]:
    return dataset.ratings().rows()


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset(tmp_path / "data" / "staging")


def test_stages_sorted_by_user_and_movie(tmp_path: Path, dataset: Dataset) -> None:
    files = ("2:\n20,1,2005-01-03\n3,2,2005-01-01\n1:\n20,3,2005-01-02\n", "3:\n3,4,2005-01-01\n100,5,2005-01-01\n")
    account = stage(open_folder(write_netflix(tmp_path, *files)), dataset, 0, quiet=True)
    assert staged_ratings(dataset) == [
        (3, 2, 2.0, datetime(2005, 1, 1)),
        (3, 3, 4.0, datetime(2005, 1, 1)),
        (20, 1, 3.0, datetime(2005, 1, 2)),
        (20, 2, 1.0, datetime(2005, 1, 3)),
        (100, 3, 5.0, datetime(2005, 1, 1)),
    ]
    assert dict(dataset.ratings().schema) == RATING_SCHEMA
    assert (account.lines, account.loaded, account.duplicates, account.structure) == (8, 5, 0, 3)


@pytest.mark.parametrize(
    "lines",
    [
        ("5,2,2005-01-01", "5,4,2005-01-02"),
        ("5,4,2005-01-02", "5,2,2005-01-01"),
        ("5,2,2005-01-02", "5,4,2005-01-02"),
        ("5,4,2005-01-02", "5,2,2004-12-31", "5,1,2005-01-01"),
    ],
    ids=["later line", "earlier line", "same date", "three"],
)
@pytest.mark.parametrize("files", [1, 2])
def test_of_a_pair_the_later_date_counts_then_the_later_line(
    tmp_path: Path, dataset: Dataset, lines: tuple[str, ...], files: int
) -> None:
    contents = ["1:\n" + "\n".join(lines)] if files == 1 else [f"1:\n{line}\n" for line in lines]
    account = stage(open_folder(write_netflix(tmp_path, *contents)), dataset, 0, quiet=True)
    assert staged_ratings(dataset) == [(5, 1, 4.0, datetime(2005, 1, 2))]
    assert (account.loaded, account.duplicates) == (1, len(lines) - 1)


@settings(deadline=None, max_examples=40)
@given(
    ratings=st.lists(
        st.tuples(
            st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.dates(date(2005, 1, 1), date(2005, 1, 3))
        ),
        max_size=25,
    )
)
def test_keeps_one_rating_for_each_pair(ratings: list[tuple[int, int, int, date]]) -> None:
    expected: dict[tuple[int, int], tuple[int, date]] = {}
    for user, movie, stars, day in ratings:
        if (user, movie) not in expected or expected[user, movie][1] <= day:
            expected[user, movie] = stars, day
    with tempfile.TemporaryDirectory() as folder:
        content = "".join(f"{movie}:\n{user},{stars},{day}\n" for user, movie, stars, day in ratings)
        found, movies, account = read_folder(open_folder(write_netflix(Path(folder), content)), quiet=True)
    assert [(user, movie, stars, at.date()) for user, movie, stars, at in found.rows()] == [
        (*pair, *value) for pair, value in sorted(expected.items())
    ]
    assert movies["movieId"].to_list() == sorted({movie for _, movie in expected})
    assert (account.loaded, account.duplicates) == (len(expected), len(ratings) - len(expected))


def test_rated_movies_without_a_title_and_titled_ones_without_a_rating_are_kept(
    tmp_path: Path, dataset: Dataset
) -> None:
    folder = write_netflix(tmp_path, "7:\n5,3,2005-01-01\n2:\n5,3,2005-01-01\n", titles="9,1999,Nine\n2,NULL,Two\n")
    stage(open_folder(folder), dataset, 0, quiet=True)
    assert dataset.movies().rows() == [(2, "Two", None, []), (7, None, None, None), (9, "Nine", 1999, [])]
    assert dataset.manifest().movies == 3


def test_too_many_rejects_are_an_error_before_anything_is_written(tmp_path: Path, dataset: Dataset) -> None:
    folder = open_folder(write_netflix(tmp_path, "1:\n5,3,2005-01-01\n6,0,2005-01-01\n7,9,2005-01-01\n"))
    with pytest.raises(TooManyRejectsError) as caught:
        stage(folder, dataset, 0.49, quiet=True)
    assert str(caught.value) == (
        f"2 of 4 lines rejected, more than 49.00%; the first is {tmp_path / 'combined_data_1.txt'}:3: "
        "rating is out of range: '6,0,2005-01-01'"
    )
    assert not dataset.folder.parent.exists()
    stage(folder, dataset, 0.5, quiet=True)
    assert len(dataset.ratings()) == 1


@pytest.mark.parametrize("content", ["", "1:\n\n", "x\n"])
def test_no_rating_at_all_is_an_error_before_anything_is_written(
    tmp_path: Path, dataset: Dataset, content: str
) -> None:
    with pytest.raises(RecommenderError, match=f"{tmp_path} holds no ratings"):
        stage(open_folder(write_netflix(tmp_path, content)), dataset, 1, quiet=True)
    assert not dataset.folder.exists()


def test_a_failed_load_leaves_what_was_staged(tmp_path: Path, dataset: Dataset) -> None:
    stage(open_folder(write_netflix(tmp_path, "1:\n5,3,2005-01-01\n")), dataset, 0, quiet=True)
    before = {file.name: file.read_bytes() for file in dataset.folder.iterdir()}
    with pytest.raises(TooManyRejectsError):
        stage(open_folder(write_netflix(tmp_path, "1:\n6,3,2005-01-01\nbad\n")), dataset, 0, quiet=True)
    assert {file.name: file.read_bytes() for file in dataset.folder.iterdir()} == before


def test_staging_again_replaces_what_was_staged(tmp_path: Path, dataset: Dataset) -> None:
    stage(open_folder(write_netflix(tmp_path, "1:\n5,3,2005-01-01\n6,3,2005-01-01\n")), dataset, 0, quiet=True)
    stage(open_folder(write_netflix(tmp_path, "2:\n7,4,2005-01-01\n")), dataset, 0, quiet=True)
    assert staged_ratings(dataset) == [(7, 2, 4.0, datetime(2005, 1, 1))]
    assert dataset.movies()["movieId"].to_list() == [2]
    assert dataset.manifest() == Manifest("netflix-prize", str(tmp_path), ratings=1, users=1, movies=1)


def test_stages_the_sample(dataset: Dataset) -> None:
    sample = ROOT / "data" / "ml-latest-small"
    account = stage(open_folder(sample), dataset, 0, quiet=True)
    assert (account.lines, account.loaded, account.rejected, account.structure) == (100_837, 100_836, 0, 1)
    assert account.movie_rejects == []
    assert dataset.manifest() == Manifest("movielens", str(sample), ratings=100_836, users=610, movies=9742)
    ratings, movies = dataset.ratings(), dataset.movies()
    assert ratings.equals(ratings.sort("userId", "movieId"))
    assert ratings["rating"].sum() == pytest.approx(353_083.0)
    assert movies["movieId"].is_sorted()
    assert movies["title"].null_count() == 0
    [story] = movies.filter(pl.col("movieId") == 1).rows()
    assert story == (1, "Toy Story", 1995, ["Adventure", "Animation", "Children", "Comedy", "Fantasy"])


def test_the_manifest_comes_back_as_written(tmp_path: Path) -> None:
    manifest = Manifest("movielens", "/data/Café", ratings=3, users=2, movies=1)
    Dataset(tmp_path).write_manifest(manifest)
    assert Dataset(tmp_path).manifest() == manifest
    assert json.loads((tmp_path / "manifest.json").read_text("utf-8"))["layout"] == LAYOUT


def test_another_layout_is_an_error_that_names_the_remedy(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path)
    dataset.write_manifest(replace(Manifest("movielens", "x", 1, 1, 1), layout=LAYOUT + 1))
    with pytest.raises(
        DatasetError, match=f"{tmp_path} has layout {LAYOUT + 1}, not {LAYOUT}: run the bulk load again"
    ):
        dataset.manifest()


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"catalogue": "movielens"}', "\xff"])
def test_no_manifest_is_an_error_that_names_the_remedy(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(DatasetError, match=f"no staged ratings in {tmp_path}: run `python -m loader bulk PATH`"):
        Dataset(tmp_path).manifest()


def test_times_are_kept_to_the_second(tmp_path: Path, dataset: Dataset) -> None:
    (tmp_path / "ratings.csv").write_text("1,2,3.5,1000000001\n1,2,4.0,1000000000\n")
    stage(open_folder(tmp_path), dataset, 0, quiet=True)
    [(_, _, stars, at)] = staged_ratings(dataset)
    assert (stars, at) == (3.5, datetime(1970, 1, 1) + timedelta(seconds=1_000_000_001))
