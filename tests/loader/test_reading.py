"""Whole inputs, sound and broken, against a reader that is written here line by line."""

import csv
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loader_tools import read_folder

from common.settings import Settings
from common.times import utc_now
from engine.dataset import Dataset
from loader.__main__ import main
from loader.formats.accounts import LONGEST_LINE, LONGEST_SHOWN, Account, Reject
from loader.staging.report import Report
from loader.staging.stage import NoRatingsError, stage

TOO_LONG = "line is too long"
NO_MOVIE = "no readable MovieID: line before it"


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def last_believed() -> datetime:
    """The last moment that the commands believe."""
    return utc_now() + Settings().future


def stage_in(folder: Path) -> Dataset:
    return stage(folder, folder / "staging", latest=last_believed(), quiet=True)


# The probe set and the qualifying set.

RATED = b"1:\n5,3,2005-01-01\n6,4,2005-01-01\n2:\n5,1,2005-01-01\n7,2,2005-01-01\n"


@pytest.mark.parametrize("name", ["combined_data_1.txt", "training_set/mv_1.txt"])
def test_the_probe_set_marks_exactly_its_pairs(tmp_path: Path, name: str) -> None:
    probe = b"2:\n5\n1:\n6\n\n6\n7\n8\n9:\n5\n"  # 6 comes twice; 7 and 8 did not rate movie 1; nobody rated movie 9
    dataset = stage_in(write(tmp_path, {name: RATED, "probe.txt": probe}))
    assert dataset.ratings().select("userId", "movieId", "probe").rows() == [
        (5, 1, False),
        (5, 2, True),
        (6, 1, True),
        (7, 2, False),
    ]
    assert (dataset.manifest().probe, dataset.manifest().ratings) == (2, 4)
    assert Report.of(dataset).accounts["probe"] == Account(lines=10, loaded=6, structure=4)


def test_a_probe_set_that_comes_before_the_ratings_marks_the_same(tmp_path: Path) -> None:
    ratings = b"".join(b"%d,%d,3,9\n" % pair for pair in [(5, 1), (6, 1), (5, 2), (7, 2)])
    dataset = stage_in(write(tmp_path, {"ratings.csv": ratings, "probe.txt": b"2:\n5\n1:\n6\n7\n"}))
    assert dataset.ratings().filter("probe").select("userId", "movieId").rows() == [(5, 2), (6, 1)]
    assert dataset.manifest().probe == 2


def test_a_pair_of_the_probe_set_that_was_rated_twice_is_one_marked_rating(tmp_path: Path) -> None:
    ratings = b"1:\n5,3,2005-01-01\n5,4,2005-01-02\n"
    dataset = stage_in(write(tmp_path, {"combined_data_1.txt": ratings, "probe.txt": b"1:\n5\n"}))
    assert [(stars, probe) for _, _, stars, _, probe in dataset.ratings().rows()] == [(4.0, True)]
    assert dataset.manifest().probe == 1


def test_without_a_probe_set_nothing_is_marked(tmp_path: Path) -> None:
    dataset = stage_in(write(tmp_path, {"combined_data_1.txt": RATED}))
    assert not dataset.ratings()["probe"].any()
    assert "probe" not in Report.of(dataset).accounts
    assert dataset.manifest().probe == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"5,3", "not of the form CustomerID"),
        (b"5,3,2005-01-01", "not of the form CustomerID"),
        (b"x", "user id is no positive integer"),
        (b"0", "user id is no positive integer"),
        (b"2147483648", "user id is no positive integer"),
    ],
)
def test_a_bad_line_of_the_probe_set_is_rejected_and_costs_no_other(tmp_path: Path, line: bytes, reason: str) -> None:
    read = read_folder(write(tmp_path, {"combined_data_1.txt": RATED, "probe.txt": b"1:\n5\n" + line + b"\n6\n"}))
    assert read.probe == [(5, 1), (6, 1)]
    assert read.rejects == [Reject(str(tmp_path / "probe.txt"), 3, reason, line.decode())]
    assert read.accounts["probe"] == Account(lines=4, loaded=2, rejected=1, structure=1)
    assert len(read.records) == 4


@pytest.mark.parametrize("name", ["probe.txt", "qualifying.txt"])
@pytest.mark.parametrize("header", [b"x:", b"0:", b":"])
def test_no_pair_is_one_of_the_movie_before_a_bad_header(tmp_path: Path, name: str, header: bytes) -> None:
    line = b"5" if name == "probe.txt" else b"5,2005-01-01"
    content = b"\n".join([b"1:", line, header, line, b"2:", line])
    read = read_folder(write(tmp_path, {"combined_data_1.txt": RATED, name: content}))
    assert [(reject.line, reject.reason.split(" ")[0]) for reject in read.rejects] == [(3, "neither"), (4, "no")]
    assert read.rejects[1].reason == NO_MOVIE
    assert read.probe == ([(5, 1), (5, 2)] if name == "probe.txt" else [])
    assert read.accounts[name.removesuffix(".txt")] == Account(lines=6, loaded=2, rejected=2, structure=2)


def test_the_qualifying_set_is_counted_and_not_loaded(tmp_path: Path) -> None:
    qualifying = b"1:\n90,2005-01-01\n91,2005-02-30\n\n3:\r\n92,2005-01-01\r\n94,3,2005-01-01\n93\n"
    dataset = stage_in(write(tmp_path, {"combined_data_1.txt": RATED, "qualifying.txt": qualifying}))
    assert dataset.ratings()["userId"].unique().sort().to_list() == [5, 6, 7]
    assert dataset.movies()["movieId"].to_list() == [1, 2]
    report = Report.of(dataset)
    assert report.accounts["qualifying"] == Account(lines=8, loaded=2, rejected=3, structure=3)
    assert report.accounts["ratings"] == Account(lines=6, loaded=4, structure=2)
    assert [(reject.line, reject.reason) for reject in report.rejects] == [
        (3, "date is unreadable"),
        (7, "not of the form CustomerID,YYYY-MM-DD"),
        (8, "neither of the form MovieID: nor CustomerID,YYYY-MM-DD"),
    ]


def test_sets_of_several_blocks_and_buffers_are_whole(tmp_path: Path) -> None:
    pairs = [(user, movie) for movie in (1, 2, 3) for user in range(1, 30)]
    probe = "".join(f"{movie}:\n" * (user == 1) + f"{user}\n" for user, movie in pairs).encode()
    write(tmp_path, {"combined_data_1.txt": RATED, "probe.txt": probe, "qualifying.txt": RATED.replace(b",3,", b",")})
    whole = read_folder(tmp_path)
    assert whole.probe == sorted(pairs)
    for block_bytes, buffered in ((1, 1), (7, 3), (40, 10)):
        assert read_folder(tmp_path, block_bytes, buffered) == whole


# Lines that are too long.

LONG_FILES = {
    "combined_data_1.txt": (b"1:\n5,3,2005-01-01\n", b"6,4,2005-01-01", 2, 1),
    "ratings.csv": (b"userId,movieId,rating,timestamp\n5,1,3,9\n", b"6,1,4,9", 2, 1),
    "u.data": (b"5\t1\t3\t9\n", b"6\t1\t4\t9", 2, 0),
}


@pytest.mark.parametrize("name", LONG_FILES)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("block_bytes", [7, 1000, LONGEST_LINE - 1, LONGEST_LINE, LONGEST_LINE + 20, 1 << 20])
def test_a_line_that_is_too_long_is_rejected_and_costs_no_other(
    tmp_path: Path, name: str, end: bytes, block_bytes: int
) -> None:
    before, after, ratings, structure = LONG_FILES[name]
    long = [b"x," * 40_000, b" " * 70_000 + b",", b"7" * 200_000 + b",3,2005-01-01"]
    write(tmp_path, {name: before + b"\n".join([long[0], after, *long[1:]]) + end})
    read = read_folder(tmp_path, block_bytes)
    assert len(read.records) == ratings
    account = Account(lines=ratings + structure + 3, rejected=3, structure=structure)
    assert read.accounts == {"ratings": account}
    first = before.count(b"\n") + 1
    assert read.rejects == [
        Reject(str(tmp_path / name), number, TOO_LONG, line[:LONGEST_SHOWN].decode())
        for number, line in zip((first, first + 2, first + 3), long, strict=True)
    ]


@pytest.mark.parametrize("block_bytes", [7, 1 << 20])
def test_a_line_may_be_as_long_as_the_longest(tmp_path: Path, block_bytes: int) -> None:
    rating = b"6,4,2005-01-01".rjust(LONGEST_LINE)
    content = b"\n".join([b"1:", rating, b" " + rating, rating[1:] + b"\r", rating + b"\r", rating])
    read = read_folder(write(tmp_path, {"combined_data_1.txt": content}), block_bytes)
    assert [(reject.line, reject.reason) for reject in read.rejects] == [(3, TOO_LONG), (5, TOO_LONG)]
    assert read.accounts == {"ratings": Account(lines=6, rejected=2, structure=1)}
    assert len(read.records) == 3


@pytest.mark.parametrize("block_bytes", [7, 1 << 20])
@pytest.mark.parametrize("header", [b"9" * 70_000 + b":", b" " * 70_000 + b"2:", b"2" + b" " * 70_000 + b":"])
def test_ratings_after_a_header_that_is_too_long_are_not_those_of_the_movie_before(
    tmp_path: Path, header: bytes, block_bytes: int
) -> None:
    content = b"\n".join([b"1:", b"5,3,2005-01-01", header, b"6,3,2005-01-01", b"3:", b"7,3,2005-01-01"])
    read = read_folder(write(tmp_path, {"combined_data_1.txt": content}), block_bytes)
    assert [(user, movie) for user, movie, *_ in read.records] == [(5, 1), (7, 3)]
    assert [(reject.line, reject.reason) for reject in read.rejects] == [(3, TOO_LONG), (4, NO_MOVIE)]


@pytest.mark.parametrize(
    ("ratings", "titles", "good", "start"),
    [
        ("combined_data_1.txt", "movie_titles.csv", b"%d,1999,X", b"1,1999,"),
        ("ratings.csv", "movies.csv", b"%d,X (1999),Drama", b"1,"),
        ("ratings.dat", "movies.dat", b"%d::X (1999)::Drama", b"1::"),
        ("u.data", "u.item", b"%d|X (1999)|||0", b"1|"),
    ],
)
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_title_that_is_too_long_is_rejected_whatever_the_blocks(
    tmp_path: Path, ratings: str, titles: str, good: bytes, start: bytes, end: bytes
) -> None:
    header = b"movieId,title,genres\n" if titles == "movies.csv" else b""
    # 60 and 40 characters in UTF-8, where 60 bytes are allowed; 60 and 80 in latin-1.
    long = [start + b"x" * (61 - len(start)), start + "é".encode() * 40]
    fits = start + b"x" * (60 - len(start))
    content = header + b"\n".join([long[0], good % 2, fits, long[1]]) + end
    write(tmp_path, {ratings: b"", titles: content})
    first = 1 + len(header.splitlines())
    for block_bytes in (1, 7, 30, 64, 100, 1 << 20):
        read = read_folder(tmp_path, block_bytes, longest=60)
        assert [(reject.line, reject.reason) for reject in read.rejects] == [(first, TOO_LONG), (first + 3, TOO_LONG)]
        assert read.accounts == {"movies": Account(4 + len(header.splitlines()), 2, 0, 2, len(header.splitlines()))}
        assert [movie for movie, *_ in read.movies] == [1, 2]


pieces = st.sampled_from(
    [b"1:", b"5,3,2005-01-01", b"6,4,2005-01-01\r", b"bad,", b"", b"\r", b"x," * 16, b"8,1,2005-01-01" + b" " * 17]
)


@settings(deadline=None, max_examples=60)
@given(
    lines=st.lists(pieces, max_size=12),
    end=st.sampled_from([b"", b"\n"]),
    block_bytes=st.integers(1, 60),
    buffered=st.integers(1, 4),
)
def test_long_lines_blocks_and_buffers_make_no_difference(
    lines: list[bytes], end: bytes, block_bytes: int, buffered: int
) -> None:
    content = b"1:\n" + b"\n".join(lines) + end
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {"combined_data_1.txt": content})
        whole = read_folder(Path(folder), longest=30)
        assert read_folder(Path(folder), block_bytes, buffered, longest=30) == whole
    all_lines = content.split(b"\n")[: None if content[-1:] != b"\n" else -1]
    rejected = [
        (number, TOO_LONG if len(line) > 30 else "not of the form CustomerID,Rating,YYYY-MM-DD")
        for number, line in enumerate(all_lines, start=1)
        if len(line) > 30 or line == b"bad,"
    ]
    assert [(reject.line, reject.reason) for reject in whole.rejects] == rejected
    assert whole.accounts["ratings"].lines == len(all_lines)
    assert len(whole.records) == sum(line[:1] in (b"5", b"6") for line in all_lines)


# Whole folders, mutated.

ID = "0*[1-9][0-9]{0,9}"
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


@dataclass
class Expected:
    """What a folder holds, read by hand."""

    accounts: dict[str, Account] = field(default_factory=lambda: defaultdict(Account))
    rejects: list[tuple[str, int, str]] = field(default_factory=list)
    ratings: list[tuple[int, int, float, datetime]] = field(default_factory=list)
    probe: set[tuple[int, int]] = field(default_factory=set)
    titles: list[tuple[int, str, int | None, list[str]]] = field(default_factory=list)

    def finish(self) -> None:
        loaded = {"ratings": len({pair[:2] for pair in self.ratings}), "movies": len({row[0] for row in self.titles})}
        for kind, account in self.accounts.items():
            usable = account.lines - account.rejected - account.structure
            account.loaded = loaded.get(kind, usable)
            account.duplicates = usable - account.loaded

    def latest(self) -> dict[tuple[int, int], tuple[float, datetime]]:
        found: dict[tuple[int, int], tuple[float, datetime]] = {}
        for user, movie, stars, at in self.ratings:
            if (user, movie) not in found or found[user, movie][1] <= at:
                found[user, movie] = stars, at
        return found


def lines_of(content: bytes, encoding: str) -> Iterator[tuple[int, str]]:
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    for number, line in enumerate(lines, start=1):
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        yield number, line.decode(encoding, errors="replace").removesuffix("\r")


def id_of(text: str) -> int | None:
    text = text.strip()
    return int(text) if re.fullmatch(ID, text) and int(text) < 2**31 else None


def day_of(text: str) -> datetime | None:
    try:
        day = (
            datetime.combine(date(*map(int, text.split("-"))), datetime.min.time()) if re.fullmatch(DAY, text) else None
        )
    except ValueError:
        return None
    return day if day and day <= last_believed() else None


# Says whether a line (number, text) is structure (True), rejected (False), or whatever else it is.
Verdict = Callable[[int, str], Any]


def netflix_reader(rated: bool, dated: bool) -> Verdict:
    movie: int | None = None

    def read(_: int, line: str) -> Any:
        nonlocal movie
        line = line.strip()
        if not line:
            return True
        fields = [part.strip() for part in line.split(",")]
        if line.endswith(":") or (len(fields) == 1 and dated):
            movie = id_of(line[:-1]) if line.endswith(":") else None
            return movie is not None
        user = id_of(fields[0])
        if movie is None or user is None or len(fields) != 1 + rated + dated:
            return False
        if rated and not re.fullmatch("0*[1-5]", fields[1]):
            return False
        day = day_of(fields[-1]) if dated else datetime(1970, 1, 1)
        return (user, movie, float(fields[1]) if rated else 0.0, day) if day else False

    return read


def movielens_reader(separator: str) -> Verdict:
    def read(number: int, line: str) -> Any:
        if not line.strip() or (separator == "," and number == 1 and line.strip() == "userId,movieId,rating,timestamp"):
            return True
        fields = [part.strip() for part in line.split(separator)]
        if len(fields) != 4:
            return False
        user, movie = id_of(fields[0]), id_of(fields[1])
        halves = {f"{half / 2:{form}}": half / 2 for half in range(1, 11) for form in ("g", ".1f", ".2f")}
        halves |= {".5": 0.5, ".50": 0.5, **{f"{whole}.": float(whole) for whole in range(1, 6)}}
        stars = halves.get(re.sub("^0+(?=[0-9])", "", fields[2]) if "." not in fields[2][:1] else fields[2])
        seconds = int(fields[3]) if re.fullmatch("[0-9]{1,10}", fields[3]) else None
        at = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None) if seconds is not None else None
        if user is None or movie is None or stars is None or at is None or at > last_believed():
            return False
        return user, movie, stars, at

    return read


def netflix_titles(_: int, line: str) -> Any:
    if not line.strip():
        return True
    movie, year, title = [*line.split(",", 2), "", ""][:3]
    return (id_of(movie), title.strip(), id_of(year), []) if id_of(movie) and title.strip() else False


def movielens_titles(separator: str) -> Verdict:
    def read(number: int, line: str) -> Any:
        if not line.strip():
            return True
        fields = line.split(separator)
        if separator == ",":
            try:
                [fields] = csv.reader([line], strict=True)
            except csv.Error:
                return False
        if separator == "," and number == 1 and fields[0] == "movieId":
            return True
        if len(fields) < 2 or id_of(fields[0]) is None:
            return False
        title, year = fields[1].strip(), None
        if found := re.fullmatch(r"(.*\S)\s*\((\d\d\d\d)\)", title):
            title, year = found[1], int(found[2])
        if found := re.fullmatch("(.+), (The|A|An)", title):
            title = f"{found[2]} {found[1]}"
        genres = fields[2].split("|") if separator != "|" and len(fields) > 2 else []
        return id_of(fields[0]), title, year, [genre for genre in genres if genre]

    return read


# Of each file: its kind, encoding, how it is read.
READERS: dict[str, tuple[str, str, Callable[[], Verdict]]] = {
    "combined_data_1.txt": ("ratings", "utf-8", lambda: netflix_reader(rated=True, dated=True)),
    "combined_data_2.txt": ("ratings", "utf-8", lambda: netflix_reader(rated=True, dated=True)),
    "training_set/mv_0000001.txt": ("ratings", "utf-8", lambda: netflix_reader(rated=True, dated=True)),
    "ratings.csv": ("ratings", "utf-8", lambda: movielens_reader(",")),
    "ratings.dat": ("ratings", "utf-8", lambda: movielens_reader("::")),
    "u.data": ("ratings", "utf-8", lambda: movielens_reader("\t")),
    "movie_titles.csv": ("movies", "latin-1", lambda: netflix_titles),
    "movie_titles.txt": ("movies", "latin-1", lambda: netflix_titles),
    "movies.csv": ("movies", "utf-8", lambda: movielens_titles(",")),
    "movies.dat": ("movies", "latin-1", lambda: movielens_titles("::")),
    "u.item": ("movies", "latin-1", lambda: movielens_titles("|")),
    "probe.txt": ("probe", "utf-8", lambda: netflix_reader(rated=False, dated=False)),
    "qualifying.txt": ("qualifying", "utf-8", lambda: netflix_reader(rated=False, dated=True)),
}


def expect(files: dict[str, bytes]) -> Expected:
    """What a folder of these files holds."""
    expected = Expected()
    for name in sorted(files, key=lambda name: ("/" in name, name)):
        kind, encoding, open_reader = READERS[name]
        account, read = expected.accounts[kind], open_reader()
        for number, line in lines_of(files[name], encoding):
            account.lines += 1
            match read(number, line):
                case True:
                    account.structure += 1
                case False:
                    account.rejected += 1
                    expected.rejects.append((name, number, line))
                case found if kind == "ratings":
                    expected.ratings.append(found)
                case found if kind == "movies":
                    expected.titles.append(found)
                case found if kind == "probe":
                    expected.probe.add(found[:2])
    expected.finish()
    return expected


NETFLIX = (
    b"1:\n5,3,2005-09-06\n6,5,2005-05-13\r\n17770:\n5,4,1999-12-31\n30878,1,2004-02-29\n5,2,2000-01-01\n\n"
    b"2:\n6,4,2005-10-19\n"
)
MORE = b"2:\n7,1,2005-01-01\n6,3,2005-10-20\n1:\n5,2,2005-09-06\n8,5,2005-09-05"
NETFLIX_TITLES = (
    b"1,2003,Dinosaur Planet\n2,NULL,Isle of Man, Review, The\r\n\n3,1997,Am\xe9lie\n17770,2003,Alien Hunter\n"
)
SETS = {
    "probe.txt": b"1:\n6\n5\n9\n\n17770:\n30878\r\n5\n",
    "qualifying.txt": b"1:\n7,2005-12-31\n8,2005-12-01\r\n2:\n\n9,2005-11-30\n",
}
ROWS = [
    (5, 1, "4.0", 964982703),
    (6, 1, "0.5", 0),
    (5, 47, "3.5", 1589934592),
    (610, 3, "5.0", 9),
    (5, 1, "3", 964982704),
]
TITLES = [
    (1, "Toy Story (1995)", "Adventure|Comedy"),
    (3, "2012 (2009)", "Drama"),
    (9, "Nine", ""),
    (47, "Se7en (1995)", "X"),
]


def join(separator: str, rows: list[tuple[Any, ...]], header: str = "") -> bytes:
    return "\n".join([*([header] if header else []), *(separator.join(map(str, row)) for row in rows), ""]).encode()


FOLDERS = [
    {"combined_data_1.txt": NETFLIX, "movie_titles.csv": NETFLIX_TITLES},
    {"combined_data_1.txt": NETFLIX, "combined_data_2.txt": MORE, "movie_titles.txt": NETFLIX_TITLES},
    {"training_set/mv_0000001.txt": NETFLIX, "movie_titles.txt": NETFLIX_TITLES},
    {
        "ratings.csv": join(",", ROWS, "userId,movieId,rating,timestamp"),
        "movies.csv": join(",", [*TITLES, (7, '"Great ""One"", A (1999)"', "Y")], "movieId,title,genres"),
    },
    {"ratings.dat": join("::", ROWS), "movies.dat": join("::", TITLES)},
    {"u.data": join("\t", ROWS), "u.item": join("|", [(*row[:2], "", "", 0, 1) for row in TITLES])},
]
ADDED = [b"", *(bytes([byte]) for byte in b'0159,:-. \t\r\n"|\x00\x85\xa0\xe9\xff')]
ADDED += [
    b"\n\n",
    b"\r\n",
    b"::",
    b"9" * 12,
    b"\xef\xbb\xbf",
    b"1:\n",
    b"x:\n",
    b"5,3,2005-01-01\n",
    b"\xd9\xa5",
    b"x" * 300,
    b"2005",
]
# A file, a line of it (both counted around), a place in it (-1: its end), how many bytes to remove, what to put there.
Edit = tuple[int, int, int, int, bytes]
edits = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(0, 9),
        st.one_of(st.just(0), st.just(-1), st.integers(0, 30)),
        st.sampled_from([0, 0, 1, 2, 5, 30, 400]),
        st.one_of(st.sampled_from([b",", b"::", b"\t", b"\n"]), st.sampled_from(ADDED)),
    ),
    max_size=8,
)


def mutate(files: dict[str, bytes], changes: list[Edit]) -> dict[str, bytes]:
    names = sorted(files)
    mutated = dict(files)
    for number, line, column, removed, added in changes:
        name = names[number % len(names)]
        content = mutated[name]
        lines = content.splitlines(keepends=True) or [b""]
        line %= len(lines)
        length = len(lines[line].rstrip(b"\r\n"))
        place = len(b"".join(lines[:line])) + (length if column < 0 else min(column, length))
        mutated[name] = content[:place] + added + content[place + removed :]
    return mutated


def require_stage(folder: Path, expected: Expected) -> None:
    """A mutated folder is staged as expected."""
    if not expected.ratings:
        with pytest.raises(NoRatingsError):
            stage_in(folder)
        assert list((folder / "staging").iterdir()) == []
        return
    dataset = stage_in(folder)
    report, ratings, manifest = Report.of(dataset), dataset.ratings(), dataset.manifest()
    assert {kind: account for kind, account in report.accounts.items() if account.lines} == {
        kind: account for kind, account in expected.accounts.items() if account.lines
    }
    for account in report.accounts.values():
        assert account.lines == account.loaded + account.duplicates + account.rejected + account.structure
    assert [(reject.file, reject.line, reject.text[:LONGEST_SHOWN]) for reject in report.rejects] == [
        (str(folder / name), line, text[:LONGEST_SHOWN]) for name, line, text in expected.rejects
    ]
    latest = expected.latest()
    assert ratings.rows() == [(*pair, *latest[pair], pair in expected.probe) for pair in sorted(latest)]
    titles = {row[0]: row[1:] for row in reversed(expected.titles)}
    rated = {movie for _, movie in latest}
    movies = dataset.movies().select("movieId", "title", "year", "genres", "ratingCount", "ratingMean").rows()
    assert [movie for movie, *_ in movies] == sorted(titles.keys() | rated)
    for movie, title, year, genres, count, mean in movies:
        stars = [value for pair, (value, _) in latest.items() if pair[1] == movie]
        assert (count, mean) == (len(stars), pytest.approx(sum(stars) / len(stars)) if stars else None)
        assert (title, year, genres) == titles.get(movie, (None, None, None))
    assert (manifest.ratings, manifest.movies, manifest.users, manifest.probe) == (
        len(latest),
        len(movies),
        len({user for user, _ in latest}),
        len(latest.keys() & expected.probe),
    )


def require_check(folder: Path, expected: Expected, tolerance: float) -> None:
    """`check` tells of a mutated folder what is expected."""
    arguments = ["check", str(folder), "--quiet", "--json", "--tolerance", str(tolerance)]
    result = CliRunner().invoke(main, arguments)
    assert isinstance(result.exception, SystemExit | None), result.exception
    account = expected.accounts["ratings"]
    sound = bool(expected.ratings) and account.rejected <= tolerance * account.lines
    assert result.exit_code == (0 if sound else 1)
    assert result.stderr.startswith("" if sound else "Error: ")
    assert result.stderr.count("\n") == (0 if sound else 1)
    if not expected.ratings:
        assert result.stdout == ""
        return
    answer = json.loads(result.stdout)
    rejects = [(row["file"], row["line"], row["text"][:LONGEST_SHOWN]) for row in answer.pop("rejects")]
    assert rejects == [(str(folder / name), line, text[:LONGEST_SHOWN]) for name, line, text in expected.rejects]
    assert {name: answer.pop(name) for name in asdict(account)} == asdict(account)
    assert {kind: counts for kind, counts in answer.items() if counts["lines"]} == {
        kind: asdict(account) for kind, account in expected.accounts.items() if account.lines and kind != "ratings"
    }


def examine(files: dict[str, bytes], changes: list[Edit], tolerance: float) -> None:
    mutated = mutate({**files, **SETS}, changes)
    with tempfile.TemporaryDirectory() as name:
        folder = write(Path(name), mutated)
        require_stage(folder, expect(mutated))
        require_check(folder, expect(mutated), tolerance)


@pytest.mark.parametrize("files", FOLDERS, ids=lambda files: next(iter(files)))
def test_a_sound_folder_is_read_as_by_hand(files: dict[str, bytes]) -> None:
    assert expect({**files, **SETS}).rejects == []
    assert len(expect(files).ratings) >= 5
    examine(files, [], 0)


tolerances = st.sampled_from([0.0, 0.2, 1.0])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(files=st.sampled_from(FOLDERS), changes=edits, tolerance=tolerances)
def test_of_a_broken_folder_every_line_is_accounted_for(
    files: dict[str, bytes], changes: list[Edit], tolerance: float
) -> None:
    examine(files, changes, tolerance)


@pytest.mark.slow
@settings(deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
@given(files=st.sampled_from(FOLDERS), changes=edits.filter(bool), tolerance=tolerances)
def test_of_a_thousand_broken_folders_every_line_is_accounted_for(
    files: dict[str, bytes], changes: list[Edit], tolerance: float
) -> None:
    examine(files, changes, tolerance)
