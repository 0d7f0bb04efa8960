"""Telling folders apart, and `python -m loader check` on good ones, bad ones and none."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from graph.settings import ROOT
from loader.__main__ import main
from loader.folder import FolderError, open_folder
from loader.movielens import MovieLensFolder
from loader.netflix import NetflixPrizeFolder

SAMPLE = ROOT / "data" / "ml-latest-small"
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


@pytest.mark.parametrize(
    ("file", "kind", "catalogue"),
    [
        ("combined_data_1.txt", NetflixPrizeFolder, "netflix-prize"),
        ("combined_data_4.txt", NetflixPrizeFolder, "netflix-prize"),
        ("training_set/mv_0000001.txt", NetflixPrizeFolder, "netflix-prize"),
        ("ratings.csv", MovieLensFolder, "movielens"),
        ("ratings.dat", MovieLensFolder, "movielens"),
        ("u.data", MovieLensFolder, "movielens"),
    ],
)
def test_a_folder_is_told_by_its_files(tmp_path: Path, file: str, kind: type, catalogue: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    folder = open_folder(tmp_path)
    assert type(folder) is kind
    assert (folder.catalogue, folder.path, folder.rating_files) == (catalogue, tmp_path, [tmp_path / file])


def test_the_newest_movielens_form_goes_first(tmp_path: Path) -> None:
    for name in ("u.data", "ratings.dat", "ratings.csv"):
        (tmp_path / name).touch()
    assert open_folder(tmp_path).rating_files == [tmp_path / "ratings.csv"]


def test_a_folder_without_ratings_is_an_error_that_names_what_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "movie_titles.csv").touch()
    (tmp_path / "ratings.dat").mkdir()
    with pytest.raises(FolderError) as caught:
        open_folder(tmp_path)
    for part in (str(tmp_path), "combined_data_*.txt", "training_set/mv_*.txt", "ratings.csv", "ratings.dat", "u.data"):
        assert part in str(caught.value)


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_folder_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match=f"{name} is not a folder"):
        open_folder(tmp_path / name)


def test_check_counts_the_sample() -> None:
    result = check(SAMPLE)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        "100,837 lines = 100,836 loaded + 0 replaced duplicates + 0 rejected + 1 structure (headers, blank lines)\n"
    )
    assert result.stderr == ""


def test_check_names_what_is_wrong_and_fails(broken: Path) -> None:
    result = check(broken)
    assert result.exit_code == 1
    assert result.stdout == (
        "5 lines = 1 loaded + 1 replaced duplicates + 1 rejected + 2 structure (headers, blank lines)\n"
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


def test_check_shows_a_few_of_many_rejects(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_bytes(b"bad\n" * 25)
    result = check(tmp_path, "--tolerance", "1")
    assert result.exit_code == 0
    assert result.stderr.count("ratings.csv:") == 10
    assert result.stderr.splitlines()[-1] == "… and 15 more; --json lists all."
    assert len(json.loads(check(tmp_path, "--tolerance", "1", "--json").stdout)["rejects"]) == 25


def test_check_changes_nothing(broken: Path) -> None:
    before = {file: file.stat() for file in broken.rglob("*")}
    check(broken)
    assert {file: file.stat() for file in broken.rglob("*")}.keys() == before.keys()
    assert all(file.stat().st_mtime_ns == stat.st_mtime_ns for file, stat in before.items())


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_check_of_no_ratings_is_one_clear_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    result = check(tmp_path / name)
    assert result.exit_code == 1
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith(f"Error: {tmp_path / name} ")


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


@pytest.mark.parametrize("command", [[], ["check"], ["bulk"]])
def test_help(command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage:")
