"""Two staged data sets as one, against the same done by hand."""

import os
import tempfile
from collections import defaultdict
from datetime import date, datetime
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import loader.staging.stage
from engine.dataset import RATING_SCHEMA, TITLED_SCHEMA, Dataset
from engine.movie_summary import summarise_movies, with_statistics
from loader.staging.merging import merge_datasets
from loader.staging.report import Report
from loader.staging.stage import PARTIAL, stage

# User, movie, stars, date.
Row = tuple[int, int, int, date]
days = st.dates(date(2005, 1, 1), date(2005, 1, 3))
rows = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 5), days), min_size=1, max_size=20)


def stage_rows(
    folder: Path, staging: Path, ratings: list[Row], titles: str = "", probe: str = "", part: int = 1 << 20
) -> Dataset:
    folder.mkdir()
    lines = [f"{movie}:\n{user},{stars},{day}\n" for user, movie, stars, day in ratings]
    (folder / "combined_data_1.txt").write_text("".join(lines))
    (folder / "movie_titles.csv").write_text(titles)
    (folder / "probe.txt").write_text(probe)
    with patch.object(loader.staging.stage, "BYTES_A_PART", part):
        return stage(folder, staging, quiet=True)


def latest(ratings: list[Row]) -> dict[tuple[int, int], tuple[int, date]]:
    """What counts of ratings in the order of their lines."""
    found: dict[tuple[int, int], tuple[int, date]] = {}
    for user, movie, stars, day in ratings:
        if (user, movie) not in found or found[user, movie][1] <= day:
            found[user, movie] = stars, day
    return found


@settings(deadline=None, max_examples=40)
@given(first=rows, second=rows, parts=st.tuples(st.sampled_from([30, 1 << 20]), st.sampled_from([30, 1 << 20])))
def test_of_a_pair_the_later_rating_counts_then_what_was_added(
    first: list[Row], second: list[Row], parts: tuple[int, int]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        staging = Path(name) / "staging"
        base = stage_rows(Path(name) / "base", staging, first, part=parts[0])
        added = stage_rows(Path(name) / "added", staging, second, part=parts[1])
        merged = merge_datasets(base, added)
        found, movies, manifest = merged.ratings(), merged.movies(), merged.manifest()
        shards = [pl.read_parquet(shard) for shard in merged.shards()]
    expected = latest([*first, *second])
    assert [
        (user, movie, stars, at.date()) for user, movie, stars, at, _ in found.sort("userId", "movieId").rows()
    ] == [(*pair, *value) for pair, value in sorted(expected.items())]
    assert dict(found.schema) == RATING_SCHEMA
    assert all(shard.equals(shard.sort("userId", "movieId")) for shard in shards)
    assert sum(shard["userId"].n_unique() for shard in shards) == found["userId"].n_unique() == manifest.users
    stars_of = defaultdict(list)
    for (_, movie), (stars, _) in expected.items():
        stars_of[movie].append(stars)
    assert movies.select("movieId", "ratingCount", "ratingMean").rows() == [
        (movie, len(stars), pytest.approx(sum(stars) / len(stars))) for movie, stars in sorted(stars_of.items())
    ]
    assert (manifest.ratings, manifest.movies, manifest.probe) == (len(expected), len(stars_of), 0)
    none = pl.DataFrame(schema=TITLED_SCHEMA)
    assert_frame_equal(movies, with_statistics(none, summarise_movies(found)), abs_tol=1e-9)


JANUARY = date(2005, 1, 1)


def test_titles_are_taken_over(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    ratings = [(5, 1, 3, JANUARY), (5, 2, 4, JANUARY), (5, 4, 1, JANUARY)]
    base = stage_rows(tmp_path / "base", staging, ratings, "1,1991,One\n3,1993,Three\n")
    more = [(6, 1, 4, JANUARY), (6, 5, 2, JANUARY)]
    added = stage_rows(tmp_path / "added", staging, more, "1,1999,Another\n2,1992,Two\n6,NULL,Six\n")
    merged = merge_datasets(base, added).movies()
    assert merged.select("movieId", "title", "year", "genres", "ratingCount", "ratingMean").rows() == [
        (1, "One", 1991, [], 2, 3.5),
        (2, "Two", 1992, [], 1, 4.0),
        (3, "Three", 1993, [], 0, None),
        (4, None, None, None, 1, 1.0),
        (5, None, None, None, 1, 2.0),
        (6, "Six", None, [], 0, None),
    ]


def test_a_merged_data_set_lies_beside_the_two_and_says_where_it_is_from(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    base = stage_rows(tmp_path / "base", staging, [(5, 1, 3, JANUARY)])
    added = stage_rows(tmp_path / "added", staging, [(6, 1, 4, JANUARY)])
    merged = merge_datasets(base, added)
    assert len({base.name, added.name, merged.name}) == 3
    assert {folder.name for folder in staging.iterdir()} == {base.name, added.name, merged.name}
    assert (len(base.ratings()), len(added.ratings()), len(merged.ratings())) == (1, 1, 2)
    manifest = merged.manifest()
    assert manifest.inputs == [*base.manifest().inputs, *added.manifest().inputs]
    assert manifest.source == f"{tmp_path / 'base'} + {tmp_path / 'added'}"
    assert manifest.catalogue == "netflix-prize"


def test_merging_again_gives_the_same(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    base = stage_rows(tmp_path / "base", staging, [(5, 1, 3, JANUARY)], part=5)
    added = stage_rows(tmp_path / "added", staging, [(5, 1, 4, JANUARY), (6, 1, 4, JANUARY)])
    first = merge_datasets(base, added)
    ratings, manifest = first.ratings(), first.manifest()
    (staging / PARTIAL).mkdir()  # as a killed run leaves it
    (staging / PARTIAL / "ratings-999.parquet").touch()
    again = merge_datasets(base, added)
    assert (again, again.manifest()) == (first, manifest)
    assert again.ratings().equals(ratings)
    twice = merge_datasets(again, added)
    assert twice.name != again.name
    assert twice.ratings().equals(ratings)


def test_pairs_of_the_probe_set_are_counted_as_they_are_marked(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    ratings = [(user, 1, 3, JANUARY) for user in (1, 2, 3)]
    base = stage_rows(tmp_path / "base", staging, ratings, probe="1:\n1\n2\n")
    more = [(user, 1, 4, date(2005, 1, day)) for user, day in ((2, 2), (3, 2), (4, 2))]
    added = stage_rows(tmp_path / "added", staging, more, probe="1:\n3\n4\n")
    merged = merge_datasets(base, added)
    marked = merged.ratings().filter("probe")["userId"].to_list()
    assert merged.manifest().probe == len(marked)
    assert {1, 3, 4} <= set(marked)


def test_a_merged_data_set_is_not_taken_for_one_that_was_read(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    both = tmp_path / "both"
    both.mkdir()
    for number, name in enumerate(("first", "second"), start=1):
        (tmp_path / name).mkdir()
        file = tmp_path / name / f"combined_data_{number}.txt"
        file.write_text(f"{number}:\n5,3,2005-01-01\n")
        os.link(file, both / file.name)
    first, second = (stage(tmp_path / name, staging, quiet=True) for name in ("first", "second"))
    merge_datasets(first, second)
    dataset = stage(both, staging, quiet=True)
    assert dataset.manifest().source == str(both)
    assert Report.of(dataset).accounts["ratings"].lines == 4


def test_later_moments_of_one_day_count(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    datasets = []
    for name, lines in (("base", "1,2,3.5,1000000001\n3,2,1,5\n"), ("added", "1,2,4.0,1000000000\n3,2,2,5\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ratings.csv").write_text(lines)
        datasets.append(stage(tmp_path / name, staging, quiet=True))
    assert merge_datasets(*datasets).ratings().drop("probe").rows() == [
        (1, 2, 3.5, datetime(2001, 9, 9, 1, 46, 41)),
        (3, 2, 2.0, datetime(1970, 1, 1, 0, 0, 5)),
    ]
