"""Staging: what the fit and the import read is sorted, deduplicated and complete, or not there at all."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import loader.staging.stage
from common.errors import RecommenderError
from common.settings import ROOT, Settings
from common.times import utc_now
from engine.dataset import LAYOUT, RATING_SCHEMA, Dataset, DatasetError, Manifest
from graph.recency import PROPERTIES
from loader.files.archives import Member
from loader.files.fingerprints import InputChangedError, add_digests, require_unchanged
from loader.files.input_files import read_members
from loader.formats.accounts import Account
from loader.staging.report import Report, TooManyRejectsError, stage_checked
from loader.staging.stage import NoRatingsError, stage
from scripts.run import SAMPLE


def write_netflix(folder: Path, *files: str, titles: str = "") -> Path:
    for number, content in enumerate(files, start=1):
        (folder / f"combined_data_{number}.txt").write_text(content)
    (folder / "movie_titles.csv").write_text(titles)
    return folder


def staged_ratings(dataset: Dataset) -> list[tuple[int, int, float, datetime]]:
    return dataset.ratings().drop("probe").rows()


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test writes its input."""
    folder = tmp_path / "input"
    folder.mkdir()
    return folder


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    """Where data sets come to lie."""
    return tmp_path / "data" / "staging"


def test_stages_sorted_by_user_and_movie(folder: Path, staging: Path) -> None:
    files = ("2:\n20,1,2005-01-03\n3,2,2005-01-01\n1:\n20,3,2005-01-02\n", "3:\n3,4,2005-01-01\n100,5,2005-01-01\n")
    dataset = stage(write_netflix(folder, *files), staging, quiet=True)
    assert dataset.folder.parent == staging
    assert staged_ratings(dataset) == [
        (3, 2, 2.0, datetime(2005, 1, 1)),
        (3, 3, 4.0, datetime(2005, 1, 1)),
        (20, 1, 3.0, datetime(2005, 1, 2)),
        (20, 2, 1.0, datetime(2005, 1, 3)),
        (100, 3, 5.0, datetime(2005, 1, 1)),
    ]
    assert dict(dataset.ratings().schema) == RATING_SCHEMA
    assert not dataset.ratings()["probe"].any()
    assert Report.of(dataset).accounts["ratings"] == Account(lines=8, loaded=5, structure=3)


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
    folder: Path, staging: Path, lines: tuple[str, ...], files: int
) -> None:
    contents = ["1:\n" + "\n".join(lines)] if files == 1 else [f"1:\n{line}\n" for line in lines]
    dataset = stage(write_netflix(folder, *contents), staging, quiet=True)
    assert staged_ratings(dataset) == [(5, 1, 4.0, datetime(2005, 1, 2))]
    account = Report.of(dataset).accounts["ratings"]
    assert (account.loaded, account.duplicates) == (1, len(lines) - 1)


@settings(deadline=None, max_examples=40)
@given(
    ratings=st.lists(
        st.tuples(
            st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.dates(date(2005, 1, 1), date(2005, 1, 3))
        ),
        min_size=1,
        max_size=25,
    ),
    part=st.sampled_from([7, 40, 1 << 20]),
)
def test_keeps_one_rating_for_each_pair(ratings: list[tuple[int, int, int, date]], part: int) -> None:
    expected: dict[tuple[int, int], tuple[int, date]] = {}
    for user, movie, stars, day in ratings:
        if (user, movie) not in expected or expected[user, movie][1] <= day:
            expected[user, movie] = stars, day
    with tempfile.TemporaryDirectory() as name, patch.object(loader.staging.stage, "BYTES_A_PART", part):
        content = "".join(f"{movie}:\n{user},{stars},{day}\n" for user, movie, stars, day in ratings)
        dataset = stage(write_netflix(Path(name), content), Path(name) / "staging", quiet=True)
        found, movies, report, manifest = dataset.ratings(), dataset.movies(), Report.of(dataset), dataset.manifest()
    assert [
        (user, movie, stars, at.date()) for user, movie, stars, at, _ in found.sort("userId", "movieId").rows()
    ] == [(*pair, *value) for pair, value in sorted(expected.items())]
    stars_of = defaultdict(list)
    for (_, movie), (stars, _) in expected.items():
        stars_of[movie].append(stars)
    assert movies.select("movieId", "ratingCount", "ratingMean").rows() == [
        (movie, len(stars), pytest.approx(sum(stars) / len(stars))) for movie, stars in sorted(stars_of.items())
    ]
    account = report.accounts["ratings"]
    assert (account.loaded, account.duplicates) == (len(expected), len(ratings) - len(expected))
    assert (manifest.ratings, manifest.users, manifest.movies) == (
        len(expected),
        len({user for user, _ in expected}),
        len(stars_of),
    )


def test_rated_movies_without_a_title_and_titled_ones_without_a_rating_are_kept(folder: Path, staging: Path) -> None:
    write_netflix(
        folder, "7:\n5,3,2005-01-01\n6,4,2005-01-01\n2:\n5,3,2005-01-01\n", titles="9,1999,Nine\n2,NULL,Two\n"
    )
    dataset = stage(folder, staging, quiet=True)
    assert dataset.movies().select(pl.exclude("viewers", "newestAt", *PROPERTIES)).rows() == [
        (2, "Two", None, [], 1, 3.0),
        (7, None, None, None, 2, 3.5),
        (9, "Nine", 1999, [], 0, None),
    ]
    told = ["movieId", "title", "year", "genres", "ratingCount", "ratingMean", "viewers", "newestAt", *PROPERTIES]
    assert dataset.movies().columns == told
    assert dataset.manifest().movies == 3


def test_statistics_count_only_what_was_kept(folder: Path, staging: Path) -> None:
    lines = ["5,1,2005-01-01", "5,5,2005-01-02", "6,4,2005-01-02", "6,1,2005-01-01", "7,9,2005-01-01"]
    dataset = stage(write_netflix(folder, "1:\n" + "\n".join(lines)), staging, quiet=True)
    assert dataset.movies().select("movieId", "ratingCount", "ratingMean").rows() == [(1, 2, 4.5)]


def test_more_rejects_than_tolerated_are_an_error(folder: Path, staging: Path) -> None:
    write_netflix(folder, "1:\n5,3,2005-01-01\n6,0,2005-01-01\n7,9,2005-01-01\n")
    dataset = stage(folder, staging, quiet=True)
    report = Report.of(dataset)
    with pytest.raises(TooManyRejectsError) as caught:
        report.check_tolerance(0.49)
    assert str(caught.value) == (
        f"2 of 4 lines rejected, more than 49.00%; the first is {folder / 'combined_data_1.txt'}:3: "
        "rating is out of range: '6,0,2005-01-01'"
    )
    report.check_tolerance(0.5)
    assert len(dataset.ratings()) == 1


def test_rejects_of_other_files_are_tolerated(folder: Path, staging: Path) -> None:
    write_netflix(folder, "1:\n5,3,2005-01-01\n", titles="bad\n")
    (folder / "probe.txt").write_text("bad\n")
    report = Report.of(stage(folder, staging, quiet=True))
    assert [Path(reject.file).name for reject in report.rejects] == ["movie_titles.csv", "probe.txt"]
    report.check_tolerance(0)


@pytest.mark.parametrize("content", ["", "1:\n\n", "x\n"])
def test_no_rating_at_all_is_an_error_and_leaves_nothing(folder: Path, staging: Path, content: str) -> None:
    write_netflix(folder, content, titles="1,1999,One\n")
    (folder / "probe.txt").write_text("1:\n5\n")
    with pytest.raises(NoRatingsError, match=f"{folder} holds no ratings"):
        stage(folder, staging, quiet=True)
    assert snapshot(staging) == {}
    assert list(staging.iterdir()) == []


def test_a_failed_load_leaves_what_was_staged(folder: Path, staging: Path) -> None:
    dataset = stage(write_netflix(folder, "1:\n5,3,2005-01-01\n"), staging, quiet=True)
    before = snapshot(staging)
    with pytest.raises(RecommenderError):
        stage(write_netflix(folder, "1:\n6,7,2005-01-01\nbad\n"), staging, quiet=True)
    assert snapshot(staging) == before
    assert list(staging.iterdir()) == [dataset.folder]


def test_what_changed_is_staged_beside_what_was(folder: Path, staging: Path) -> None:
    first = stage(write_netflix(folder, "1:\n5,3,2005-01-01\n6,3,2005-01-01\n"), staging, quiet=True)
    before = snapshot(first.folder)
    dataset = stage(write_netflix(folder, "2:\n7,4,2005-01-01\n"), staging, quiet=True)
    assert dataset.name != first.name
    assert snapshot(first.folder) == before
    assert staged_ratings(dataset) == [(7, 2, 4.0, datetime(2005, 1, 1))]
    assert dataset.movies()["movieId"].to_list() == [2]
    files = [folder / "combined_data_1.txt", folder / "movie_titles.csv"]
    assert dataset.manifest() == Manifest(
        "netflix-prize",
        str(folder),
        ratings=1,
        users=1,
        movies=1,
        inputs=[
            {
                "name": file.name,
                "size": file.stat().st_size,
                "modified": file.stat().st_mtime_ns,
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            }
            for file in files
        ],
        accounts={"ratings": asdict(Account(lines=2, loaded=1, structure=1)), "movies": asdict(Account())},
    )


def test_the_same_input_is_not_staged_again(folder: Path, staging: Path) -> None:
    write_netflix(folder, "1:\n5,3,2005-01-01\nbad\n")
    first = stage(folder, staging, quiet=True)
    before = snapshot(staging)
    again = stage(folder, staging, quiet=True)
    assert again == first
    assert snapshot(staging) == before
    assert Report.of(again) == Report.of(first)


def test_a_touched_input_has_the_same_name(folder: Path, staging: Path) -> None:
    first = stage(write_netflix(folder, "1:\n5,3,2005-01-01\n"), staging, quiet=True)
    ratings = first.ratings()
    for file in folder.iterdir():
        os.utime(file, ns=(1, 1))
    again = stage(folder, staging, quiet=True)
    assert (again.folder, again.ratings().equals(ratings)) == (first.folder, True)
    assert list(staging.iterdir()) == [first.folder]
    before = snapshot(staging)
    stage(folder, staging, quiet=True)
    assert snapshot(staging) == before


def test_a_touched_input_of_which_more_is_in_the_past_by_now_is_staged_anew(folder: Path, staging: Path) -> None:
    write_netflix(folder, "1:\n5,3,2005-01-01\n6,4,2026-03-01\n")
    first = stage(folder, staging, latest=datetime(2026, 2, 28), quiet=True)
    assert (first.manifest().ratings, len(first.ratings())) == (1, 1)
    for file in folder.iterdir():
        os.utime(file, ns=(1, 1))
    again = stage(folder, staging, latest=datetime(2026, 3, 1), quiet=True)
    assert (again.folder, again.manifest().ratings, len(again.ratings())) == (first.folder, 2, 2)
    assert Report.of(again).rejects == []
    assert list(staging.iterdir()) == [first.folder]


def test_a_load_rejects_what_is_further_ahead_than_the_setting(folder: Path, tmp_path: Path) -> None:
    tomorrow = utc_now().date() + timedelta(days=1)
    write_netflix(folder, f"1:\n5,3,{tomorrow}\n6,3,{tomorrow + timedelta(days=1)}\n7,3,2005-01-01\n")
    for minutes, users in ((0, [7]), (1440, [5, 7])):
        settings = Settings(data=tmp_path / f"{minutes}", future_minutes=minutes)
        reports: list[Report] = []
        dataset = stage_checked(folder, settings, 1, reports.append, quiet=True)
        assert dataset.ratings()["userId"].to_list() == users
        assert [report.accounts["ratings"].rejected for report in reports] == [3 - len(users)]
        with pytest.raises(TooManyRejectsError, match="date is in the future"):
            stage_checked(folder, settings, 0, reports.append, quiet=True)


def test_a_moved_input_has_the_same_name(folder: Path, staging: Path) -> None:
    first = stage(write_netflix(folder, "1:\n5,3,2005-01-01\n"), staging, quiet=True)
    assert stage(folder.rename(folder.with_name("elsewhere")), staging, quiet=True) == first


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "combined_data_1.txt").write_text("1:\n5,4,2005-01-01\n"),
        lambda folder: (folder / "combined_data_2.txt").write_text(""),
        lambda folder: (folder / "movie_titles.csv").write_text("1,1999,Other"),
        lambda folder: (folder / "probe.txt").write_text("1:\n5\n"),
        lambda folder: (folder / "combined_data_1.txt").rename(folder / "combined_data_7.txt"),
    ],
    ids=["another rating of the same size", "one file more", "another title", "a probe set", "another name"],
)
def test_another_input_has_another_name(folder: Path, staging: Path, change: Callable[[Path], object]) -> None:
    first = stage(write_netflix(folder, "1:\n5,3,2005-01-01\n", titles="1,1999,First"), staging, quiet=True)
    change(folder)
    assert stage(folder, staging, quiet=True).name != first.name


def test_what_elsewhere_has_the_same_names_sizes_and_times_is_another_input(tmp_path: Path, staging: Path) -> None:
    for number, name in enumerate(("one", "other"), start=1):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "combined_data_1.txt"
        file.write_text(f"{number}:\n5,3,2005-01-01\n")
        os.utime(file, ns=(10**18, 10**18))
        assert staged_ratings(stage(tmp_path / name, staging, quiet=True))[0][:2] == (5, number)


def test_another_layout_is_staged_again(folder: Path, staging: Path) -> None:
    first = stage(write_netflix(folder, "1:\n5,3,2005-01-01\n"), staging, quiet=True)
    first.write_manifest(replace(first.manifest(), layout=LAYOUT - 1))
    assert stage(folder, staging, quiet=True).manifest().layout == LAYOUT


def write_many(folder: Path) -> None:
    rows = [(user, movie, 1 + (user * movie) % 5) for movie in range(1, 8) for user in range(1, 90, movie)]
    content = "".join(f"{movie}:\n{user},{stars},2005-01-{movie:02}\n" for user, movie, stars in rows)
    write_netflix(folder, content, content[: len(content) // 2], titles="3,1999,Three\n")
    (folder / "probe.txt").write_text("2:\n1\n3\n5\n7:\n8\n")


def test_every_user_is_in_one_shard_and_their_number_makes_no_difference(folder: Path, tmp_path: Path) -> None:
    write_many(folder)
    whole = stage(folder, tmp_path / "one", quiet=True)
    assert len(whole.shards()) == 1
    for part, most in ((200, 64), (2000, 64), (2, 5)):
        with patch.multiple(loader.staging.stage, BYTES_A_PART=part, MOST_PARTS=most):
            parted = stage(folder, tmp_path / f"{part}", quiet=True)
        shards = [pl.read_parquet(shard) for shard in parted.shards()]
        users = [set(shard["userId"].to_list()) for shard in shards]
        assert 1 < len(shards) <= most
        assert sum(map(len, users)) == len(set.union(*users)) == parted.manifest().users
        assert all(shard.equals(shard.sort("userId", "movieId")) for shard in shards)
        assert parted.ratings().sort("userId", "movieId").equals(whole.ratings())
        assert parted.movies().equals(whole.movies())
        assert parted.manifest() == whole.manifest()
        assert parted.name == whole.name
        assert {file.name for file in parted.folder.iterdir()} == {
            *("manifest.json", "movies.parquet", "rejects.csv"),
            *(f"ratings-{number:03}.parquet" for number in range(len(shards))),
        }


def append(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"6,3,2005-01-01\n")


def rewrite(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b",3,", b",4,"))


@pytest.mark.parametrize("change", [append, rewrite, Path.unlink], ids=["grows", "is rewritten", "is removed"])
@pytest.mark.parametrize("when", [1, 2])
def test_a_file_that_changes_while_it_is_read_is_an_error_and_leaves_nothing(
    folder: Path, staging: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object], when: int
) -> None:
    write_netflix(folder, "1:\n5,3,2005-01-01\n", "2:\n5,3,2005-01-01\n")

    def read_and_change(path: Path, progress: Any) -> Iterator[Member]:
        for number, member in enumerate(read_members(path, progress), start=1):
            yield member
            if number == when:
                change(folder / "combined_data_1.txt")

    monkeypatch.setattr("loader.staging.stage.read_members", read_and_change)
    with pytest.raises(InputChangedError, match=r"changed while it was read \(combined_data_1.txt\): run the same"):
        stage(folder, staging, quiet=True)
    assert list(staging.iterdir()) == []


def test_a_file_that_appears_while_others_are_read_is_an_error(
    folder: Path, staging: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_netflix(folder, "1:\n5,3,2005-01-01\n")

    def add_and_read(path: Path, progress: Any) -> Iterator[Member]:
        (folder / "combined_data_2.txt").write_text("2:\n5,3,2005-01-01\n")
        return read_members(path, progress)

    monkeypatch.setattr("loader.staging.stage.read_members", add_and_read)
    with pytest.raises(InputChangedError):
        stage(folder, staging, quiet=True)
    assert list(staging.iterdir()) == []


def test_a_file_that_changes_before_its_digest_is_made_is_an_error(
    folder: Path, staging: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_netflix(folder, "1:\n5,3,2005-01-01\n")
    checked = Event()

    def check(*arguments: Any) -> None:
        require_unchanged(*arguments)
        checked.set()

    def make_digests_late(*arguments: Any) -> Any:
        checked.wait(0.5)
        append(folder / "combined_data_1.txt")
        return add_digests(*arguments)

    monkeypatch.setattr("loader.staging.stage.require_unchanged", check)
    monkeypatch.setattr("loader.staging.stage.add_digests", make_digests_late)
    with pytest.raises(InputChangedError):
        stage(folder, staging, quiet=True)
    assert list(staging.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
import loader.staging.stage
setattr(loader.staging.stage, sys.argv[1], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
loader.staging.stage.stage(Path(sys.argv[2]), Path(sys.argv[3]), quiet=True)
"""


@pytest.mark.parametrize("moment", ["write_table", "name_content"])
def test_what_a_killed_run_leaves_is_not_taken_and_the_next_removes_it(
    folder: Path, staging: Path, moment: str
) -> None:
    write_many(folder)
    killed = subprocess.run([sys.executable, "-c", KILLED, moment, folder, staging], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [left.name for left in staging.iterdir()] == [loader.staging.stage.PARTIAL]
    dataset = stage(folder, staging, quiet=True)
    assert list(staging.iterdir()) == [dataset.folder]
    assert dataset.manifest().ratings == len(dataset.ratings()) > 100


def test_what_has_no_readable_manifest_is_staged_again(folder: Path, staging: Path) -> None:
    first = stage(write_netflix(folder, "1:\n5,3,2005-01-01\n"), staging, quiet=True)
    (first.folder / "manifest.json").write_text("{")
    again = stage(folder, staging, quiet=True)
    assert again == first
    assert staged_ratings(again) == [(5, 1, 3.0, datetime(2005, 1, 1))]


def test_stages_the_sample(staging: Path) -> None:
    dataset = stage(SAMPLE, staging, quiet=True)
    report, manifest = Report.of(dataset), dataset.manifest()
    assert report.accounts["ratings"] == Account(lines=100_837, loaded=100_836, structure=1)
    assert report.accounts["movies"] == Account(lines=9743, loaded=9742, structure=1)
    assert report.rejects == []
    assert replace(manifest, inputs=[], accounts={}) == Manifest(
        "movielens", str(SAMPLE), ratings=100_836, users=610, movies=9742
    )
    assert [known["name"] for known in manifest.inputs] == ["movies.csv", "ratings.csv"]
    ratings, movies = dataset.ratings(), dataset.movies()
    assert ratings.equals(ratings.sort("userId", "movieId"))
    assert ratings["rating"].sum() == pytest.approx(353_083.0)
    assert movies["movieId"].is_sorted()
    assert movies["title"].null_count() == 0
    assert movies["ratingCount"].sum() == 100_836
    [story] = movies.filter(pl.col("movieId") == 1).select(pl.exclude("viewers", "newestAt", *PROPERTIES)).rows()
    genres = ["Adventure", "Animation", "Children", "Comedy", "Fantasy"]
    assert story == (1, "Toy Story", 1995, genres, 215, pytest.approx(3.92093))


def test_times_are_kept_to_the_second(folder: Path, staging: Path) -> None:
    (folder / "ratings.csv").write_text("1,2,3.5,1000000001\n1,2,4.0,1000000000\n")
    [(_, _, stars, at)] = staged_ratings(stage(folder, staging, quiet=True))
    assert (stars, at) == (3.5, datetime(1970, 1, 1) + timedelta(seconds=1_000_000_001))


@pytest.mark.parametrize("day", ["0001-01-01", "1969-12-31", "9999-12-31"])
def test_days_at_the_ends_of_time_are_kept(folder: Path, staging: Path, day: str) -> None:
    [(_, _, _, at)] = staged_ratings(stage(write_netflix(folder, f"1:\n5,3,{day}\n"), staging, quiet=True))
    assert at == datetime.fromisoformat(day)


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
    told = f"no staged ratings in {tmp_path}: `python -m loader bulk PATH` of the files that .* made from makes them"
    with pytest.raises(DatasetError, match=told):
        Dataset(tmp_path).manifest()
