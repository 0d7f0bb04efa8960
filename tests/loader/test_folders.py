"""Telling folders apart, and `python -m loader check` on good ones, bad ones and none."""

import csv
import json
import os
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from loader_tools import read_folder

from common.errors import RecommenderError
from common.times import utc_now
from engine.dataset import Dataset
from loader.__main__ import main
from loader.files.input_files import input_files
from loader.formats.accounts import LONGEST_LINE, LONGEST_SHOWN, Account
from loader.staging.report import Report
from loader.staging.stage import stage
from scripts.run import SAMPLE

BROKEN = b"1:\n5,3,2005-01-01\n5,4,2005-01-02\n6,9,2005-01-01\n\n"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RECOMMENDER_LOG_LEVEL", "RECOMMENDER_DATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A Netflix Prize folder with one bad rating, one that comes twice, and one bad title."""
    (tmp_path / "combined_data_1.txt").write_bytes(BROKEN)
    (tmp_path / "movie_titles.csv").write_bytes(b"1,1999,One\nbad\n")
    return tmp_path


def check(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["check", "--quiet", *map(str, arguments)])


def stage_in(folder: Path) -> Dataset:
    return stage(folder, folder / "staging", quiet=True)


@pytest.mark.parametrize(
    ("file", "form", "catalogue"),
    [
        ("combined_data_1.txt", "combined_data_*.txt", "netflix-prize"),
        ("combined_data_4.txt", "combined_data_*.txt", "netflix-prize"),
        ("training_set/mv_0000001.txt", "training_set/mv_*.txt", "netflix-prize"),
        ("ratings.csv", "ratings.csv", "movielens"),
        ("ratings.dat", "ratings.dat", "movielens"),
        ("u.data", "u.data", "movielens"),
    ],
)
def test_a_folder_is_told_by_its_files(tmp_path: Path, file: str, form: str, catalogue: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    found = read_folder(tmp_path).format
    assert found is not None
    assert (found.name, found.catalogue, input_files(tmp_path)) == (form, catalogue, [tmp_path / file])


@pytest.mark.parametrize(
    ("file", "content", "catalogue"),
    [
        ("combined_data_1.txt", "2:\n1,3,2005-01-01\n", "netflix-prize"),
        ("training_set/mv_0000002.txt", "2:\n1,3,2005-01-01\n", "netflix-prize"),
        ("ratings.csv", "1,2,3,1104537600\n", "movielens"),
        ("ratings.dat", "1::2::3::1104537600\n", "movielens"),
        ("u.data", "1\t2\t3\t1104537600\n", "movielens"),
    ],
)
def test_each_form_is_staged_with_its_catalogue(tmp_path: Path, file: str, content: str, catalogue: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    dataset = stage_in(tmp_path)
    assert (dataset.manifest().catalogue, dataset.manifest().source) == (catalogue, str(tmp_path))
    [(user, movie, stars, at, probe)] = dataset.ratings().rows()
    assert (user, movie, stars, at.isoformat(), probe) == (1, 2, 3.0, "2005-01-01T00:00:00", False)


def test_the_newest_movielens_form_goes_first_and_the_others_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "u.data").write_text("3\t9\t3\t3\n")
    (tmp_path / "ratings.dat").write_text("2::9::3::3\nbad\n")
    (tmp_path / "ratings.csv").write_text("1,9,3,3\n")
    dataset = stage_in(tmp_path)
    assert dataset.ratings()["userId"].to_list() == [1]
    assert Report.of(dataset).accounts["ratings"] == Account(lines=1, loaded=1)
    assert caplog.messages == [
        f"{tmp_path / name} and its like are not read: the ratings are those of ratings.csv"
        for name in ("ratings.dat", "u.data")
    ]


def test_only_titles_of_the_ratings_own_form_count(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("1,2,3,3\n")
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n2,Jumanji (1995),Fantasy\n")
    (tmp_path / "u.item").write_text("2|GoldenEye (1995)|||0\n3|Four Rooms (1995)|||0\n")
    (tmp_path / "movie_titles.csv").write_text("2,1999,Isle of Man\n4,1999,Paula\n")
    dataset = stage_in(tmp_path)
    assert dataset.movies().select("movieId", "title").rows() == [(2, "Jumanji")]
    assert Report.of(dataset).accounts["movies"].loaded == 1
    assert Report.of(dataset).accounts["movies"].duplicates == 0


def test_a_folder_without_ratings_is_an_error_that_names_what_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "movie_titles.csv").touch()
    (tmp_path / "ratings.dat").mkdir()
    with pytest.raises(RecommenderError) as caught:
        stage_in(tmp_path)
    for part in (str(tmp_path), "combined_data_*.txt", "training_set/mv_*.txt", "ratings.csv", "ratings.dat", "u.data"):
        assert part in str(caught.value)


@pytest.mark.parametrize(("name", "reason"), [("missing", "does not exist"), ("file", "is neither a folder nor a ")])
def test_what_is_no_folder_is_an_error(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecommenderError, match=f"{name} {reason}"):
        stage(tmp_path / name, tmp_path / "staging", quiet=True)


def test_check_counts_the_sample() -> None:
    result = check(SAMPLE)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        "ratings: 100,837 lines = 100,836 loaded + 0 replaced duplicates + 0 rejected + 1 structure "
        "(headers, blank lines)\n"
        "movies: 9,743 lines = 9,742 loaded + 0 replaced duplicates + 0 rejected + 1 structure "
        "(headers, blank lines)\n"
    )
    assert result.stderr == ""


def test_check_names_what_is_wrong_and_fails(broken: Path) -> None:
    result = check(broken)
    assert result.exit_code == 1
    assert result.stdout == (
        "ratings: 5 lines = 1 loaded + 1 replaced duplicates + 1 rejected + 2 structure (headers, blank lines)\n"
        "movies: 2 lines = 1 loaded + 0 replaced duplicates + 1 rejected + 0 structure (headers, blank lines)\n"
    )
    file = broken / "combined_data_1.txt"
    assert result.stderr.splitlines() == [
        f"{file}:4: rating is out of range: '6,9,2005-01-01'",
        f"{broken / 'movie_titles.csv'}:2: not of the form MovieID,Year,Title: 'bad'",
        f"Error: 1 of 5 lines rejected, more than 0.10%; "
        f"the first is {file}:4: rating is out of range: '6,9,2005-01-01'",
    ]


@pytest.mark.parametrize(("tolerance", "code"), [("0.2", 0), ("0.19", 1), ("1", 0), ("0", 1)])
def test_check_tolerates_a_share_of_all_lines(broken: Path, tolerance: str, code: int) -> None:
    assert check(broken, "--tolerance", tolerance).exit_code == code


@pytest.mark.parametrize(("tolerance", "code"), [("1", 0), ("0", 1)])
def test_check_as_json(broken: Path, tolerance: str, code: int) -> None:
    result = check(broken, "--json", "--tolerance", tolerance)
    assert result.exit_code == code
    assert json.loads(result.stdout) == {
        "lines": 5,
        "loaded": 1,
        "duplicates": 1,
        "rejected": 1,
        "structure": 2,
        "movies": {"lines": 2, "loaded": 1, "duplicates": 0, "rejected": 1, "structure": 0},
        "rejects": [
            {
                "file": str(broken / "combined_data_1.txt"),
                "line": 4,
                "reason": "rating is out of range",
                "text": "6,9,2005-01-01",
            },
            {
                "file": str(broken / "movie_titles.csv"),
                "line": 2,
                "reason": "not of the form MovieID,Year,Title",
                "text": "bad",
            },
        ],
    }


def test_check_as_json_tells_what_was_read_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "combined_data_1.txt").write_bytes(b"1:\n5,3,2005-01-01\n")
    (tmp_path / "probe.txt").write_bytes(b"1:\n5\n6\nx\n")
    (tmp_path / "qualifying.txt").write_bytes(b"\n2:\n5,2005-01-01\n5,3,2005-01-01\n")
    answer = json.loads(check(tmp_path, "--json").stdout)
    assert {kind: counts for kind, counts in answer.items() if isinstance(counts, dict)} == {
        "probe": {"lines": 4, "loaded": 2, "duplicates": 0, "rejected": 1, "structure": 1},
        "qualifying": {"lines": 4, "loaded": 1, "duplicates": 0, "rejected": 1, "structure": 2},
    }
    assert [answer[name] for name in ("lines", "loaded", "duplicates", "rejected", "structure")] == [2, 1, 0, 0, 1]
    assert [(Path(reject["file"]).name, reject["line"]) for reject in answer["rejects"]] == [
        ("probe.txt", 4),
        ("qualifying.txt", 4),
    ]


def test_check_shows_a_few_of_many_rejects(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_bytes(b"1,1,3,3\n" + b"bad\n" * 25)
    result = check(tmp_path, "--tolerance", "1")
    assert result.exit_code == 0
    assert result.stderr.count("ratings.csv:") == 10
    assert result.stderr.splitlines()[-1] == "… and 15 more; --rejects FILE writes all."
    assert len(json.loads(check(tmp_path, "--tolerance", "1", "--json").stdout)["rejects"]) == 25


@pytest.mark.parametrize(("tolerance", "code"), [("1", 0), ("0", 1)])
def test_check_writes_all_rejects_to_a_file(tmp_path: Path, tolerance: str, code: int) -> None:
    bad = ["bad", "1,1,9,3", 'b"a,d', "b\ra", "\x00", "1,1,3,x;é"]
    lines = [bad[number % len(bad)] for number in range(1500)]
    (tmp_path / "ratings.csv").write_bytes("\n".join(["1,1,3,3", *lines]).encode())
    rejects_file = tmp_path / "rejects.csv"
    assert check(tmp_path, "--tolerance", tolerance, "--rejects", rejects_file).exit_code == code
    with rejects_file.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["file", "line", "reason", "text"]
    assert [(file, int(line), text) for file, line, _, text in rows] == [
        (str(tmp_path / "ratings.csv"), number, line) for number, line in enumerate(lines, start=2)
    ]
    assert {reason for _, _, reason, _ in rows} == {
        "not of the form userId,movieId,rating,timestamp",
        "rating is out of range",
        "date is unreadable",
    }


def test_a_file_for_rejects_that_cannot_be_written_is_one_clear_line(broken: Path) -> None:
    result = check(broken, "--tolerance", "1", "--rejects", broken / "missing" / "rejects.csv")
    assert (result.exit_code, type(result.exception)) == (2, SystemExit)
    assert str(broken / "missing") in result.stderr.splitlines()[-1]


def test_check_names_a_line_of_the_ratings_where_too_many_were_rejected(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_bytes(b"movieId,title,genres\nbad title\n" + b"x\n" * 2000)
    (tmp_path / "ratings.csv").write_bytes(b"1,1,3,3\nbad rating\n")
    result = check(tmp_path)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"Error: 1 of 2 lines rejected, more than 0.10%; the first is {tmp_path / 'ratings.csv'}:2: "
        "not of the form userId,movieId,rating,timestamp: 'bad rating'"
    )


@pytest.mark.parametrize("length", [LONGEST_SHOWN + 1, LONGEST_LINE, LONGEST_LINE + 1, 140_000, 200_000])
def test_check_shows_the_beginning_of_a_long_line(tmp_path: Path, length: int) -> None:
    (tmp_path / "ratings.csv").write_bytes(b"1,1,3,3\n" + b"x" * length + b"\n2,1,3,3\n")
    result = check(tmp_path, "--tolerance", "1")
    assert (result.exit_code, result.exception) == (0, None)
    reason = "not of the form userId,movieId,rating,timestamp" if length <= LONGEST_LINE else "line is too long"
    assert result.stderr == f"{tmp_path / 'ratings.csv'}:2: {reason}: {'x' * LONGEST_SHOWN!r}\n"


def test_check_says_why_where_no_line_is_a_rating(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_bytes(b"1;2;3;4\n" * 3)
    result = check(tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{tmp_path / 'ratings.csv'}:1: not of the form userId,movieId,rating,timestamp" in result.stderr


def test_check_of_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "ratings.csv").write_bytes(b"1,1,3,3\nbad\n")
    result = check(folder, "--tolerance", "1")
    assert (result.exit_code, result.exception) == (0, None)
    assert "ratings.csv:2: not of the form" in result.stderr


def test_check_changes_nothing_and_leaves_nothing(
    broken: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    before = {file: file.stat() for file in broken.rglob("*")}
    check(broken)
    assert {file: file.stat() for file in broken.rglob("*")}.keys() == before.keys()
    assert all(file.stat().st_mtime_ns == stat.st_mtime_ns for file, stat in before.items())
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_check_of_no_ratings_is_one_clear_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    result = check(tmp_path / name)
    assert result.exit_code == 1
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith(f"Error: {tmp_path / name} ")


def test_check_names_dates_that_are_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tomorrow, after = (utc_now().date() + timedelta(days=days) for days in (1, 2))
    file = tmp_path / "combined_data_1.txt"
    file.write_text(f"1:\n5,3,2005-01-01\n6,4,{tomorrow}\n7,5,{after}\n")
    told = {
        user: f"{file}:{line}: date is in the future: '{user},{user - 2},{day}'"
        for user, line, day in ((6, 3, tomorrow), (7, 4, after))
    }
    for minutes, users in (("0", [6, 7]), ("1440", [7])):
        monkeypatch.setenv("RECOMMENDER_FUTURE_MINUTES", minutes)
        result = check(tmp_path, "--tolerance", "1")
        assert (result.exit_code, result.stderr.splitlines()) == (0, [told[user] for user in users])
        assert f"{3 - len(users)} loaded + 0 replaced duplicates + {len(users)} rejected" in result.stdout


@pytest.mark.parametrize(
    "arguments", [["check"], ["check", ".", "--nonsense"], ["check", ".", "--tolerance", "2"], ["nonsense"]]
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_a_wrong_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOMMENDER_NONSENSE", "1")
    result = check(SAMPLE)
    assert result.exit_code == 1
    assert "RECOMMENDER_NONSENSE" in result.stderr


@pytest.mark.parametrize("command", [[], ["check"], ["bulk"], ["add"]])
def test_help(command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage:")
